"""A slider in one line: label, thin track, value; everything ui.md asks of a slider.

Drag moves, the − and + at the track's ends step finely, right click resets, Ctrl+click or double
click opens a field to type in. Values outside the trained range tint the track.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.widgets import fonts, icons, theme
from app.widgets.pointer import LEFT, RIGHT, Press
from app.widgets.ui import Ui

HEIGHT = 24
_VALUE = 44
_LOCK = 18
_STEP = 14


@dataclass(frozen=True)
class SliderSpec:
    """What a slider is for.

    Attributes:
        tooltip: says what it does, unit and range.
        low, high: ends of the track; typing may not leave them.
        step: of the − and + at its ends.
        digits: after the point; 0 for whole numbers.
        origin: where the filled part of the track begins.
        trained: values outside tint the track; None if all are fine.
        lockable: draws a lock at the label's end, when hovered or locked.
        label_width: of the label's column, at scale 1.
        zero: word shown for 0; empty for the number.
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
    """What a slider does to the document.

    Attributes:
        change: a new value, many times during a drag.
        commit: the gesture is over.
        reset: right click.
        lock: the lock has been clicked.
    """

    change: Callable[[float], None]
    commit: Callable[[], None]
    reset: Callable[[], None]
    lock: Callable[[], None] | None = None


class SliderRow:
    """One slider; :meth:`show` gives it its value, it never keeps one of its own."""

    def __init__(self, ui: Ui, spec: SliderSpec, actions: SliderActions, width: int) -> None:
        self._ui, self.spec, self._actions = ui, spec, actions
        self._width = width
        self._value = spec.origin
        self._edited = self._locked = False
        self._hovered = ""
        self._dragging = False
        self._drawn: tuple[object, ...] = ()
        with dpg.group() as group:
            self.item: int | str = dpg.add_drawlist(width, ui.px(HEIGHT))
        ui.tooltip(group, spec.tooltip)
        ui.pointer.add(self)

    def show(self, value: float, *, edited: bool = True, locked: bool = False) -> None:
        """Draw this value; labels of unedited values are muted."""
        self._value, self._edited, self._locked = value, edited, locked
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column ``width`` pixels wide."""
        if width != self._width:
            self._width = width
            dpg.configure_item(self.item, width=width)
            self._draw()

    # --- the mouse ----------------------------------------------------------------------------

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the part under the mouse."""
        part = self._part(x) if inside else ""
        if part != self._hovered:
            self._hovered = part
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
            self._ui.number_entry.open(
                self.item, self._number().replace("−", "-"), self._typed, self._value_left()
            )
        elif part in ("less", "more"):
            self._change(self._value + (self.spec.step if part == "more" else -self.spec.step))
            self._actions.commit()
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

    def wheel(self, steps: float) -> bool:
        """Panels scroll with the wheel; sliders leave it to them."""
        return False

    def _typed(self, value: float) -> None:
        self._change(value)
        self._actions.commit()

    def _change(self, value: float) -> None:
        value = min(self.spec.high, max(self.spec.low, value))
        self._actions.change(round(value, max(self.spec.digits, 0)))

    # --- geometry and drawing -----------------------------------------------------------------

    def _text(self) -> str:
        return self.spec.zero if self.spec.zero and self._value == 0 else self._number(",")

    def _number(self, group: str = "") -> str:
        """The value, signed if the spec says so, its thousands apart by ``group``."""
        sign = "+" if self.spec.signed else ""
        value = round(self._value, self.spec.digits) + 0.0  # no negative zero
        return f"{value:{sign}{group}.{self.spec.digits}f}".replace("-", "−")

    def _value_left(self) -> int:
        return self._width - self._ui.px(_VALUE)

    def _track(self) -> tuple[float, float]:
        """Left and right end of the groove."""
        px = self._ui.px
        return (
            px(self.spec.label_width) + px(_STEP) + px(4),
            self._width - px(_VALUE) - px(_STEP) - px(4),
        )

    def _part(self, x: float) -> str:
        px = self._ui.px
        left, right = self._track()
        label_end = px(self.spec.label_width)
        if self.spec.lockable and label_end - px(_LOCK) <= x < label_end:
            return "lock"
        if x < label_end:
            return "label"
        if x < left - px(5):
            return "less"
        if x <= right + px(5):
            return "track"
        return "more" if x < right + px(_STEP) + px(4) else "value"

    def _draw(self) -> None:
        text = self._text()
        key = (text, self._value, self._edited, self._locked, self._hovered, self._width)
        if (*key, self._dragging) == self._drawn:
            return
        self._drawn = (*key, self._dragging)
        dpg.delete_item(self.item, children_only=True)
        px, spec = self._ui.px, self.spec
        size = px(fonts.BODY)
        top = (px(HEIGHT) - size) / 2
        room = px(spec.label_width)
        if spec.lockable and (self._locked or self._hovered):
            icon = icons.lock_closed if self._locked else icons.lock_open
            lit = self._locked or self._hovered == "lock"
            room -= px(_LOCK)
            y = (px(HEIGHT) - px(_LOCK)) / 2
            icon(self.item, room, y, px(_LOCK), theme.TEXT if lit else theme.FAINT)
        label = fonts.fitted(spec.label, size, room)
        bright = self._edited or self._dragging
        color = theme.TEXT if bright else theme.MUTED
        dpg.draw_text((0, top), label, size=size, color=color, parent=self.item)
        x = self._width - fonts.text_width(text, size) - 1
        hot = theme.TEXT if bright or self._hovered == "value" else theme.MUTED
        dpg.draw_text((x, top), text, size=size, color=hot, parent=self.item)
        self._draw_track(self._is_outside())

    def _is_outside(self) -> bool:
        trained = self.spec.trained
        if trained is None:
            return False
        slack = 0.5 * 10.0**-self.spec.digits
        return not trained[0] - slack <= self._value <= trained[1] + slack

    def _draw_track(self, outside: bool) -> None:
        px, spec = self._ui.px, self.spec
        left, right = self._track()
        middle = px(HEIGHT) / 2
        thick = px(4) / 2

        def at(value: float) -> float:
            t = (value - spec.low) / (spec.high - spec.low)
            return left + min(1.0, max(0.0, t)) * (right - left)

        def bar(start: float, stop: float, color: theme.Color) -> None:
            low, high = min(start, stop), max(start, stop)
            dpg.draw_rectangle(
                (low, middle - thick),
                (high, middle + thick),
                color=theme.CLEAR,
                fill=color,
                rounding=thick,
                parent=self.item,
            )

        bar(left, right, theme.WARNING_DIM if outside else theme.HOVERED)
        fill = theme.WARNING if outside else theme.ACCENT if self._edited else theme.FAINT
        bar(at(spec.origin), at(self._value), fill)
        if spec.low < spec.origin < spec.high:
            x = at(spec.origin)
            dpg.draw_line(
                (x, middle - px(5)), (x, middle + px(5)), color=theme.FAINT, parent=self.item
            )
        radius = px(6) if self._dragging or self._hovered == "track" else px(5)
        grab = theme.TEXT if self._edited or self._hovered or self._dragging else theme.MUTED
        dpg.draw_circle(
            (at(self._value), middle), radius, color=theme.PANEL, fill=grab, parent=self.item
        )
        if self._hovered:
            self._draw_steps(left, right, middle)

    def _draw_steps(self, left: float, right: float, middle: float) -> None:
        px = self._ui.px
        half = px(4)
        for part, x in (("less", left - px(12)), ("more", right + px(12))):
            color = theme.TEXT if self._hovered == part else theme.FAINT
            ends = (x - half, middle), (x + half, middle)
            dpg.draw_line(*ends, color=color, thickness=self._ui.scale, parent=self.item)
            if part == "more":
                ends = (x, middle - half), (x, middle + half)
                dpg.draw_line(*ends, color=color, thickness=self._ui.scale, parent=self.item)
