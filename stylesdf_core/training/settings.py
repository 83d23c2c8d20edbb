"""Settings by dotted path: nested config dataclasses as a flat table, and back.

A stage's settings are one nested dataclass. Its single settings are called by their path, as in
``volume.r1``: by presets, by flags, by the window's form, and where a resumed run is compared with
the settings it began with.
"""

from __future__ import annotations

from collections.abc import Mapping
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
