"""Sliders and seed fields that change the document or the settings; panels are built of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import dearpygui.dearpygui as dpg

from app.state.document import edits
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.controls.ui import IconButton, Ui
from app.widgets.drawing import icons
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.scene.scene import Scene

#: Widths at scale 1 of a field for a seed, and of a button beside it with the gap.
_FIELD, _BUTTON = 110, 26


def scene_slider(
    ui: Ui,
    workbench: Workbench,
    spec: SliderSpec,
    edit: Callable[[Scene, float | None], Scene],
    lock: Callable[[], None] | None = None,
) -> SliderRow:
    """A slider over a number in the scene; each drag is one undo step.

    Args:
        edit: returns the scene with a new value, or with the default value for None.
        lock: answers a click on the slider's lock.
    """
    document = workbench.document
    actions = SliderActions(
        lambda value: document.update(edit(document.scene, value)),
        document.commit,
        lambda: document.apply(edit(document.scene, None)),
        lock,
    )
    return SliderRow(ui, spec, actions, 1)


class FieldSliders:
    """One slider for each field of a dataclass that has a spec.

    Args:
        specs: by the name of the field.
        neutral: the dataclass with its default values.
        change: takes the name of a field and its new value, of the field's type.
        commit: ends a drag.
    """

    def __init__(
        self,
        ui: Ui,
        specs: Mapping[str, SliderSpec],
        neutral: Any,
        change: Callable[[str, float], None],
        commit: Callable[[], None] = lambda: None,
    ) -> None:
        self._neutral, self._change, self._commit = neutral, change, commit
        self._rows = {
            name: SliderRow(
                ui,
                spec,
                SliderActions(partial(self._set, name), commit, partial(self._reset, name)),
                1,
            )
            for name, spec in specs.items()
        }

    def show(self, values: object) -> None:
        """Draw the fields of ``values``, a dataclass like ``neutral``."""
        for name, row in self._rows.items():
            value = getattr(values, name)
            row.show(float(value), edited=value != getattr(self._neutral, name))

    def hide(self, name: str, hidden: bool) -> None:
        """Hide a slider that counts for nothing, or show it."""
        dpg.configure_item(self._rows[name].item, show=not hidden)

    def rest(self, name: str, value: float) -> None:
        """Give a field another default: a reset leads there, and the track is filled from there."""
        self._neutral = replace(self._neutral, **{name: value})
        row = self._rows[name]
        row.spec = replace(row.spec, origin=value)

    def train(self, name: str, reach: float) -> None:
        """Tint a slider's track beyond ± ``reach``, which the model was not trained for."""
        row = self._rows[name]
        row.spec = replace(row.spec, trained=(-reach, reach))

    def resize(self, width: int) -> None:
        """Fit a column."""
        for row in self._rows.values():
            row.resize(width)

    def _set(self, name: str, value: float) -> None:
        self._change(name, type(getattr(self._neutral, name))(value))

    def _reset(self, name: str) -> None:
        self._change(name, getattr(self._neutral, name))
        self._commit()


class SeedEntry:
    """A field for a seed, and buttons for the previous, the next and a random one.

    Args:
        tooltip: of the field.
        which: the seed's name in the buttons' tooltips.
        choose: takes the seed, or None once the field has been emptied.
        keys: shortcuts that the buttons' tooltips name.
    """

    def __init__(
        self,
        ui: Ui,
        tooltip: str,
        which: str,
        choose: Callable[[int | None], None],
        keys: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        self._ui, self._choose = ui, choose
        self._seed: int | None = None
        self.field = ui.text_field("", self._typed, tooltip, width=ui.px(_FIELD), digits_only=True)
        for icon, act, name, key in zip(
            (icons.previous, icons.following, icons.dice),
            (lambda: self._step(-1), lambda: self._step(1), lambda: choose(edits.random_seed())),
            ("Previous", "Next", "Random"),
            keys,
            strict=True,
        ):
            IconButton(ui, icon, act, f"{name} {which}" + (f"  {key}" if key else ""))

    def resize(self, width: int, buttons: int) -> None:
        """Fit a column with so many buttons beside the field."""
        room = width - buttons * self._ui.px(_BUTTON)
        dpg.configure_item(self.field, width=max(1, min(self._ui.px(_FIELD), room)))

    def show(self, seed: int | None, text: str = "") -> None:
        """Write a seed, or ``text`` instead of the seed, unless the user is typing."""
        self._seed = seed
        if not dpg.is_item_active(self.field):
            dpg.set_value(self.field, text or ("" if seed is None else f"{seed:06d}"))

    def _typed(self, text: str) -> None:
        digits = "".join(c for c in text if c.isdigit())
        self._choose(min(int(digits), MAX_SEED) if digits else None)

    def _step(self, step: int) -> None:
        seed = 0 if self._seed is None else self._seed + step
        self._choose(min(max(seed, 0), MAX_SEED))
