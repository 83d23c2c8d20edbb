"""A slider in one line: label, thin track, value.

A drag moves the value, the − and + at the track's ends step it finely, a right click resets it, a
click on the number, or Ctrl+click anywhere, opens a field to type in; with the focus, the keys −,
+, Delete and Enter do the same. A value that the model was
not trained for tints the track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.widgets.controls.pointer import (
    ACT_KEYS,
    LEFT,
    LESS_KEYS,
    MORE_KEYS,
    RESET_KEYS,
    RIGHT,
    MouseTarget,
    Press,
)
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, icons, theme
from app.widgets.drawing.canvas import Canvas

HEIGHT = 24
_VALUE = 44
_LOCK = 18
_STEP = 14
_LEAST_TRACK = 36


@dataclass(frozen=True)
class SliderSpec:
    """A slider's label, range and look.

    Attributes:
        tooltip: says what the value does, its unit and its range.
        low, high: ends of the track; a typed value is brought between them.
        step: what the − and + at the track's ends take away and add.
        digits: after the point; 0 for whole numbers.
        signed: positive values are written with a +.
        origin: where the filled part of the track begins.
        trained: lowest and highest value that the model was trained for; None for no limits.
        lockable: draws a lock at the label's end, when hovered or locked.
        label_width: width of the label's column, pixels at scale 1.
        zero: word shown instead of the number 0; empty for the number.
    """

    label: str
    tooltip: str
    low: float
    high: float
    step: float
    digits: int = 2
    signed: bool = False
    origin: float = 0.0
    trained: tuple[float, float] | None = None
    lockable: bool = False
    label_width: int = 92
    zero: str = ""


@dataclass(frozen=True)
class SliderActions:
    """Callables for the gestures on a slider.

    Attributes:
        change: takes a new value, many times during a drag.
        commit: ends a gesture, so that it can be undone as one step.
        reset: answers a right click.
        lock: answers a click on the lock.
    """

    change: Callable[[float], None]
    commit: Callable[[], None]
    reset: Callable[[], None]
    lock: Callable[[], None] | None = None


class SliderRow(MouseTarget):
    """One slider; it holds no value of its own and draws the value given to :meth:`show`."""

    def __init__(self, ui: Ui, spec: SliderSpec, actions: SliderActions, width: int) -> None:
        self._ui, self.spec, self._actions = ui, spec, actions
        self._width = width
        self._value = spec.origin
        self._edited = self._locked = self._dimmed = False
        self._hovered = ""  # the part under the mouse
        self._dragging = False
        self._canvas = Canvas(width, ui.px(HEIGHT))
        self.item = self._canvas.item
        ui.tooltip(self.item, spec.tooltip)
        ui.pointer.add(self)

    def show(self, value: float, *, edited: bool = True, locked: bool = False) -> None:
        """Draw a value; the label of an unedited value is muted."""
        self._value, self._edited, self._locked = value, edited, locked
        self._draw()

    def dim(self, dimmed: bool) -> None:
        """Draw the slider faded, as one whose value hardly changes a thing."""
        self._dimmed = dimmed
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column ``width`` pixels wide."""
        if width != self._width:
            self._width = width
            self._canvas.resize(width, self._ui.px(HEIGHT))
            self._draw()

    # --- the mouse ----------------------------------------------------------------------------

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the part under the mouse."""
        self._hovered = self._part(x) if inside else ""
        self._draw()

    def press(self, press: Press) -> bool:
        """Begin a drag, step, reset, lock or type."""
        part = self._part(press.x)
        if press.button == RIGHT:
            self._actions.reset()
        elif press.button != LEFT or part == "label":
            return False
        elif part == "lock" and self._actions.lock is not None:
            self._actions.lock()
        elif press.ctrl or part == "value":
            self._type()
        elif part in ("less", "more"):
            self._step(1 if part == "more" else -1)
        else:
            self._dragging = True
            self.drag(press.x, press.y)
            return True
        return False

    def drag(self, x: float, y: float) -> None:
        """Follow the mouse."""
        left, right = self._track()
        t = min(1.0, max(0.0, (x - left) / max(1.0, right - left)))
        self._change(self.spec.low + t * (self.spec.high - self.spec.low))

    def release(self) -> None:
        """One undo step."""
        self._dragging = False
        self._actions.commit()
        self._draw()

    def key(self, code: int) -> bool:
        """Step with + and −, reset with Delete, type after Enter, lock with L."""
        if code in MORE_KEYS or code in LESS_KEYS:
            self._step(1 if code in MORE_KEYS else -1)
        elif code in RESET_KEYS:
            self._actions.reset()
        elif code in ACT_KEYS:
            self._type()
        elif code == dpg.mvKey_L and self._actions.lock is not None:
            self._actions.lock()
        else:
            return False
        return True

    def _type(self) -> None:
        """Open the field for a value."""
        text, left = self._number().replace("−", "-"), self._width - self._ui.px(_VALUE)
        self._ui.number_entry.open(self.item, text, self._typed, left)

    def _step(self, steps: int) -> None:
        self._typed(self._value + steps * self.spec.step)

    def _typed(self, value: float) -> None:
        self._change(value)
        self._actions.commit()

    def _change(self, value: float) -> None:
        value = min(self.spec.high, max(self.spec.low, value))
        self._actions.change(round(value, self.spec.digits))

    # --- geometry and drawing -----------------------------------------------------------------

    def _text(self) -> str:
        return self.spec.zero if self.spec.zero and self._value == 0 else self._number(",")

    def _number(self, group: str = "") -> str:
        """The value, with a sign if the spec asks for it; ``group`` separates thousands."""
        sign = "+" if self.spec.signed else ""
        value = round(self._value, self.spec.digits) + 0.0  # no negative zero
        return f"{value:{sign}{group}.{self.spec.digits}f}".replace("-", "−")

    def _track(self) -> tuple[int, int]:
        """Left and right end of the groove."""
        px = self._ui.px
        beside = px(_STEP) + px(4)
        return self._label_width() + beside, self._width - px(_VALUE) - beside

    def _label_width(self) -> int:
        """Width of the label's column, less in a narrow panel, which leaves the track a length."""
        px = self._ui.px
        room = self._width - px(_VALUE) - 2 * (px(_STEP) + px(4)) - px(_LEAST_TRACK)
        return max(0, min(px(self.spec.label_width), room))

    def _part(self, x: float) -> str:
        """The part at ``x``, pixels from the left: label, lock, less, track, more or value."""
        px = self._ui.px
        left, right = self._track()
        label_end = self._label_width()
        if x < label_end:
            return "lock" if self.spec.lockable and x >= label_end - px(_LOCK) else "label"
        if x < left - px(5):
            return "less"
        if x <= right + px(5):
            return "track"
        return "more" if x < right + px(_STEP) + px(4) else "value"

    def _draw(self) -> None:
        canvas, px, spec, text = self._canvas, self._ui.px, self.spec, self._text()
        state = (self._edited, self._locked, self._hovered, self._dragging, self._dimmed)
        if not canvas.wants(spec, text, self._value, state, self._width):
            return
        bright = self._edited or self._dragging
        quiet = theme.FAINT if self._dimmed else theme.MUTED
        size = px(fonts.BODY)
        top = (px(HEIGHT) - size) / 2
        room = self._label_width()
        if spec.lockable and (self._locked or self._hovered):
            icon = icons.lock_closed if self._locked else icons.lock_open
            lit = self._locked or self._hovered == "lock"
            room -= px(_LOCK)
            y = (px(HEIGHT) - px(_LOCK)) / 2
            icon(self.item, room, y, px(_LOCK), theme.TEXT if lit else theme.FAINT)
        label = fonts.fitted(spec.label, size, room)
        canvas.text(0, top, label, size, theme.TEXT if bright else quiet)
        x = self._width - fonts.text_width(text, size) - 1
        hot = bright or self._hovered == "value"
        canvas.text(x, top, text, size, theme.TEXT if hot else quiet)
        self._draw_track()

    def _is_outside(self) -> bool:
        """Whether the value, as it is written, lies outside the trained range."""
        trained = self.spec.trained
        if trained is None:
            return False
        slack = 0.5 * 10.0**-self.spec.digits
        return not trained[0] - slack <= self._value <= trained[1] + slack

    def _draw_track(self) -> None:
        canvas, px, spec = self._canvas, self._ui.px, self.spec
        left, right = self._track()
        middle, thick = px(HEIGHT) / 2, px(4) / 2
        outside = self._is_outside()

        def at(value: float) -> float:
            t = (value - spec.low) / (spec.high - spec.low)
            return left + min(1.0, max(0.0, t)) * (right - left)

        def bar(start: float, stop: float, color: theme.Rgba) -> None:
            low, high = min(start, stop), max(start, stop)
            canvas.rectangle(low, middle - thick, high, middle + thick, color, thick)

        bar(left, right, theme.WARNING_DIM if outside else theme.HOVERED)
        fill = theme.WARNING if outside else theme.ACCENT if self._edited else theme.FAINT
        bar(at(spec.origin), at(self._value), fill)
        if spec.low < spec.origin < spec.high:
            x = at(spec.origin)
            canvas.line(x, middle - px(5), x, middle + px(5), theme.FAINT)
        radius = px(6) if self._dragging or self._hovered == "track" else px(5)
        quiet = theme.FAINT if self._dimmed else theme.MUTED
        grab = theme.TEXT if self._edited or self._hovered or self._dragging else quiet
        canvas.disc(at(self._value), middle, radius, grab, outline=theme.PANEL)
        if self._hovered:
            self._draw_steps(left, right, middle)

    def _draw_steps(self, left: float, right: float, middle: float) -> None:
        """The − and + beside the track."""
        half, thickness = self._ui.px(4), self._ui.scale
        for part, x in (("less", left - self._ui.px(12)), ("more", right + self._ui.px(12))):
            color = theme.TEXT if self._hovered == part else theme.FAINT
            self._canvas.line(x - half, middle, x + half, middle, color, thickness)
            if part == "more":
                self._canvas.line(x, middle - half, x, middle + half, color, thickness)
