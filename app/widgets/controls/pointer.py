"""Mouse gestures on drawn widgets: which widget is hovered, pressed, dragged.

Dear PyGui's handlers only tell that a button or the wheel was used. The mouse's position is read
once a frame; a drag is the difference between two frames, not Dear PyGui's cumulative delta.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import dearpygui.dearpygui as dpg

from app.widgets.drawing.theme import Item

LEFT, RIGHT, MIDDLE = 0, 1, 2
#: Keys that act on the focused widget like a click, raise or lower its value, or reset the value.
ACT_KEYS = (dpg.mvKey_Return, dpg.mvKey_NumPadEnter, dpg.mvKey_Spacebar)
MORE_KEYS, LESS_KEYS = (dpg.mvKey_Plus, dpg.mvKey_Add), (dpg.mvKey_Minus, dpg.mvKey_Subtract)
RESET_KEYS = (dpg.mvKey_Delete, dpg.mvKey_Back)


@dataclass(frozen=True)
class Press:
    """A mouse button going down.

    Attributes:
        button: LEFT, RIGHT or MIDDLE.
        x, y: pixels, from the target's upper left corner.
        ctrl: whether a Ctrl key is held.
        double: whether it is the second press of a double click.
        shift: whether a Shift key is held.
    """

    button: int
    x: float
    y: float
    ctrl: bool
    double: bool
    shift: bool = False


class MouseTarget:
    """A drawn widget that takes the mouse; this base class ignores all gestures.

    Attributes:
        item: Dear PyGui's item; the mouse is over the widget when it is over the item.
    """

    item: Item

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """The mouse is over the widget, at a place, or has left it."""

    def press(self, press: Press) -> bool:
        """A button went down on the widget; True to get the drag and the release."""
        return False

    def drag(self, x: float, y: float) -> None:
        """The mouse moved while captured; pixels from the upper left corner."""

    def release(self) -> None:
        """The captured button went up."""

    def key(self, code: int) -> bool:
        """A key went down while the widget has the focus; True if the widget has used it."""
        return False

    def wheel(self, steps: float) -> None:
        """The wheel turned over the widget; the panel around the widget scrolls anyway."""


class Mouse(Protocol):
    """The mouse that a pointer follows: the real one, or a script in its place."""

    def position(self) -> tuple[float, float]:
        """Pixels from the window's upper left corner, as of the last frame drawn."""

    def is_down(self, button: int) -> bool:
        """Whether a button is held."""


class _SystemMouse:
    def position(self) -> tuple[float, float]:
        x, y = dpg.get_mouse_pos(local=False)
        return float(x), float(y)

    def is_down(self, button: int) -> bool:
        return bool(dpg.is_mouse_button_down(button))


class Pointer:
    """Tells each target what the mouse does over it.

    A target that takes a press captures the mouse: until the button is released, only that target
    gets the drag.
    """

    def __init__(self) -> None:
        self.mouse: Mouse = _SystemMouse()
        self._targets: list[MouseTarget] = []
        self._captured: tuple[MouseTarget, int] | None = None
        self._hovered: MouseTarget | None = None
        self._last = (0.0, 0.0)
        with dpg.handler_registry():
            for button in (LEFT, RIGHT, MIDDLE):
                dpg.add_mouse_click_handler(button, callback=lambda _, b: self._click(b, False))
                dpg.add_mouse_release_handler(button, callback=lambda _, b: self._released(b))
            dpg.add_mouse_double_click_handler(LEFT, callback=lambda _, b: self._click(b, True))
            dpg.add_mouse_wheel_handler(callback=lambda _, steps: self._wheel(steps))

    @property
    def dragging(self) -> bool:
        """Whether a target holds the mouse."""
        return self._captured is not None

    def add(self, target: MouseTarget) -> None:
        """Let ``target`` take the mouse over its item."""
        self._targets.append(target)

    def remove(self, target: MouseTarget) -> None:
        """Forget ``target``; to be called before the item of the target is deleted."""
        self._targets.remove(target)
        if self._hovered is target:
            self._hovered = None
        if self._captured is not None and self._captured[0] is target:
            self._captured = None

    def clear(self) -> None:
        """Forget all targets."""
        self._targets.clear()
        self._captured = self._hovered = None

    def tick(self) -> None:
        """Once a frame: tell targets of movement, and of releases outside the window."""
        position = self.mouse.position()
        if self._captured is not None:
            target, button = self._captured
            if position != self._last:
                target.drag(*_local(target, position))
            if not self.mouse.is_down(button):
                self._released(button)
        self._last = position
        hovered = self._captured[0] if self._captured is not None else self._under_mouse()
        if self._hovered is not None and self._hovered is not hovered:
            self._hovered.hover(0.0, 0.0, inside=False)
        self._hovered = hovered
        if hovered is not None:
            hovered.hover(*_local(hovered, position), inside=True)

    def focused(self) -> MouseTarget | None:
        """The target that has the keyboard's focus."""
        return next((t for t in self._targets if dpg.is_item_focused(t.item)), None)

    def _under_mouse(self) -> MouseTarget | None:
        for target in self._targets:
            if dpg.is_item_hovered(target.item):
                return target
        return None

    def _click(self, button: int, double: bool) -> None:
        if self._captured is not None and not double:
            return
        if self._captured is not None:  # a double click's second press also counts as a click
            self._released(self._captured[1])
        target = self._under_mouse()
        if target is None:
            return
        ctrl = dpg.is_key_down(dpg.mvKey_LControl) or dpg.is_key_down(dpg.mvKey_RControl)
        shift = dpg.is_key_down(dpg.mvKey_LShift) or dpg.is_key_down(dpg.mvKey_RShift)
        self.press(target, button, ctrl=ctrl, double=double, shift=shift)

    def press(
        self,
        target: MouseTarget,
        button: int,
        *,
        ctrl: bool = False,
        double: bool = False,
        shift: bool = False,
    ) -> None:
        """Press a button on ``target``, where the mouse is."""
        self._last = self.mouse.position()
        if target.press(Press(button, *_local(target, self._last), ctrl, double, shift)):
            self._captured = (target, button)

    def _released(self, button: int) -> None:
        if self._captured is not None and self._captured[1] == button:
            target, _ = self._captured
            self._captured = None
            target.drag(*_local(target, self.mouse.position()))
            target.release()

    def _wheel(self, steps: float) -> None:
        target = self._under_mouse()
        if target is not None:
            target.wheel(steps)


def _local(target: MouseTarget, position: tuple[float, float]) -> tuple[float, float]:
    x, y = dpg.get_item_rect_min(target.item)
    return position[0] - x, position[1] - y
