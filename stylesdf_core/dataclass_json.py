"""Frozen dataclasses to JSON and back; every field is checked, since anybody may write the JSON.

Scenes, model configs, settings and training runs are frozen dataclasses that are stored as JSON.
Floats that arrive another way, such as flags, are checked for NaN and infinity here too. This
module imports no room of the project, so that every room may import this module.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Mapping
from functools import cache
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stylesdf_core.errors import InputError
from stylesdf_core.foreign import brief

T = TypeVar("T")


def to_json(value: Any) -> Any:
    """A (nested) dataclass as plain JSON values."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, (list, tuple)):
        return [to_json(item) for item in value]
    return value


def from_json(cls: type[T], data: Any, where: str = "", *, complete: bool = False) -> T:
    """Build the frozen dataclass ``cls`` from a parsed JSON document, checking every field.

    Numbers must be finite, and an integer may be written as ``3.0``.

    Args:
        where: how messages name the document, for instance by its file name.
        complete: refuse a document in which a field is missing, at any depth; otherwise missing
            fields take their defaults.

    Raises:
        InputError: a field is unknown, missing, of the wrong type or out of range; names the field.
    """
    where = where or cls.__name__
    if not isinstance(data, Mapping):
        raise InputError(f"{where}: expected an object with fields, found {type(data).__name__}.")
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    if unknown := sorted(set(data) - set(fields)):
        raise InputError(
            f"{where}: unknown field {brief(repr(unknown[0]))}; known: {', '.join(fields)}."
        )
    missing = {
        name: f for name, f in fields.items() if name not in data and (complete or _is_required(f))
    }
    if missing:
        words = f"{where}: a required field is missing: {', '.join(missing)}."
        if usual := [
            f"{n} {f.default}" for n, f in missing.items() if f.default is not dataclasses.MISSING
        ]:
            words += (
                " If another version of the program wrote the file, add what that version did; "
                f"by default, today: {', '.join(usual)}."
            )
        raise InputError(words)
    hints = _type_hints(cls)  # type: ignore[arg-type]
    values = {
        name: _convert(hints[name], value, f"{where}.{name}", complete)
        for name, value in data.items()
    }
    try:
        return cls(**values)
    except InputError as error:
        raise InputError(f"{where}: {brief(error)}") from error


@cache
def _type_hints(cls: Any) -> dict[str, Any]:
    return get_type_hints(cls)


def check_finite(value: object) -> None:
    """Refuse a (nested) dataclass that holds NaN or infinity; for its ``__post_init__``.

    Looks at the fields that are floats, dataclasses or tuples of them. A check of a range alone may
    let NaN pass, since every comparison with NaN is false.

    Raises:
        InputError: names the field.
    """
    for name in _field_names(type(value)):  # type: ignore[arg-type]
        content = getattr(value, name)
        for item in content if isinstance(content, tuple) else (content,):
            if isinstance(item, float):
                if not math.isfinite(item):
                    raise InputError(f"{name} must be a finite number, not {item}.")
            elif _field_names(type(item)):  # type: ignore[arg-type]
                check_finite(item)


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    """The names of a dataclass's fields; none for other classes."""
    if not dataclasses.is_dataclass(cls):
        return ()
    return tuple(field.name for field in dataclasses.fields(cls))


def _is_required(field: dataclasses.Field[Any]) -> bool:
    return field.default is field.default_factory is dataclasses.MISSING


def _convert(kind: Any, value: Any, where: str, complete: bool) -> Any:
    """``value`` as ``kind``: a scalar, Literal, optional type, tuple or dataclass."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Literal:
        if value not in args:
            raise InputError(
                f"{where}: {brief(repr(value))} is none of {', '.join(map(str, args))}."
            )
        return value
    if origin in (Union, UnionType):
        if value is None and type(None) in args:
            return None
        (inner,) = (a for a in args if a is not type(None))
        return _convert(inner, value, where, complete)
    if origin is tuple:
        if not isinstance(value, (list, tuple)):
            raise InputError(f"{where}: expected a list, found {brief(repr(value))}.")
        kinds = args[:1] * len(value) if args[-1] is Ellipsis else args
        if len(kinds) != len(value):
            raise InputError(f"{where}: expected {len(kinds)} values, found {len(value)}.")
        items = enumerate(zip(kinds, value, strict=True))
        return tuple(_convert(item, v, f"{where}[{i}]", complete) for i, (item, v) in items)
    if dataclasses.is_dataclass(kind):
        return from_json(kind, value, where, complete=complete)  # type: ignore[arg-type]
    return _scalar(kind, value, where)


def _scalar(kind: Any, value: Any, where: str) -> Any:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if kind is float and is_number:
        if not abs(value) <= sys.float_info.max:
            raise InputError(f"{where}: {brief(value)} is not a finite number.")
        return float(value)
    if kind is int and is_number and (isinstance(value, int) or value.is_integer()):
        return int(value)
    if kind in (bool, str) and isinstance(value, kind):
        return value
    expected = getattr(kind, "__name__", kind)
    raise InputError(f"{where}: expected {expected}, found {brief(repr(value))}.")
