"""The Train tab: runs | curves and samples | a new run, instead of the studio's three columns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.explore.overlay import show_file
from app.train.panels.curves import CurvesPanel
from app.train.panels.new_run import NewRunPanel
from app.train.panels.run import HEIGHT as RUN_HEIGHT
from app.train.panels.run import RunPanel
from app.train.panels.run_log import LogPanel
from app.train.panels.runs import RunsPanel
from app.train.panels.samples import SamplesPanel
from app.train.training import Training
from app.widgets import theme
from app.widgets.backdrop import Rectangle
from app.widgets.dialogs import Dialogs
from app.widgets.texture import PictureTexture
from app.widgets.ui import Ui
from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES

_LEFT, _RIGHT, _GAP, _PADDING = 284, 332, 6, 12
_TOP = 26  # the menu bar's
_LOG_LEAST = 180
_NOTHING = 460
#: Titles of the dialogs that choose a parameter's folder.
_FOLDER_TITLES = {
    "facekit": "Face model: a clone of ICT-FaceKit",
    "data": "Prepared heads, or where to put them",
}


class SheetTextures:
    """What outlives a rebuild at another scale: deleting live textures crashes."""

    def __init__(self) -> None:
        self.samples = PictureTexture()
        self.crops = PictureTexture()


class TrainPage:
    """The tab's panels and where they stand.

    Args:
        opened: called when a run's model is on its way into the viewport.
    """

    def __init__(
        self,
        ui: Ui,
        training: Training,
        dialogs: Dialogs,
        textures: SheetTextures,
        opened: Callable[[], None],
    ) -> None:
        self._ui, self._training, self._dialogs = ui, training, dialogs
        self.runs = RunsPanel(ui, training, self._add_run, self._choose_folder)
        self.run = RunPanel(ui, training, opened, self._show_file)
        self.curves = CurvesPanel(ui, training)
        self.samples = SamplesPanel(ui, training, textures.samples)
        self.log = LogPanel(ui, training)
        self.form = NewRunPanel(
            ui, training, textures.crops, self._choose_data, self._choose_init, self._choose_text
        )
        self._shown = False
        self._key: tuple[object, ...] = ()
        self._has_run: bool | None = None
        self._columns: dict[str, int | str] = {}
        #: Origin and size of the middle, pixels of the window: messages cover nothing else.
        self.middle = ((0, 0), (1, 1))
        #: What is not covered by panels.
        self.ground = Rectangle(0, 0, 0, 0)

    def build(self) -> None:
        """Create everything, hidden, in the primary window."""
        ui = self._ui
        for name, look in (
            ("left", ui.theme.panel),
            ("run", ui.theme.flat),
            ("curves", ui.theme.flat),
            ("samples", ui.theme.flat),
            ("log", ui.theme.flat),
            ("nothing", ui.theme.flat),
            ("right", ui.theme.panel),
        ):
            column = dpg.add_child_window(
                border=False, show=False, no_scrollbar=True, no_scroll_with_mouse=True,
                always_use_window_padding=True,
            )  # fmt: skip
            dpg.bind_item_theme(column, look)
            self._columns[name] = column
        with self._inside("left"):
            self.runs.build(ui.px(_LEFT - 2 * _PADDING))
        with self._inside("run"):
            self.run.build()
        with self._inside("curves"):
            self.curves.build()
        with self._inside("samples"):
            self.samples.build()
        with self._inside("log"):
            self.log.build()
        with self._inside("nothing"):
            self._build_nothing()
        with self._inside("right"):
            self.form.build(ui.px(_RIGHT - 2 * _PADDING))

    def show(self, shown: bool) -> None:
        """Take the window, or leave it to the studio."""
        if shown != self._shown:
            self._shown = shown
            self._key, self._has_run = (), None
            for column in self._columns.values():
                dpg.configure_item(column, show=shown)

    def sync(self) -> None:
        """Follow the state; nothing while hidden."""
        if not self._shown:
            return
        self._layout()
        has_run = self._training.run is not None
        if has_run != self._has_run:
            self._has_run = has_run
            for name in ("run", "curves", "samples", "log"):
                dpg.configure_item(self._columns[name], show=has_run)
            dpg.configure_item(
                self._columns["nothing"], show=not has_run and not self._training.is_loading
            )
        if not has_run and not self._training.is_loading:
            dpg.configure_item(self._columns["nothing"], show=True)
        self.runs.sync()
        self.form.sync()
        if has_run:
            for panel in (self.run, self.curves, self.samples, self.log):
                panel.sync()

    def _layout(self) -> None:
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        if (width, height) == self._key or width <= 0 or height <= 0:
            return
        self._key = (width, height)
        px = self._ui.px
        top, pad = px(_TOP), px(_PADDING)
        tall = height - top
        left, right = px(_LEFT), px(_RIGHT)
        x = left + px(_GAP) + pad
        centre = max(px(240), width - left - right - 2 * (px(_GAP) + pad))
        self.middle = ((x, top), (centre, tall))
        self.ground = Rectangle(left, top, width - right, height)
        self._place("left", 0, top, left, tall)
        self._place("right", width - right, top, right, tall)
        head = px(RUN_HEIGHT)
        below = tall - head - 2 * pad
        # The grid is twice as wide as high; the log takes what it leaves.
        grid = min(round(0.42 * below), (centre - px(_LOG_LEAST) - pad) // 2 + px(60))
        grid_width = min(2 * (grid - px(60)), centre - px(_LOG_LEAST) - pad)
        curves = below - grid - pad
        self._place("run", x, top + pad, centre, head)
        self._place("curves", x, top + pad + head, centre, curves)
        y = top + pad + head + curves + pad
        self._place("samples", x, y, grid_width, grid)
        self._place("log", x + grid_width + pad, y, centre - grid_width - pad, grid)
        self._place("nothing", x, top, centre, tall)
        inner = 2 * pad
        self.runs.resize(left - inner, tall - inner)
        self.form.resize(right - inner, tall - inner)
        self.run.resize(centre)
        self.curves.resize(centre, curves)
        self.samples.resize(grid_width, grid)
        self.log.resize(centre - grid_width - pad, grid)
        dpg.configure_item(self._indent, height=max(1, tall // 2 - px(120)))
        dpg.configure_item(self._nothing, indent=max(1, (centre - px(_NOTHING)) // 2))

    def _place(self, name: str, x: int, y: int, width: int, height: int) -> None:
        dpg.configure_item(
            self._columns[name], pos=(x, y), width=max(1, width), height=max(1, height)
        )

    @contextmanager
    def _inside(self, name: str) -> Iterator[None]:
        dpg.push_container_stack(self._columns[name])
        yield
        dpg.pop_container_stack()

    def _build_nothing(self) -> None:
        """What stands in the middle before there is any run."""
        ui = self._ui
        self._indent = dpg.add_spacer(height=1)
        with dpg.group() as self._nothing:
            title = dpg.add_text("No runs yet")
            if ui.theme.title:
                dpg.bind_item_font(title, ui.theme.title)
            dpg.add_text(
                "Choose a folder of pictures on the right: one kind of thing, centred and upright. "
                "Leave the preset at tiny to see it work in minutes, then start.",
                color=theme.MUTED,
                wrap=ui.px(_NOTHING),
            )
            dpg.add_spacer(height=ui.px(8))
            with dpg.group(horizontal=True):
                ui.button(
                    "Choose pictures …",
                    self._choose_data,
                    "A folder of images to train on",
                    look=ui.theme.primary,
                )
                ui.button("Add run …", self._add_run, "List a run that lies elsewhere")

    def _show_file(self, path: Path) -> None:
        try:
            show_file(path)
        except OSError:
            text = f"No file manager found; the folder is {path.parent}"
            self._training.bench.toast(text, is_error=True)

    # --- dialogs --------------------------------------------------------------------------------

    def _add_run(self) -> None:
        self._dialogs.choose_folder("Add a run", self._training.folder, self._training.add)

    def _choose_folder(self) -> None:
        self._dialogs.choose_folder(
            "New runs go to", self._training.folder, self._training.set_folder
        )

    def _choose_data(self) -> None:
        data = self._training.new.form.data
        self._dialogs.choose_folder(
            "Images to train on",
            Path(data).expanduser() if data else Path.home(),
            lambda path: self._training.new.change(data=str(path)),
        )

    def _choose_text(self, name: str) -> None:
        new = self._training.new
        text = new.form.text(name)
        self._dialogs.choose_folder(
            _FOLDER_TITLES.get(name, "Choose a folder"),
            Path(text).expanduser() if text else Path.home(),
            lambda path: new.set_text(name, str(path)),
        )

    def _choose_init(self) -> None:
        self._dialogs.open_file(
            "Weights to start from",
            self._training.folder,
            WEIGHT_SUFFIXES,
            lambda path: self._training.new.change(init=str(path)),
        )
