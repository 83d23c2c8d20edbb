"""A bar between two columns that can be dragged."""

from __future__ import annotations

from collections.abc import Callable

from app.widgets.controls.pointer import LEFT, LESS_KEYS, MORE_KEYS, MouseTarget, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.layout.column import Column

_STEP = 16  # pixels at scale 1 that a key moves the bar


class Splitter(MouseTarget):
    """A thin upright bar that lights up under the mouse.

    Args:
        moved: takes the drag since the last frame, pixels to the right.
    """

    def __init__(self, ui: Ui, moved: Callable[[float], None]) -> None:
        self._ui, self._moved = ui, moved
        self._grabbed_at = 0.0
        self._size = (1, 1)
        # A drawing by itself would ignore its place.
        self._column = Column(ui.theme.flat)
        with self._column.inside():
            self._canvas = Canvas(*self._size)
        self.item = self._canvas.item
        ui.pointer.add(self)

    def place(self, x: int, y: int, width: int, height: int) -> None:
        """Move to a place and take a size, pixels of the window."""
        self._size = (max(1, width), height)
        self._canvas.resize(*self._size)
        self._column.place(x, y, *self._size)

    def show(self, shown: bool = True) -> None:
        """Show the bar, or hide it together with the columns."""
        self._column.show(shown)

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        width, height = self._size
        if self._canvas.wants(inside, self._size) and inside:
            self._canvas.line(width / 2, 0, width / 2, height, theme.ACCENT, self._ui.px(2))

    def press(self, press: Press) -> bool:
        """Take the left button."""
        self._grabbed_at = press.x
        return press.button == LEFT

    def key(self, code: int) -> bool:
        """Move to the right with +, to the left with −."""
        if code not in MORE_KEYS and code not in LESS_KEYS:
            return False
        self._moved(float(self._ui.px(_STEP) if code in MORE_KEYS else -self._ui.px(_STEP)))
        return True

    def drag(self, x: float, y: float) -> None:
        """Report the drag; the bar follows the mouse, so ``x`` counts from the moved bar."""
        if x != self._grabbed_at:
            self._moved(x - self._grabbed_at)
