"""The drawn part of the timeline: an axis of seconds with keyframes and a playhead."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg
import numpy as np

from app.state.document.timeline import LAST, STEP, Timeline
from app.widgets.controls.pointer import (
    ACT_KEYS,
    LEFT,
    MORE_KEYS,
    RESET_KEYS,
    RIGHT,
    MouseTarget,
    Press,
)
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import PictureTexture, Textures

#: Seconds that the axis shows at least, and from one line of the axis to the next.
_LEAST_SPAN, _TICKS = 2.0 * STEP, (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0)
_TICK_ROOM = 64  # least distance of two labels, pixels at scale 1
_DRAG_BEGINS = 3.0
_NUDGE = 1.0 / 24.0  # seconds by which the arrow keys move the playhead
_EMPTY = "Pose face and camera, then click on + to keep a keyframe."


@dataclass(frozen=True)
class AxisActions:
    """What the axis calls for other than moving playhead and keyframes.

    Attributes:
        add: a keyframe of the scene on the screen.
        menu: the right button was pressed, on a keyframe (its number) or beside all (None).
    """

    add: Callable[[], None]
    menu: Callable[[int | None], None]


class TimeAxis(MouseTarget):
    """Shows the timeline; keyframes are clicked and dragged, the playhead follows the mouse."""

    def __init__(
        self, ui: Ui, timeline: Timeline, textures: Textures, actions: AxisActions
    ) -> None:
        self._ui, self._timeline, self._actions = ui, timeline, actions
        self._textures = textures
        self._uploaded: dict[int, object] = {}  # by number of the keyframe
        self._width = self._height = 1
        self._span = _LEAST_SPAN
        self._hovered: int | None = None
        self._held: int | None = None  # the keyframe under a pressed button
        self._pressed_at = 0.0
        self._is_dragging = self._is_scrubbing = False
        self._canvas = Canvas(1, 1)
        self.item = self._canvas.item
        ui.pointer.add(self)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        self._width, self._height = max(1, width), max(1, height)
        self._canvas.resize(self._width, self._height)

    # --- geometry -------------------------------------------------------------------------------

    @property
    def _base(self) -> int:
        """Height at which the keyframes stand."""
        return max(8, self._height - self._ui.px(fonts.SMALL) - self._ui.px(7))

    @property
    def _edge(self) -> int:
        """Of the keyframes' pictures, pixels."""
        return max(0, self._base - self._ui.px(8))

    def place(self, time: float) -> float:
        """Where a time is, pixels from the left."""
        margin = self._edge / 2 + self._ui.px(6)
        return margin + time / self._span * (self._width - 2 * margin)

    def _time(self, x: float) -> float:
        margin = self._edge / 2 + self._ui.px(6)
        time = (x - margin) / max(1.0, self._width - 2 * margin) * self._span
        return min(max(time, 0.0), self._span, LAST)

    def _at(self, x: float, y: float) -> int | None:
        """Number of the keyframe at a point; of several, the selected or the nearest."""
        reach = max(self._edge / 2, self._ui.px(7))
        near = [
            (index != self._timeline.selected, abs(self.place(keyframe.time) - x), index)
            for index, keyframe in enumerate(self._timeline.keyframes)
            if abs(self.place(keyframe.time) - x) <= reach
        ]
        is_high = y <= self._base + self._ui.px(6)
        return min(near)[2] if near and is_high else None

    # --- drawing --------------------------------------------------------------------------------

    def sync(self) -> None:
        """Draw the timeline anew if it has changed."""
        timeline = self._timeline
        if self._held is None:  # a dragged keyframe must not move the others
            self._span = max(_LEAST_SPAN, 1.08 * timeline.animation.end)
        tags = tuple(self._texture(index) for index in range(len(timeline.keyframes)))
        frames = tuple(
            (k.time, k.ease, tag) for k, tag in zip(timeline.keyframes, tags, strict=True)
        )
        if not self._canvas.wants(
            frames, timeline.selected, self._hovered, timeline.is_shown,
            round(self.place(timeline.time)), self._span, self._width, self._height,
        ):  # fmt: skip
            return
        self._draw_axis()
        order = sorted(range(len(frames)), key=lambda i: (i == timeline.selected, i))
        for index in order:
            self._draw_keyframe(index)
        if not frames:
            size = self._ui.px(fonts.SMALL)
            text = fonts.fitted(_EMPTY, size, self._width - self._ui.px(16))
            self._canvas.text(self._ui.px(8), self._base / 2 - size / 2, text, size, theme.MUTED)
        else:
            self._draw_playhead()

    def _texture(self, index: int) -> theme.Item:
        """The texture of a keyframe's picture; 0 where there is none."""
        pixels = self._timeline.picture(self._timeline.keyframes[index])
        if pixels is None:
            self._uploaded.pop(index, None)
            return 0
        texture = self._picture(index)
        if self._uploaded.get(index) is not pixels:
            self._uploaded[index] = pixels
            texture.show(pixels.astype(np.float32) / np.float32(255.0))
        return texture.tag

    def _picture(self, index: int) -> PictureTexture:
        return self._textures[f"keyframe-{index}"]

    def _draw_axis(self) -> None:
        canvas, px, size = self._canvas, self._ui.px, self._ui.px(fonts.SMALL)
        a_second = self.place(1.0) - self.place(0.0)
        step = next((t for t in _TICKS if t * a_second >= px(_TICK_ROOM)), _TICKS[-1])
        canvas.line(
            self.place(0.0), self._base, self.place(self._span), self._base, theme.LINE, px(2)
        )
        for number in range(int(self._span / step) + 1):
            time = number * step
            x, text = self.place(time), f"{time:g} s"
            canvas.line(x, self._base, x, self._base + px(5), theme.FAINT)
            left = min(x - fonts.text_width(text, size) / 2, self._width - px(24))
            canvas.text(left, self._height - size, text, size, theme.FAINT)
        frames = self._timeline.keyframes
        if len(frames) > 1:
            start, end = (self.place(frame.time) for frame in (frames[0], frames[-1]))
            canvas.line(start, self._base, end, self._base, theme.ACCENT_DIM, px(2))

    def _draw_keyframe(self, index: int) -> None:
        canvas, px, keyframe = self._canvas, self._ui.px, self._timeline.keyframes[index]
        x, half = self.place(keyframe.time), self._edge / 2
        is_selected = index == self._timeline.selected
        lit = is_selected or index == self._hovered
        if half >= px(6):
            if index in self._uploaded:
                texture = self._picture(index)
                dpg.draw_image(
                    texture.tag, (x - half, 0), (x + half, 2 * half), uv_min=texture.uv_min,
                    uv_max=texture.uv_max, parent=self.item,
                )  # fmt: skip
            else:
                canvas.rectangle(x - half, 0, x + half, 2 * half, theme.RAISED, px(3))
                seed, size = str(keyframe.scene.identity.seed), px(fonts.SMALL)
                text = fonts.fitted(seed, size, 2 * half - px(2))
                left = x - fonts.text_width(text, size) / 2
                canvas.text(left, half - size / 2, text, size, theme.MUTED)
            color = theme.ACCENT if is_selected else theme.MUTED if lit else theme.LINE
            dpg.draw_rectangle(
                (x - half, 0), (x + half, 2 * half), color=color, thickness=px(1.5),
                parent=self.item,
            )  # fmt: skip
        reach = px(6 if lit else 5)
        y = self._base
        corners = [(x - reach, y), (x, y - reach), (x + reach, y), (x, y + reach)]
        fill = theme.ACCENT if is_selected else theme.TEXT if lit else theme.MUTED
        dpg.draw_polygon([*corners, corners[0]], color=theme.PANEL, fill=fill, parent=self.item)

    def _draw_playhead(self) -> None:
        x, px = self.place(self._timeline.time), self._ui.px
        color = theme.TEXT if self._timeline.is_shown else theme.FAINT
        self._canvas.line(x, 0, x, self._base + px(6), color, px(1.5))
        tip = [(x - px(5), 0), (x + px(5), 0), (x, px(7)), (x - px(5), 0)]
        dpg.draw_polygon(tip, color=color, fill=color, parent=self.item)

    # --- mouse and keys -------------------------------------------------------------------------

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the keyframe under the mouse."""
        if self._held is None:
            self._hovered = self._at(x, y) if inside else None

    def press(self, press: Press) -> bool:
        """Take a keyframe, or put the playhead under the mouse."""
        index = self._at(press.x, press.y)
        if press.button == RIGHT:
            self._actions.menu(index)
            return False
        if press.button != LEFT:
            return False
        self._pressed_at, self._held, self._is_dragging = press.x, index, False
        self._is_scrubbing = index is None
        if self._is_scrubbing:
            self._timeline.leave()
            self._timeline.seek(self._time(press.x))
        return True

    def drag(self, x: float, y: float) -> None:
        """Move the keyframe or the playhead."""
        if self._is_scrubbing:
            if self._time(x) != self._timeline.time:
                self._timeline.seek(self._time(x))
            return
        far = self._ui.px(_DRAG_BEGINS)
        self._is_dragging = self._is_dragging or abs(x - self._pressed_at) > far
        if self._is_dragging and self._held is not None:
            self._held = self._hovered = self._timeline.move(self._held, self._time(x))

    def release(self) -> None:
        """End a drag; a click on a keyframe shows its scene."""
        held, self._held = self._held, None
        self._is_scrubbing = False
        if held is None:
            return
        if self._is_dragging:
            self._timeline.commit()
        else:
            self._timeline.select(held)

    def wheel(self, steps: float) -> None:
        """Move the playhead by single frames."""
        self._timeline.leave()
        self._timeline.seek(self._timeline.time - steps * _NUDGE)

    def key(self, code: int) -> bool:
        """Arrow keys move the playhead, Enter and Space play, + adds, Delete deletes."""
        timeline = self._timeline
        if code in (dpg.mvKey_Left, dpg.mvKey_Right):
            timeline.leave()
            timeline.seek(timeline.time + (_NUDGE if code == dpg.mvKey_Right else -_NUDGE))
        elif code in ACT_KEYS:
            timeline.toggle()
        elif code in MORE_KEYS:
            self._actions.add()
        elif code in RESET_KEYS and timeline.selected is not None:
            timeline.remove(timeline.selected)
        else:
            return False
        return True
