"""The Compare tab in the window: two choices at the left, the pictures beside them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, get_args

import dearpygui.dearpygui as dpg

from app.compare.panes import Panes
from app.compare.sides import SidePanel
from app.state import exports
from app.state.pictures.comparison import Mode
from app.state.wording import title_and_text
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.texture import Textures
from app.widgets.layout.column import PADDING
from app.widgets.layout.side_layout import SideLayout

if TYPE_CHECKING:
    from stylesdf_core.commands.scenes.compare import RenderComparison


class ComparePage:
    """The tab's choices and pictures; created in the primary window.

    Attributes:
        middle: origin and size of the pictures' area, pixels of the window; toasts lie over it.
        ground: the part of the window that no panel covers.
    """

    def __init__(self, ui: Ui, workbench: Workbench, textures: Textures) -> None:
        self._ui, self._workbench = ui, workbench
        self._is_shown = False
        self.middle = ((0, 0), (1, 1))
        self.ground = Rectangle(0, 0, 0, 0)
        self._layout = SideLayout(
            ui, lambda width: workbench.change_settings("window", left_width=width)
        )
        comparison = workbench.comparison
        with self._layout.controls.inside():
            self.sides = [SidePanel(ui, workbench, index) for index in range(2)]
            ui.heading("Show")
            self._modes = {
                mode: ui.button(mode, partial(setattr, comparison, "mode", mode), tip)
                for mode, tip in zip(
                    get_args(Mode),
                    (
                        "A, B and the colours of their difference",
                        "A and B in one picture; drag the edge between them",
                        "The colours of the difference alone: bright from 64 grey levels on",
                    ),
                    strict=True,
                )
            }
            ui.button("Swap A and B", comparison.swap, look=ui.theme.quiet)
            self._figure = ui.small_text(wrap=0)
            self._problem = ui.small_text("", theme.ERROR, wrap=0)
            self._again = ui.button("Try again", comparison.retry)
            ui.heading("Export")
            self._export = ui.button("Export PNG", self._start_export, "A, B and the difference")
            ui.button("Copy as command", self._copy, look=ui.theme.quiet)
        with self._layout.area.inside():
            self.panes = Panes(ui, workbench, textures)

    def show(self, shown: bool) -> None:
        """Show the tab, or hide it while another tab is shown."""
        self._is_shown = shown
        self._layout.show(shown)
        if shown:
            self._workbench.comparison.begin(self._workbench.scene)
        else:
            self._workbench.comparison.pause()

    def sync(self) -> None:
        """Show the state; does nothing while the tab is hidden."""
        if not self._is_shown:
            return
        workbench, comparison = self._workbench, self._workbench.comparison
        self._lay_out()
        model = workbench.model
        loaded = None if model is None else (workbench.models.reference, model)
        comparison.tick(int(self.panes.panes[0].edge), workbench.settings.device, loaded)
        for side in self.sides:
            side.sync()
        for mode, button in self._modes.items():
            self._ui.select(button, mode == comparison.mode)
        shown = comparison.shown
        figure = "" if shown is None else f"mean difference {shown.difference:.1f} grey levels"
        dpg.set_value(self._figure, figure)
        error = comparison.error
        text = "" if error is None else title_and_text(error)[1]
        self._ui.set_small_text(self._problem, text)
        dpg.configure_item(self._problem, show=error is not None)
        dpg.configure_item(self._again, show=error is not None)
        self.panes.sync()

    def _lay_out(self) -> None:
        window = self._workbench.settings.window
        places = self._layout.place(window.left_width, has_controls=window.panels_shown)
        if places is None:
            return
        for side in self.sides:
            side.resize(places.controls)
        for item in (*self._modes.values(), self._export):
            dpg.configure_item(item, width=places.controls)
        wide, tall = places.area
        self.panes.resize(wide, tall - self._ui.px(PADDING))
        self.middle, self.ground = places.middle, places.ground

    def _start_export(self) -> None:
        self._workbench.submit(self._request())

    def _request(self) -> RenderComparison:
        workbench = self._workbench
        return exports.comparison_request(
            workbench.comparison, workbench.settings, workbench.jobs.outputs
        )

    def _copy(self) -> None:
        command = self._workbench.command_of(self._request())
        if command is not None:
            dpg.set_clipboard_text(command)
            self._workbench.toast("Copied the command for this comparison")
