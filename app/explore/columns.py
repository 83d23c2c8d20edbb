"""The columns of the Explore tab and their places in the window."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.explore.panels.status import HEIGHT as STATUS_HEIGHT
from app.explore.viewport.toolbar import HEIGHT as TOOLBAR_HEIGHT
from app.state.settings import WindowSettings
from app.widgets.controls.ui import Ui
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.layout.column import MENU_HEIGHT, PADDING, STRIP_PADDING, Column
from app.widgets.layout.splitter import Splitter

_SPLITTER = 6
#: Widths at scale 1: of side columns that the user pulls; of side columns in a narrow window, which
#: leave the centre its least width as long as they can.
_MIN_SIDE, _MAX_SIDE = 240, 480
_NARROWEST_SIDE, _LEAST_CENTRE = 208, 340
#: Least height of the directions and of the jobs; what is above and below them scrolls if need be.
_LEAST_DIRECTIONS, _LEAST_JOBS, _NO_JOBS = 136, 120, 72
_SCROLL_BAR = 10


@dataclass(frozen=True)
class Places:
    """Result of a layout, pixels of the window.

    Attributes:
        origin, size: of the viewport.
        strip: width and height of the area under the toolbar.
        left, right: inner widths of the side columns.
        directions: height left for the directions.
        jobs: height of the jobs panel.
        ground: the part of the window that no panel covers.
    """

    origin: tuple[int, int]
    size: tuple[int, int]
    strip: tuple[int, int]
    left: int
    right: int
    directions: int
    jobs: int
    ground: Rectangle


class Columns:
    """Containers for the panels, created in the primary window.

    Args:
        resize: takes new widths of the left and right column, pixels at scale 1.
    """

    def __init__(self, ui: Ui, resize: Callable[[int, int], None]) -> None:
        self._ui, self._resize = ui, resize
        self._window = WindowSettings()
        self._key: tuple[object, ...] = ()
        self.left = Column(ui.theme.panel, scrolls=True)
        self._left_splitter = Splitter(ui, lambda dx: self._dragged(dx, 0.0))
        self.centre = Column(ui.theme.flat)
        self.strip = Column(ui.theme.strip)
        self._right_splitter = Splitter(ui, lambda dx: self._dragged(0.0, dx))
        self.right = Column(ui.theme.panel, scrolls=True)
        self.jobs = Column(ui.theme.panel)
        self.status = Column(ui.theme.flat)
        self._sides = (
            self.strip, self.left, self.right, self.jobs, self._left_splitter, self._right_splitter,
        )  # fmt: skip

    def hide(self) -> None:
        """Hide all columns until the next :meth:`place`."""
        self._key = ()
        for part in (self.centre, self.status, *self._sides):
            part.show(False)

    def place(
        self,
        window: WindowSettings,
        *,
        left_rest: int,
        right_rest: int,
        has_jobs: bool,
        strip: int,
    ) -> Places | None:
        """Put all columns into place; None if nothing has changed since the last call.

        Args:
            left_rest: height of the left column's panels without the directions, pixels.
            right_rest: height of the right column's panels.
            has_jobs: whether there are jobs to list.
            strip: height of the area under the toolbar, while panels are shown.
        """
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        sides = (window.left_width, window.right_width, window.panels_shown)
        key = (width, height, *sides, left_rest, right_rest, has_jobs, strip)
        self._window = window
        if key == self._key or width <= 0 or height <= 0:
            return None
        self._key = key
        px, shown = self._ui.px, window.panels_shown
        strip = strip if shown else 0
        gap, padding = px(_SPLITTER) if shown else 0, 2 * px(PADDING)
        left, right = self._side_widths(width - 2 * gap) if shown else (0, 0)
        top, bottom = px(MENU_HEIGHT), height - px(STATUS_HEIGHT)
        tall = bottom - top
        # A pixel or two more, since the theme's lengths are rounded otherwise.
        room = tall - left_rest - padding - px(3)
        left_bar = px(_SCROLL_BAR) if room < px(_LEAST_DIRECTIONS) else 0
        jobs = max(px(_LEAST_JOBS if has_jobs else _NO_JOBS), tall - right_rest - padding)
        centre = max(1, width - left - right - 2 * gap)
        for part in self._sides:
            part.show(shown)
        self.centre.show()
        self.status.show()
        self.left.place(0, top, left, tall)
        self._left_splitter.place(left, top, gap, tall)
        self.centre.place(left + gap, top, centre, tall - strip)
        self.strip.place(left + gap, bottom - strip, centre, strip)
        self._right_splitter.place(width - right - gap, top, gap, tall)
        self.right.place(width - right, top, right, tall - jobs)
        self.jobs.place(width - right, bottom - jobs, right, jobs)
        self.status.place(0, bottom, width, px(STATUS_HEIGHT))
        return Places(
            origin=(left + gap, top),
            size=(centre, tall - strip - px(TOOLBAR_HEIGHT)),
            strip=(centre - 2 * px(STRIP_PADDING), strip),
            left=max(1, left - padding - left_bar),
            right=max(1, right - padding),
            directions=max(px(_LEAST_DIRECTIONS), room),
            jobs=jobs - padding,
            ground=Rectangle(left, top, width - right, bottom - strip),
        )

    def _side_widths(self, width: int) -> tuple[int, int]:
        """Widths of the side columns as the user has set them, less in a narrow window."""
        px = self._ui.px
        wanted = (px(self._window.left_width), px(self._window.right_width))
        excess = sum(wanted) + px(_LEAST_CENTRE) - width
        if excess <= 0:
            return wanted
        left, right = (max(px(_NARROWEST_SIDE), side - excess // 2) for side in wanted)
        return left, right

    def _dragged(self, left: float, right: float) -> None:
        scale = self._ui.scale
        widths = (
            self._window.left_width + round(left / scale),
            self._window.right_width - round(right / scale),
        )
        self._resize(*(min(_MAX_SIDE, max(_MIN_SIDE, width)) for width in widths))
