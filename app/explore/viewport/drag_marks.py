"""The points of *Drag points* over the viewport's panes, and what the mouse does with them."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.optimisation.dragging import DragPoints, FacePoint
from app.widgets.controls.pointer import LEFT, RIGHT, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from stylesdf_core.dragging.pointing import seen_at
from stylesdf_core.rendering.camera import OrbitCamera

_RADIUS, _REACH = 5, 10  # of a point, and around it for the mouse, pixels
_SHORT = 6  # pixels; a shorter arrow is not drawn
_HINTS = (
    "Drag a point of the face  ·  Shift+click pins  ·  right click removes  ·  "
    "beside the face, or with Ctrl, the camera orbits  ·  Esc ends",
    "Drag a point · Shift pins · right click removes · Ctrl orbits · Esc ends",
    "Drag a point · Esc ends",
)


class DragMarks:
    """Draws points, arrows and the mode's hint, and takes the mouse before the camera does.

    Args:
        canvas: the viewport's.
    """

    def __init__(self, ui: Ui, points: DragPoints, canvas: Canvas) -> None:
        self._ui, self._points, self._canvas = ui, points, canvas
        self._square = (0.0, 0.0, 1.0)
        self._is_moving = self._beside = False

    @property
    def content(self) -> tuple[object, ...]:
        """Everything that the drawing depends on, besides camera and panes."""
        points = self._points
        if not points.is_on:
            return ()
        return (points.points, points.chosen, points.problem, points.is_working)

    # --- drawing --------------------------------------------------------------------------------

    def draw(self, square: tuple[float, float, float], camera: OrbitCamera) -> None:
        """Draw the points over a pane: left, top and edge, pixels."""
        for index, point in enumerate(self._points.points):
            self._draw_point(square, camera, point, is_chosen=index == self._points.chosen)

    def draw_hint(self, square: tuple[float, float, float]) -> None:
        """Say at the top of a pane what the mouse does, or what has not worked."""
        px, size = self._ui.px, self._ui.px(fonts.BODY)
        left, top, edge = square
        room = max(1.0, edge - px(40))
        fits = [text for text in _HINTS if fonts.text_width(text, size) <= room]
        text, color = self._points.problem, theme.WARNING
        if not text:
            text, color = (fits or [_HINTS[-1]])[0], theme.TEXT
        text = fonts.fitted(text, size, room)
        width = fonts.text_width(text, size)
        x, y = left + 0.5 * (edge - width), top + px(16)
        veil = theme.faded(theme.BACKGROUND, 0.72)
        self._canvas.rectangle(
            x - px(12), y - px(5), x + width + px(12), y + size + px(5), veil, px(4)
        )
        self._canvas.text(x, y, text, size, color)

    def _draw_point(
        self,
        square: tuple[float, float, float],
        camera: OrbitCamera,
        point: FacePoint,
        *,
        is_chosen: bool,
    ) -> None:
        canvas, radius, thin = self._canvas, self._ui.px(_RADIUS), self._ui.px(2)
        x, y = self._seen_at(square, camera, point.place)
        to_x, to_y = self._seen_at(square, camera, point.target)
        behind = float(camera.cam2world()[:, 2] @ point.place) < 0.0  # on the head's other side
        color = theme.TEXT if point.is_pin else theme.ACCENT
        fill = theme.faded(color, 0.35) if behind else color
        rim = theme.TEXT if is_chosen else theme.BACKGROUND
        if max(abs(to_x - x), abs(to_y - y)) > self._ui.px(_SHORT):
            dpg.draw_arrow(
                (to_x, to_y), (x, y), color=fill, thickness=thin, size=self._ui.px(8),
                parent=canvas.item,
            )  # fmt: skip
        if point.is_pin:
            dpg.draw_rectangle(
                (x - radius, y - radius), (x + radius, y + radius), color=rim, fill=fill,
                parent=canvas.item,
            )  # fmt: skip
        else:
            canvas.disc(x, y, radius, fill, outline=rim)

    def _seen_at(
        self,
        square: tuple[float, float, float],
        camera: OrbitCamera,
        place: tuple[float, float, float],
    ) -> tuple[float, float]:
        left, top, edge = square
        x, y = seen_at(camera, place)
        return left + edge * x, top + edge * y

    # --- the mouse ------------------------------------------------------------------------------

    def press(self, press: Press, square: tuple[float, float, float], camera: OrbitCamera) -> bool:
        """Take, put, pin or remove a point; False if the press is the camera's."""
        points, self._square = self._points, square
        self._is_moving = self._beside = False
        if not points.is_on or press.ctrl or press.button not in (LEFT, RIGHT):
            return False
        index = self._under(press, camera)
        if press.button == RIGHT:
            if index is not None:
                points.remove(index)
            return index is not None
        if index is None:
            put = points.put(camera, *self._fractions(press.x, press.y), is_pin=press.shift)
            self._beside = not put
            if not put:
                return False
            index = points.chosen
        if index is not None and not press.shift and not points.problem:
            points.take(index)
            self._is_moving = True
        return True

    def drag(self, x: float, y: float, camera: OrbitCamera) -> None:
        """Pull the point that was taken."""
        if self._is_moving:
            self._points.pull(camera, *self._fractions(x, y))

    def release(self, *, has_moved: bool) -> None:
        """Let the point go; a click beside the face says so.

        Args:
            has_moved: whether the camera has moved since the press.
        """
        if self._is_moving:
            self._points.release()
        elif self._beside and not has_moved:
            self._points.missed()
        self._is_moving = self._beside = False

    def _fractions(self, x: float, y: float) -> tuple[float, float]:
        left, top, edge = self._square
        return (x - left) / edge, (y - top) / edge

    def _under(self, press: Press, camera: OrbitCamera) -> int | None:
        """The point nearest to the mouse, within reach."""
        near = []
        for index, point in enumerate(self._points.points):
            x, y = self._seen_at(self._square, camera, point.place)
            near.append((max(abs(x - press.x), abs(y - press.y)), index))
        distance, index = min(near, default=(float("inf"), 0))
        return index if distance <= self._ui.px(_REACH) else None
