"""The settings of a request: path, flag, type, and the help under the field.

The command line leaves this to tyro. The window's form and "Copy as command" read it here, from
the same dataclasses.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

import docstring_parser
import tyro


@dataclass(frozen=True)
class Setting:
    """One setting of a nested dataclass.

    Attributes:
        path: dotted path of the field, such as ``volume.r1``.
        flag: tyro's flag of the field, such as ``--volume.r1``.
        kind: type of the field; for ``X | None``, X.
        help: the sentences under the field.
    """

    path: str
    flag: str
    kind: Any
    help: str


def field_help(request: type) -> dict[str, str]:
    """The sentences under each field of a dataclass and of its bases, by the field's name."""
    texts: dict[str, str] = {}
    for home in reversed(request.__mro__[:-1]):
        for entry in docstring_parser.parse_from_object(home).params:
            texts[entry.arg_name] = _one_line(entry.description)
    return texts


@contextmanager
def help_in_whole_lines() -> Iterator[None]:
    """Within it, docstring_parser gives every text as one line, without the marks of Sphinx.

    tyro reads the help of flags through docstring_parser, keeps some line breaks of the source and
    wraps the text once more, so that its lines would end anywhere.
    """
    names = ("parse", "parse_from_object")
    own = {name: getattr(docstring_parser, name) for name in names}
    for name, parse in own.items():
        setattr(docstring_parser, name, _whole_lines(parse))
    try:
        yield
    finally:
        for name, parse in own.items():
            setattr(docstring_parser, name, parse)


def _whole_lines(
    parse: Callable[[Any], docstring_parser.Docstring],
) -> Callable[[Any], docstring_parser.Docstring]:
    def parse_whole_lines(documented: Any) -> docstring_parser.Docstring:
        docstring = parse(documented)
        paragraphs = (docstring.long_description or "").split("\n\n")
        docstring.long_description = "\n\n".join(map(_one_line, paragraphs)) or None
        for entry in docstring.params:
            entry.description = _one_line(entry.description) or None
        return docstring

    return parse_whole_lines


def _one_line(text: str | None) -> str:
    return " ".join((text or "").replace("``", "`").split())


@cache
def settings_of(config: type, path: str = "", flag: str = "--") -> tuple[Setting, ...]:
    """All settings of a nested dataclass that have a flag, in order.

    Args:
        path, flag: prefixes of the fields' names in paths and in flags.
    """
    texts, hints = field_help(config), get_type_hints(config, include_extras=True)
    found: list[Setting] = []
    for field in fields(config):
        name, kind = field.name, hints[field.name]
        marks: list[Any] = []
        if get_origin(kind) is Annotated:
            kind, *marks = get_args(kind)
        if tyro.conf.Suppress in marks:
            continue
        named = next((mark.name for mark in marks if getattr(mark, "name", None)), name)
        here = f"{flag}{named.replace('_', '-')}"
        if isinstance(kind, type) and is_dataclass(kind):
            unprefixed = any(getattr(mark, "name", None) == "" for mark in marks)
            inner = settings_of(kind, f"{path}{name}.", flag if unprefixed else f"{here}.")
            found.extend(inner)
        else:
            found.append(Setting(f"{path}{name}", here, _without_none(kind), texts.get(name, "")))
    return tuple(found)


def _without_none(kind: Any) -> Any:
    if get_origin(kind) in (Union, types.UnionType):
        (kind,) = (inner for inner in get_args(kind) if inner is not type(None))
    return kind
