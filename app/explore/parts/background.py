"""The background behind the head, in the viewport and in exports; part of the export panel."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from stylesdf_core.commands.scenes.options.backgrounds import OWN, Background
from stylesdf_core.errors import StyleSDFError

_TRANSPARENT = "none"
_BUTTON = 100  # width at scale 1


class BackgroundField:
    """A field for a colour or a picture file, and a switch for transparent pictures."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench = ui, workbench
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(4)):
            self._field = ui.text_field(
                "",
                self._typed,
                "Background behind the head, in the viewport and in exported pictures and "
                "animations: a colour such as #16181c, a picture file, none for transparent, or "
                "model for the model's own",
                hint="own background",
            )
            self._button = ui.button(
                "transparent",
                self._toggle,
                "Only the head: exports are transparent as PNG, WebP and GIF; an MP4 cannot be",
                width=ui.px(_BUTTON),
            )

    def resize(self, width: int) -> None:
        """Fit a column."""
        dpg.configure_item(self._field, width=width - self._ui.px(_BUTTON + 4))

    def show(self, background: str) -> None:
        """Write the setting, unless the user is typing."""
        if not dpg.is_item_active(self._field):
            self._ui.set_text(self._field, "" if background == OWN else background)
        self._ui.select(self._button, background == _TRANSPARENT)

    def _toggle(self) -> None:
        is_on = self._workbench.settings.view.background == _TRANSPARENT
        self._workbench.change_settings("view", background=OWN if is_on else _TRANSPARENT)

    def _typed(self, text: str) -> None:
        try:
            Background.of(text)
        except StyleSDFError as error:
            self._workbench.toast(str(error), is_error=True)
            return
        self._workbench.change_settings("view", background=text.strip() or OWN)
