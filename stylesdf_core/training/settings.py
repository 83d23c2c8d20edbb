"""Settings by dotted path: nested config dataclasses as a flat table, and back.

A stage's settings are one nested dataclass. Presets, flags, the window's form and the check of a
resumed run name a single setting by its path, such as ``volume.r1``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

Config = TypeVar("Config")


def by_path(config: Any, prefix: str = "") -> dict[str, Any]:
    """The values of all settings in a config dataclass, by dotted path and in order."""
    values: dict[str, Any] = {}
    for field in fields(config):
        value, path = getattr(config, field.name), f"{prefix}{field.name}"
        values |= by_path(value, f"{path}.") if is_dataclass(value) else {path: value}
    return values


def differences(
    found: Mapping[str, Any], wanted: Mapping[str, Any], paths: Iterable[str] | None = None
) -> str:
    """The settings in which two tables differ, with both values; empty if all are equal.

    Args:
        paths: settings to compare; None for all of ``wanted``.

    Example:
        ``width 128 instead of 64, depth 8 instead of 6``.
    """
    chosen = wanted if paths is None else paths
    pairs = ((path, found.get(path), wanted.get(path)) for path in chosen)
    return ", ".join(
        f"{path} {one!r} instead of {other!r}" for path, one, other in pairs if one != other
    )


def with_values(config: Config, values: Mapping[str, Any]) -> Config:
    """A copy of a config dataclass with other values of the settings at these dotted paths.

    All values are set at once, so that a dataclass checks them together.

    Raises:
        InputError: the dataclass refuses a value.
    """
    changes: dict[str, Any] = {}
    deeper: dict[str, dict[str, Any]] = {}
    for path, value in values.items():
        name, _, rest = path.partition(".")
        if rest:
            deeper.setdefault(name, {})[rest] = value
        else:
            changes[name] = value
    for name, inner in deeper.items():
        changes[name] = with_values(getattr(config, name), inner)
    return replace(config, **changes)  # type: ignore[type-var]
