"""The columns of the window and where they stand."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.explore.panels.jobs import HEIGHT as JOBS_HEIGHT
from app.explore.panels.status import HEIGHT as STATUS_HEIGHT
from app.explore.toolbar import HEIGHT as TOOLBAR_HEIGHT
from app.state.settings import WindowSettings
from app.widgets.backdrop import Rectangle
from app.widgets.splitter import Splitter
from app.widgets.ui import Ui

_MENU_HEIGHT = 26
_PADDING = 12
_SPLITTER = 6
_MIN_SIDE, _MAX_SIDE = 240, 480
#: What the left column holds besides the directions: identity's head, and style mixing.
_IDENTITY_HEAD, _MIXING, _LAYERS = 110, 83, 76


@dataclass(frozen=True)
class Places:
    """Result of a layout, pixels of the window.

    Attributes:
        origin, size: of the viewport.
        left, right: inner widths of the side columns.
        directions: height left for the directions.
        ground: what is not covered by panels.
    """

    origin: tuple[int, int]
    size: tuple[int, int]
    left: int
    right: int
    directions: int
    ground: Rectangle


class Columns:
    """Containers for the panels; children of the primary window, all placed by hand.

    Args:
        resize: takes new widths of the left and right column, pixels at scale 1.
    """

    def __init__(self, ui: Ui, resize: Callable[[int, int], None]) -> None:
        self._ui, self._resize = ui, resize
        self._window = WindowSettings()
        self._key: tuple[object, ...] = ()
        self._left = self._column(ui.theme.panel)
        self._left_splitter = Splitter(ui, lambda dx: self._dragged(dx, 0.0))
        self._centre = self._column(ui.theme.flat)
        self._right_splitter = Splitter(ui, lambda dx: self._dragged(0.0, dx))
        self._right = self._column(ui.theme.panel, scrolls=True)
        self._jobs = self._column(ui.theme.panel)
        self._status = self._column(ui.theme.bar)

    @contextmanager
    def inside(self, name: str) -> Iterator[None]:
        """Create items in a column: left, centre, right, jobs or status."""
        dpg.push_container_stack(getattr(self, f"_{name}"))
        yield
        dpg.pop_container_stack()

    def hide(self) -> None:
        """Leave the window to others until the next :meth:`place`."""
        self._key = ()
        for item in (self._left, self._centre, self._right, self._jobs, self._status):
            dpg.hide_item(item)
        for splitter in (self._left_splitter, self._right_splitter):
            splitter.show(False)

    def place(self, window: WindowSettings, *, has_layers: bool) -> Places | None:
        """Put everything where it belongs; None where nothing has changed since the last call."""
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        sides = (window.left_width, window.right_width, window.panels_shown)
        key = (width, height, *sides, has_layers)
        self._window = window
        if key == self._key or width <= 0 or height <= 0:
            return None
        self._key = key
        px, shown = self._ui.px, window.panels_shown
        left, right = (px(window.left_width), px(window.right_width)) if shown else (0, 0)
        gap = px(_SPLITTER) if shown else 0
        top, bottom = px(_MENU_HEIGHT), height - px(STATUS_HEIGHT)
        tall, jobs = bottom - top, px(JOBS_HEIGHT)
        centre = max(px(120), width - left - right - 2 * gap)
        for item in (self._left, self._right, self._jobs):
            dpg.configure_item(item, show=shown)
        for item in (self._centre, self._status):
            dpg.show_item(item)
        for splitter, x in (
            (self._left_splitter, left),
            (self._right_splitter, width - right - gap),
        ):
            splitter.show(shown)
            splitter.place(x, top, max(1, gap), tall)
        _place(self._left, 0, top, left, tall)
        _place(self._centre, left + gap, top, centre, tall)
        _place(self._right, width - right, top, right, tall - jobs)
        _place(self._jobs, width - right, bottom - jobs, right, jobs)
        _place(self._status, 0, bottom, width, px(STATUS_HEIGHT))
        rest = _IDENTITY_HEAD + _MIXING + (_LAYERS if has_layers else 0)
        padding = 2 * px(_PADDING)
        return Places(
            origin=(left + gap, top),
            size=(centre, tall - px(TOOLBAR_HEIGHT)),
            left=px(window.left_width) - padding,
            right=px(window.right_width) - padding,
            directions=tall - px(rest) - padding,
            ground=Rectangle(left, top, width - right, bottom),
        )

    def _column(self, look: int | str, *, scrolls: bool = False) -> int | str:
        item: int | str = dpg.add_child_window(
            border=False,
            no_scrollbar=not scrolls,
            no_scroll_with_mouse=not scrolls,
            always_use_window_padding=True,
        )
        dpg.bind_item_theme(item, look)
        return item

    def _dragged(self, left: float, right: float) -> None:
        scale = self._ui.scale
        widths = (
            self._window.left_width + round(left / scale),
            self._window.right_width - round(right / scale),
        )
        self._resize(*(min(_MAX_SIDE, max(_MIN_SIDE, width)) for width in widths))


def _place(item: int | str, x: int, y: int, width: int, height: int) -> None:
    dpg.configure_item(item, pos=(x, y), width=max(1, width), height=max(1, height))
