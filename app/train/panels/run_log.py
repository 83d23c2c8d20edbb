"""The log of the selected run: events, and the last output of its processes."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.train.state.training import Training
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme


class LogPanel:
    """The end of the log, created in the current container; scrolls to the newest line."""

    def __init__(self, ui: Ui, training: Training) -> None:
        self._ui, self._training = ui, training
        self._lines: tuple[str, ...] | None = None
        self._frames_to_scroll = 0
        ui.caption("Log")
        with dpg.child_window(border=False, height=ui.px(80)) as self._scroll:
            self._text = ui.small_text(wrap=ui.px(200))
        dpg.bind_item_theme(self._scroll, ui.theme.flat)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        px = self._ui.px
        dpg.configure_item(self._scroll, width=width, height=max(px(40), height - px(28)))
        dpg.configure_item(self._text, wrap=width - px(14))

    def sync(self) -> None:
        """Show the newest lines."""
        report = self._training.report
        lines = report.log if report is not None else ()
        if lines != self._lines:
            self._lines = lines
            dpg.configure_item(self._text, color=theme.MUTED if lines else theme.FAINT)
            dpg.set_value(self._text, "\n".join(lines) or "The log is empty.")
            self._frames_to_scroll = 3  # the text's height is known a frame later
        if self._frames_to_scroll:
            self._frames_to_scroll -= 1
            dpg.set_y_scroll(self._scroll, dpg.get_y_scroll_max(self._scroll))
