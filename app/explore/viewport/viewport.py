"""The viewport: picture and mesh under one camera, and the gestures that move it.

A drag becomes a new scene in :meth:`Viewport.drag`; the picture computed for that scene becomes a
texture in :meth:`Viewport.sync`. The package's docstring (:mod:`app`) explains the way between.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import dearpygui.dearpygui as dpg
import numpy as np

from app.explore.viewport.drag_marks import DragMarks
from app.state.document import edits
from app.state.document.faces import Pixels
from app.state.workbench import Workbench
from app.widgets.controls.pointer import LEFT, MouseTarget, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import Textures, suitable_edge
from app.workers.mesh_worker import MeshPass
from app.workers.picture_worker import PicturePass
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene

#: Distance of a typical face's surface from the axis that the camera orbits, world units.
_HEAD_RADIUS = 0.1
_WHEEL = 1.08  # change of the field of view per notch
_SHOW_WORK_AFTER = 0.15  # seconds; shorter work would only flicker
_HINTS = ("drag to orbit  ·  R for another face", "drag to orbit")  # the longest that fits
#: Largest azimuth and elevation in the pose guide, radians.
_GUIDE_RANGE = (1.6, 0.9)
_MARK_SHARE = 0.3  # of the pane's width at most, so that the marks leave the face free
_VEIL = theme.faded(theme.BACKGROUND, 0.72)  # behind texts and marks over the picture


@dataclass(frozen=True)
class Pane:
    """A square of the viewport, pixels from its upper left corner."""

    x: float
    y: float
    edge: float


def orbit_angles(dx: float, dy: float, camera: OrbitCamera, edge: float) -> tuple[float, float]:
    """Azimuth and elevation, radians, that move the head's surface by (dx, dy) pixels.

    The point of the head nearest to the camera, at ``_HEAD_RADIUS`` from the axis, stays under
    the cursor: focal · radius · angle / (1 − radius) pixels.
    """
    pixels_per_radian = camera.focal(1) * edge * _HEAD_RADIUS / (1.0 - _HEAD_RADIUS)
    return -dx / pixels_per_radian, dy / pixels_per_radian


def pane_layout(width: float, height: float, *, count: int, gap: float) -> list[Pane]:
    """``count`` equal squares, centred side by side."""
    edge = max(16.0, min(height, (width - gap * (count - 1)) / count))
    left = 0.5 * (width - edge * count - gap * (count - 1))
    return [Pane(left + i * (edge + gap), 0.5 * (height - edge), edge) for i in range(count)]


def centred(pane: Pane, edge: int) -> Pane:
    """A square of ``edge`` pixels in the middle of a pane, on whole pixels; at most the pane."""
    if edge >= pane.edge:
        return pane
    shift = (pane.edge - edge) // 2
    return Pane(round(pane.x + shift), round(pane.y + shift), float(edge))


class Viewport(MouseTarget):
    """Draws panes and marks into one canvas and turns mouse gestures into camera motion."""

    def __init__(self, ui: Ui, workbench: Workbench, textures: Textures) -> None:
        self._ui, self._workbench = ui, workbench
        self._picture_texture, self._mesh_texture = textures["picture"], textures["mesh"]
        self._second_texture = textures["second-face"]
        self._second: Pixels | None = None
        self._width = self._height = 1
        #: The picture and the mesh that the next frame draws.
        self.shown_picture: PicturePass | None = None
        self.shown_mesh: MeshPass | None = None
        self.picture_pane: Pane | None = None
        self.mesh_pane: Pane | None = None
        self._busy_since = 0.0
        self._button = LEFT
        self._last = (0.0, 0.0)
        self._canvas = Canvas(1, 1)
        self.item = self._canvas.item
        self._marks = DragMarks(ui, workbench.dragging, self._canvas)
        self._pressed_at, self._drags_point = self._last, False
        ui.pointer.add(self)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        self._width, self._height = width, height
        self._canvas.resize(width, height)

    def sync(self, scene: Scene) -> None:
        """Upload the newest results as textures, and draw anew if something has changed."""
        workbench = self._workbench
        picture, mesh = workbench.screen.picture, workbench.screen.mesh
        if picture is not None and picture is not self.shown_picture:
            self.shown_picture = picture
            self._picture_texture.show(picture.pixels)
        if mesh is not None and mesh is not self.shown_mesh:
            self.shown_mesh = mesh
            self._mesh_texture.show(mesh.pixels)
        second = workbench.idle_pictures.second_face
        if second is not None and second is not self._second:
            self._second_texture.show(second.astype(np.float32) / np.float32(255.0))
        self._second = second
        self._place_panes()
        self._draw(scene.camera)

    def covered(self, origin: tuple[float, float]) -> list[Rectangle]:
        """The panes' rectangles in the window, pixels; ``origin`` is the canvas's upper left."""
        x, y = origin
        return [
            Rectangle(x + p.x, y + p.y, x + p.x + p.edge, y + p.y + p.edge) for p in self._panes()
        ]

    # --- drawing --------------------------------------------------------------------------------

    def _panes(self) -> list[Pane]:
        """All panes, from left to right."""
        return [pane for pane in (self.picture_pane, self.mesh_pane) if pane is not None]

    def _place_panes(self) -> None:
        view = self._workbench.settings.view
        count, gap = view.shows_picture + view.shows_mesh, float(self._ui.px(8))
        panes = pane_layout(self._width, self._height, count=count, gap=gap)
        self.picture_pane = panes[0] if view.shows_picture else None
        self.mesh_pane = panes[-1] if view.shows_mesh else None
        if self.picture_pane is not None:
            self._workbench.screen.picture_size = int(self.picture_pane.edge)
            if view.pixels and self.shown_picture is not None:
                self.picture_pane = centred(self.picture_pane, self.shown_picture.pixels.shape[0])
        if self.mesh_pane is not None:
            self._workbench.screen.mesh_size = suitable_edge(self.mesh_pane.edge)

    def _draw(self, camera: OrbitCamera) -> None:
        """Draw the panes, and over them the progress line, the pose guide and the first hint."""
        workbench, picture, now = self._workbench, self._workbench.screen.picture, time.monotonic()
        if not workbench.busy or workbench.model is None:
            self._busy_since = now
        works = now - self._busy_since > _SHOW_WORK_AFTER
        done = (picture.index + 1) / picture.passes if works and picture is not None else 0.0
        shows_guide = workbench.settings.view.pose_guide and workbench.model is not None
        guided = (camera, workbench.poses) if shows_guide else None
        drags = workbench.dragging.is_on and picture is not None
        hints = not (drags or workbench.settings.view.hint_seen) and picture is not None
        marks = (self._marks.content, camera) if drags else None
        panes = ((self.picture_pane, self._picture_texture), (self.mesh_pane, self._mesh_texture))
        if not self._canvas.wants(
            tuple((pane, texture.tag) for pane, texture in panes),
            workbench.model is None, works, done, int(now * 30) if works else 0, guided, hints,
            marks, self._second is not None and self._second_texture.tag, self._width, self._height,
        ):  # fmt: skip
            return
        for pane, texture in panes:
            if pane is None:
                continue
            if not texture.tag:  # the window's own colour shows
                self._draw_waiting(pane, "mesh" if pane is self.mesh_pane else "picture")
            else:
                uv_min, uv_max = texture.middle(self._shown_share(pane))
                dpg.draw_image(
                    texture.tag,
                    (pane.x, pane.y),
                    (pane.x + pane.edge, pane.y + pane.edge),
                    uv_min=uv_min,
                    uv_max=uv_max,
                    parent=self.item,
                )
            if works:
                self._draw_work(pane, done if pane is self.picture_pane else 0.0, now)
        if guided is not None:
            self._draw_guide(*guided)
        if self._second is not None:
            self._draw_second_face()
        if hints:
            self._draw_hint()
        if drags:
            for square in self._squares():
                self._marks.draw(square, camera)
            self._marks.draw_hint(self._squares()[0])

    def _draw_waiting(self, pane: Pane, what: str) -> None:
        """Say in a pane that its first content is being computed."""
        size = self._ui.px(fonts.SMALL)
        text = f"computing the {what} …" if self._workbench.model is not None else ""
        x = pane.x + 0.5 * (pane.edge - fonts.text_width(text, size))
        self._canvas.text(x, pane.y + 0.5 * pane.edge, text, size, theme.MUTED)

    def _shown_share(self, pane: Pane) -> float:
        """Share of the picture's edge that a pane shows: less than 1 where 1:1 is larger."""
        picture = self.shown_picture
        if pane is not self.picture_pane or picture is None or picture.request.edge:
            return 1.0
        return min(1.0, pane.edge / len(picture.pixels))

    def _draw_work(self, pane: Pane, done: float, now: float) -> None:
        """A thin progress line at the pane's top.

        Solid up to the finished share, a moving segment beyond.
        """
        y, thickness = pane.y + self._ui.px(1), self._ui.px(2)
        finished, rest = done * pane.edge, (1.0 - done) * pane.edge
        start = finished + rest * (now * 0.7 % 1.0) * 0.75
        stop = min(pane.edge, start + 0.25 * rest)
        for a, b, color in (
            (0.0, finished, theme.ACCENT),
            (start, stop, theme.faded(theme.ACCENT, 0.6)),
        ):
            if b > a:
                self._canvas.line(pane.x + a, y, pane.x + b, y, color, thickness)

    def _draw_guide(self, camera: OrbitCamera, poses: Poses) -> None:
        """Draw the camera's angles as a dot, and the model's training poses as a ±2σ ellipse."""
        canvas, px = self._canvas, self._ui.px
        pane = self._panes()[0]
        half_w = self._mark_width(pane) / 2
        half_h = 0.68 * half_w
        arm_x, arm_y = half_w - px(6), half_h - px(6)
        x, y = pane.x + px(12) + half_w, pane.y + pane.edge - px(12) - half_h
        inside = edits.is_trained_pose(camera, poses)
        canvas.rectangle(x - half_w, y - half_h, x + half_w, y + half_h, _VEIL, px(4))
        canvas.line(x - arm_x, y, x + arm_x, y, theme.LINE)
        canvas.line(x, y - arm_y, x, y + arm_y, theme.LINE)
        range_x, range_y = _GUIDE_RANGE
        radius_x = min(1.0, edits.TRAINED_SIGMAS * poses.azimuth_std / range_x) * arm_x
        radius_y = min(1.0, edits.TRAINED_SIGMAS * poses.elevation_std / range_y) * arm_y
        dpg.draw_ellipse(
            (x - radius_x, y - radius_y),
            (x + radius_x, y + radius_y),
            color=theme.MUTED if inside else theme.WARNING,
            segments=48,
            parent=self.item,
        )
        at_x = x + min(1.0, max(-1.0, camera.azimuth / range_x)) * arm_x
        at_y = y - min(1.0, max(-1.0, camera.elevation / range_y)) * arm_y
        canvas.disc(at_x, at_y, px(3), theme.TEXT if inside else theme.WARNING)

    def _draw_second_face(self) -> None:
        """Show the face that style mixing takes from, in the viewport's lower right corner."""
        canvas, px, texture = self._canvas, self._ui.px, self._second_texture
        pane = self._panes()[-1]
        edge, size = self._mark_width(pane), px(fonts.SMALL)
        x, y = (corner + pane.edge - px(12) - edge for corner in (pane.x, pane.y))
        dpg.draw_image(
            texture.tag, (x, y), (x + edge, y + edge), uv_min=texture.uv_min,
            uv_max=texture.uv_max, parent=self.item,
        )  # fmt: skip
        canvas.rectangle(x, y, x + px(18), y + px(18), _VEIL)
        canvas.text(x + px(5), y + (px(18) - size) / 2, "B", size, theme.TEXT)

    def _mark_width(self, pane: Pane) -> float:
        return min(self._ui.px(88), _MARK_SHARE * pane.edge)

    def _draw_hint(self) -> None:
        px, size = self._ui.px, self._ui.px(fonts.BODY)
        pane = self._panes()[0]
        room = max(1.0, pane.edge - px(32))
        fit = [hint for hint in _HINTS if fonts.text_width(hint, size) <= room]
        hint = fit[0] if fit else fonts.fitted(_HINTS[-1], size, room)
        width = fonts.text_width(hint, size)
        x, y = pane.x + 0.5 * (pane.edge - width), pane.y + px(16)
        self._canvas.rectangle(
            x - px(12), y - px(5), x + width + px(12), y + size + px(5), _VEIL, px(4)
        )
        self._canvas.text(x, y, hint, size, theme.TEXT)

    def _squares(self) -> list[tuple[float, float, float]]:
        """Left, top and edge of where each pane shows the camera's whole picture."""
        squares = []
        for pane in self._panes():
            edge = pane.edge / self._shown_share(pane)
            shift = 0.5 * (pane.edge - edge)
            squares.append((pane.x + shift, pane.y + shift, edge))
        return squares

    # --- the mouse ------------------------------------------------------------------------------

    def press(self, press: Press) -> bool:
        """Begin to orbit (left button) or pan (right, middle); a double click resets the camera.

        Points that are dragged come first.
        """
        self._last = self._pressed_at = (press.x, press.y)
        squares = self._squares()
        under = [s for s in squares if 0.0 <= press.x - s[0] <= s[2]] or squares
        camera = self._workbench.timeline.shown.camera
        self._drags_point = bool(under) and self._marks.press(press, under[0], camera)
        if self._drags_point:
            return press.button == LEFT
        if press.double:
            self._workbench.reset_camera()
            return False
        self._button = press.button
        return True

    def drag(self, x: float, y: float) -> None:
        """Move the camera by the mouse's motion since the last frame."""
        if self._drags_point:
            if (x, y) != self._last:
                self._marks.drag(x, y, self._workbench.timeline.shown.camera)
            self._last = (x, y)
            return
        dx, dy = x - self._last[0], y - self._last[1]
        self._last = (x, y)
        panes = self._panes()
        if dx == dy == 0.0 or not panes:
            return
        camera, edge = self._workbench.timeline.shown.camera, panes[0].edge
        if self._button == LEFT:
            camera = camera.orbit(*orbit_angles(dx, dy, camera, edge))
            self._workbench.change_settings("view", hint_seen=True)
        else:
            focal = camera.focal(1) * edge
            camera = camera.pan(-dx / focal, dy / focal)
        self._workbench.document.update(replace(self._workbench.scene, camera=camera))

    def release(self) -> None:
        """End the drag, as one undo step."""
        self._marks.release(has_moved=self._last != self._pressed_at)
        if not self._drags_point:
            self._workbench.document.commit()

    def wheel(self, steps: float) -> None:
        """Change the field of view."""
        camera = self._workbench.timeline.shown.camera.zoom(_WHEEL**steps)
        self._workbench.document.update(replace(self._workbench.scene, camera=camera))
