"""The settings of a new run as rows: a label, and a field that shows its default while empty."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.train.state.new_run import NewRun
from app.train.state.training_form import FormField, defaults, sections
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.drawing import icons, theme

#: Width of the label column, pixels at scale 1.
LABELS = 132
_BUTTON = 30


class FormRow:
    """A label and, beside it, the widgets that are created in the ``with`` block."""

    def __init__(self, ui: Ui, label: str, tooltip: str) -> None:
        self._group = dpg.group(horizontal=True, xoffset=ui.px(LABELS), horizontal_spacing=0)
        self._group.__enter__()
        self.label: int | str = dpg.add_text(label, color=theme.MUTED)
        if tooltip:
            ui.tooltip(self.label, tooltip)

    def __enter__(self) -> FormRow:
        return self

    def __exit__(self, *_: object) -> None:
        self._group.__exit__(None, None, None)


class Parameters:
    """A field for each setting of the stage's command; an empty field shows the default.

    Created in the current container.

    Args:
        choose: asks for a folder, for the setting of that name.
    """

    def __init__(self, ui: Ui, new: NewRun, choose: Callable[[str], None]) -> None:
        self._ui, self._new, self._choose_folder = ui, new, choose
        self._group: int | str = dpg.add_group()  # filled by sync
        self._fields: dict[str, tuple[FormField, int | str, int | str]] = {}
        self._buttons: list[IconButton] = []
        self._stage = ""
        self._width = 0

    def resize(self, width: int) -> None:
        """Make the fields ``width`` pixels wide."""
        self._width = width
        for field, _, item in self._fields.values():
            if field.kind != "flag":
                dpg.configure_item(item, width=self._width_of(field))

    def sync(self, wrong: str) -> None:
        """Show the form's fields; the one named ``wrong`` in the error colour."""
        form = self._new.form
        if form.stage != self._stage:
            self._stage = form.stage
            self._rebuild(form.stage)
        values = defaults(form)
        for name, (field, label, item) in self._fields.items():
            text, default = form.text(name), values[name]
            dpg.configure_item(label, color=theme.TEXT if text else theme.MUTED)
            if field.kind == "flag":
                dpg.set_value(item, (text or default) == "yes")
            elif field.kind == "choice":
                dpg.set_value(item, text or default)
            else:
                if not dpg.is_item_active(item):
                    dpg.set_value(item, text)
                dpg.configure_item(item, hint=default or "automatic")
                dpg.bind_item_theme(item, self._ui.theme.flawed if name == wrong else 0)

    def _rebuild(self, stage: str) -> None:
        self._fields.clear()
        for button in self._buttons:
            self._ui.pointer.remove(button)
        self._buttons.clear()
        dpg.delete_item(self._group, children_only=True)
        with inside(self._group):
            for heading, fields in sections(stage):
                self._ui.heading(heading)
                for field in fields:
                    with FormRow(self._ui, field.label, field.help) as row:
                        item = self._widget(field)
                    self._fields[field.name] = (field, row.label, item)

    def _widget(self, field: FormField) -> int | str:
        item: int | str
        if field.kind == "flag":
            item = dpg.add_checkbox(
                callback=lambda _, on: self._choose(field, "yes" if on else "no")
            )
        elif field.kind == "choice":
            item = dpg.add_combo(
                field.choices,
                width=self._width,
                callback=lambda _, value: self._choose(field, str(value)),
            )
        elif field.kind == "folder":
            with dpg.group(horizontal=True, horizontal_spacing=self._ui.px(4)):
                item = self._text(field)
                choose = partial(self._choose_folder, field.name)
                self._buttons.append(IconButton(self._ui, icons.folder, choose, "Choose a folder"))
            return item
        else:
            return self._text(field)
        self._ui.tooltip(item, field.help)
        return item

    def _text(self, field: FormField) -> int | str:
        return self._ui.text_field(
            "",
            partial(self._new.set_text, field.name),
            f"{field.help}.  Leave empty for the default, which is shown in grey",
            width=self._width_of(field),
            hint=" ",
        )

    def _width_of(self, field: FormField) -> int:
        return self._width - (self._ui.px(_BUTTON) if field.kind == "folder" else 0)

    def _choose(self, field: FormField, value: str) -> None:
        """Set a choice or a flag; the default is stored as an empty text, so presets change it."""
        form = self._new.form.with_text(field.name, "")
        is_default = value == defaults(form)[field.name]
        self._new.set_text(field.name, "" if is_default else value)
