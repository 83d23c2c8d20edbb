"""The Train tab in the window: runs | curves, samples and log of a run | the form of a new run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.train.panels.curves import CurvesPanel
from app.train.panels.new_run import NewRunPanel
from app.train.panels.run import RunPanel
from app.train.panels.run_log import LogPanel
from app.train.panels.runs import RunsPanel
from app.train.panels.samples import HEAD, SamplesPanel
from app.train.state.training import Training
from app.widgets.controls.ui import Ui
from app.widgets.dialogs.dialogs import Dialogs
from app.widgets.dialogs.file_manager import show_file
from app.widgets.drawing import theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.texture import Textures
from app.widgets.layout.column import MENU_HEIGHT, PADDING, Column

#: Widths at scale 1: left and right column, gaps beside the columns, longest line of text. The left
#: column becomes narrower to leave the middle column its least width.
_LEFT, _RIGHT, _GAP = 284, 332, 6
_LEAST_LEFT, _LEAST_MIDDLE = 184, 280
_TEXT = 460
#: Narrowest log; in a middle column that is narrower than the second width the log is hidden.
_LEAST_LOG, _ROOM_FOR_LOG = 180, 420
#: Height of the row above and of the slider below the sample grid.
_AROUND_GRID = 60


class TrainPage:
    """The tab's panels and their places; created in the primary window.

    Args:
        opened: called when a run's model is being loaded into the viewport.

    Attributes:
        middle: origin and size of the middle column, pixels of the window; toasts lie over it.
        ground: the part of the window that no panel covers.
    """

    def __init__(
        self,
        ui: Ui,
        training: Training,
        dialogs: Dialogs,
        textures: Textures,
        opened: Callable[[], None],
    ) -> None:
        self._ui, self._training, self._dialogs = ui, training, dialogs
        self._is_shown = self._has_log = False
        self._size = (0, 0, True)
        self.middle = ((0, 0), (1, 1))
        self.ground = Rectangle(0, 0, 0, 0)
        panel, flat = ui.theme.panel, ui.theme.flat
        self._left, self._run, self._curves = Column(panel), Column(flat), Column(flat)
        self._samples, self._log = Column(flat), Column(flat)
        self._nothing = Column(flat, scrolls=True)
        self._right = Column(panel)
        self._of_run = (self._run, self._curves, self._samples, self._log)
        with self._left.inside():
            self.runs = RunsPanel(ui, training, self._add_run, self._choose_folder)
        with self._run.inside():
            self.run = RunPanel(ui, training, opened, self._show_file)
        with self._curves.inside():
            self.curves = CurvesPanel(ui, training)
        with self._samples.inside():
            self.samples = SamplesPanel(ui, training, textures["samples"])
        with self._log.inside():
            self.log = LogPanel(ui, training)
        with self._right.inside():
            self.form = NewRunPanel(ui, training, textures["crops"], dialogs)
        with self._nothing.inside():
            self._build_nothing()

    def show(self, shown: bool) -> None:
        """Show the tab, or hide it while the Explore tab is shown."""
        self._is_shown, self._size = shown, (0, 0, True)
        for column in (self._left, self._right, self._nothing, *self._of_run):
            column.show(shown)

    def sync(self) -> None:
        """Show the state; does nothing while the tab is hidden."""
        if not self._is_shown:
            return
        self._lay_out()
        for column in (self._left, self._right):
            column.show(self._training.workbench.settings.window.panels_shown)
        has_run = self._training.run is not None
        for column in self._of_run:
            column.show(has_run)
        self._log.show(has_run and (self._has_log or self._training.shows_log))
        self._nothing.show(not has_run and not self._training.is_loading)
        self.runs.sync()
        self.form.sync()
        if has_run:
            for panel in (self.run, self.curves, self.samples, self.log):
                panel.sync()

    def _lay_out(self) -> None:
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        shown = self._training.workbench.settings.window.panels_shown
        if (width, height, shown) == self._size or width <= 0 or height <= 0:
            return
        self._size = (width, height, shown)
        px = self._ui.px
        top, pad, right = px(MENU_HEIGHT), px(PADDING), px(_RIGHT) if shown else 0
        free = width - right - 2 * (px(_GAP) + pad)
        left = max(px(_LEAST_LEFT), min(px(_LEFT), free - px(_LEAST_MIDDLE))) if shown else 0
        x, y, tall = left + px(_GAP) + pad, top + pad, height - top
        centre = max(1, free - left)
        self.middle = ((x, top), (centre, tall))
        self.ground = Rectangle(left, top, width - right, height)
        self._ui.tooltips.edges = (left, width - right)
        self._left.place(0, top, left, tall)
        self.runs.resize(left - 2 * pad, tall - 2 * pad)
        self._right.place(width - right, top, right, tall)
        self.form.resize(right - 2 * pad, tall - 2 * pad)
        self._nothing.place(x, top, centre, tall)
        dpg.configure_item(self._nothing_above, height=max(1, tall // 2 - px(120)))
        text = min(px(_TEXT), centre)
        dpg.configure_item(self._nothing_buttons, horizontal=centre >= px(_LEAST_MIDDLE))
        dpg.configure_item(self._nothing_text, indent=max(1, (centre - text) // 2))
        for item in self._nothing_lines:
            dpg.configure_item(item, wrap=text)
        # Head, curves and sample grid from top to bottom. The grid is twice as wide as high; the
        # log takes the width that the grid leaves.
        self._has_log = centre >= px(_ROOM_FOR_LOG)
        widest = centre - px(_LEAST_LOG) - pad if self._has_log else centre
        head, around = self.run.resize(centre), px(_AROUND_GRID)
        below = tall - head - 2 * pad
        grid = min(round(0.42 * below), widest // 2 + around)
        grid_width = min(2 * (grid - around), widest) if self._has_log else centre
        curves, log = below - grid - pad, centre - grid_width - pad
        self._run.place(x, y, centre, head)
        self._curves.place(x, y + head, centre, curves)
        self.curves.resize(centre, curves)
        self._samples.place(x, y + head + curves + pad, grid_width, grid)
        self.samples.resize(grid_width, grid, has_log=self._has_log)
        below = y + head + curves + pad
        if self._has_log:
            self._log.place(x + grid_width + pad, below, log, grid)
            self.log.resize(log, grid)
        else:  # in the samples' place, under their buttons
            above = px(HEAD)
            self._log.place(x, below + above, centre, grid - above)
            self.log.resize(centre, grid - above)

    def _build_nothing(self) -> None:
        """The text in the middle of the tab while there is no run."""
        ui = self._ui
        self._nothing_above = dpg.add_spacer(height=1)
        with dpg.group() as self._nothing_text:
            title = dpg.add_text("No runs yet")
            dpg.bind_item_font(title, ui.theme.title)
            text = dpg.add_text(
                "Choose a folder of pictures on the right: one kind of object, centred and "
                "upright. The preset tiny shows within minutes whether training works; press "
                "Start training.",
                color=theme.MUTED,
            )
            self._nothing_lines = (title, text)
            dpg.add_spacer(height=ui.px(8))
            with dpg.group(horizontal=True) as self._nothing_buttons:
                tip = "A folder of images to train on"
                choose = self.form.choose_data
                ui.button("Choose pictures …", choose, tip, look=ui.theme.primary)
                ui.button("Add run …", self._add_run, "List a run that lies elsewhere")

    def _show_file(self, path: Path) -> None:
        if not show_file(path):
            text = f"There is no file manager; the folder is {path.parent}"
            self._training.workbench.toast(text, is_error=True)

    # --- dialogs --------------------------------------------------------------------------------

    def _add_run(self) -> None:
        self._dialogs.choose_folder("Add a run", self._training.folder, self._training.add)

    def _choose_folder(self) -> None:
        self._dialogs.choose_folder(
            "New runs go to", self._training.folder, self._training.set_folder
        )
