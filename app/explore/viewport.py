"""The viewport: picture and mesh under one camera, and the gestures that move it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import dearpygui.dearpygui as dpg

from app.state import edits
from app.state.workbench import Workbench
from app.widgets import fonts, theme
from app.widgets.backdrop import Rectangle
from app.widgets.pointer import LEFT, MouseTarget, Press
from app.widgets.texture import PictureTexture, suitable_edge
from app.widgets.ui import Ui
from app.workers.mesh_worker import MeshPass
from app.workers.picture_worker import PicturePass
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD, OrbitCamera
from stylesdf_core.scene.scene import Scene

#: Distance of a typical face's surface from the axis that the camera orbits, world units.
_HEAD_RADIUS = 0.1
_WHEEL = 1.08  # change of the field of view per notch
_SHOW_WORK_AFTER = 0.15  # seconds; shorter work would only flicker
_HINT = "drag to orbit  ·  R for another face"


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


class Viewport(MouseTarget):
    """Draws panes and overlays into one canvas and turns the mouse into camera motion."""

    def __init__(self, ui: Ui, bench: Workbench, picture: PictureTexture, mesh: PictureTexture):
        self._ui, self._bench = ui, bench
        self._picture_texture, self._mesh_texture = picture, mesh
        self._width = self._height = 0
        #: What the next frame draws.
        self.shown_picture: PicturePass | None = None
        self.shown_mesh: MeshPass | None = None
        self._busy_since = 0.0
        self._drawn: tuple[object, ...] = ()
        self._drawn_overlay: tuple[object, ...] = ()
        self._button = LEFT
        self._last = (0.0, 0.0)
        self.item: int | str = 0
        self._panes_layer: int | str = 0
        self._overlay_layer: int | str = 0
        self.picture_pane: Pane | None = None
        self.mesh_pane: Pane | None = None

    def build(self) -> None:
        """Create the canvas inside the current container."""
        self.item = dpg.add_drawlist(100, 100)
        self._panes_layer = dpg.add_draw_layer(parent=self.item)
        self._overlay_layer = dpg.add_draw_layer(parent=self.item)
        self._ui.pointer.add(self)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        if (width, height) != (self._width, self._height):
            self._width, self._height = width, height
            dpg.configure_item(self.item, width=width, height=height)

    def sync(self, scene: Scene) -> None:
        """Show the newest pictures."""
        bench = self._bench
        picture, mesh = bench.screen.picture, bench.screen.mesh
        if picture is not None and picture is not self.shown_picture:
            self.shown_picture = picture
            self._picture_texture.show(picture.pixels)
        if mesh is not None and mesh is not self.shown_mesh:
            self.shown_mesh = mesh
            self._mesh_texture.show(mesh.pixels)
        self._draw_panes()
        self._draw_overlay(scene)

    def covered(self, origin: tuple[float, float]) -> list[Rectangle]:
        """What the panes cover, pixels of the window, given where the canvas is in it."""
        x, y = origin
        panes = [pane for pane in (self.picture_pane, self.mesh_pane) if pane is not None]
        return [
            Rectangle(x + p.x, y + p.y, x + p.x + p.edge, y + p.y + p.edge)
            for p in sorted(panes, key=lambda pane: pane.x)
        ]

    # --- drawing --------------------------------------------------------------------------------

    def _draw_panes(self) -> None:
        bench = self._bench
        textures = []
        if bench.settings.view.shows_picture:
            textures.append(self._picture_texture)
        if bench.settings.view.shows_mesh:
            textures.append(self._mesh_texture)
        panes = pane_layout(
            self._width, self._height, count=len(textures), gap=float(self._ui.px(8))
        )
        by_texture = dict(zip(map(id, textures), panes, strict=True))
        self.picture_pane = by_texture.get(id(self._picture_texture))
        self.mesh_pane = by_texture.get(id(self._mesh_texture))
        if self.mesh_pane is not None:
            bench.screen.mesh_size = suitable_edge(self.mesh_pane.edge)
        key = tuple((texture.tag, pane) for texture, pane in zip(textures, panes, strict=True))
        if key == self._drawn:
            return
        self._drawn = key
        dpg.delete_item(self._panes_layer, children_only=True)
        for texture, pane in zip(textures, panes, strict=True):
            if texture.tag:  # else the window's own colour shows
                dpg.draw_image(
                    texture.tag,
                    (pane.x, pane.y),
                    (pane.x + pane.edge, pane.y + pane.edge),
                    uv_min=texture.uv_min,
                    uv_max=texture.uv_max,
                    parent=self._panes_layer,
                )

    def _draw_overlay(self, scene: Scene) -> None:
        bench = self._bench
        now = time.monotonic()
        if not bench.busy or bench.model is None:
            self._busy_since = now
        works = now - self._busy_since > _SHOW_WORK_AFTER
        share = 0.0
        if works and bench.screen.picture is not None:
            share = (bench.screen.picture.index + 1) / bench.screen.picture.passes
        guide = bench.settings.view.pose_guide and bench.model is not None
        hint = not bench.settings.view.hint_seen and bench.screen.picture is not None
        pulse = int(now * 30) if works else 0
        panes = (self.picture_pane, self.mesh_pane)
        key = (panes, works, share, pulse, guide and scene.camera, hint, self._width, self._height)
        if key == self._drawn_overlay:
            return
        self._drawn_overlay = key
        dpg.delete_item(self._overlay_layer, children_only=True)
        if works:
            self._draw_work(share, now)
        if guide:
            self._draw_guide(scene.camera)
        if hint:
            self._draw_hint()

    def _draw_work(self, share: float, now: float) -> None:
        """A thin line at the top: what is done is steady, what is under way moves."""
        for pane in (self.picture_pane, self.mesh_pane):
            if pane is None:
                continue
            y = pane.y + self._ui.px(1)
            done = share * pane.edge if pane is self.picture_pane else 0.0
            start = done + (pane.edge - done) * (now * 0.7 % 1.0) * 0.75
            stop = min(pane.edge, start + 0.25 * (pane.edge - done))
            for a, b, color in (
                (0.0, done, theme.ACCENT),
                (start, stop, theme.faded(theme.ACCENT, 0.6)),
            ):
                if b > a:
                    dpg.draw_line(
                        (pane.x + a, y),
                        (pane.x + b, y),
                        color=color,
                        thickness=self._ui.px(2),
                        parent=self._overlay_layer,
                    )

    def _draw_guide(self, camera: OrbitCamera) -> None:
        """Where the camera stands among the poses the model was trained with (±2σ ellipse)."""
        px = self._ui.px
        half_w, half_h = px(44), px(30)
        pane = self.picture_pane or self.mesh_pane or Pane(0.0, 0.0, float(self._height))
        x = pane.x + px(12) + half_w
        y = pane.y + pane.edge - px(12) - half_h
        range_azimuth, range_elevation = 1.6, 0.9
        inside = edits.is_trained_pose(camera)
        layer = self._overlay_layer
        dpg.draw_rectangle(
            (x - half_w, y - half_h),
            (x + half_w, y + half_h),
            color=theme.CLEAR,
            fill=theme.faded(theme.BACKGROUND, 0.72),
            rounding=px(4),
            parent=layer,
        )
        scale_x, scale_y = (half_w - px(6)) / range_azimuth, (half_h - px(6)) / range_elevation
        radius_x = edits.TRAINED_SIGMAS * AZIMUTH_STD * scale_x
        radius_y = edits.TRAINED_SIGMAS * ELEVATION_STD * scale_y
        dpg.draw_line(
            (x - half_w + px(6), y), (x + half_w - px(6), y), color=theme.LINE, parent=layer
        )
        dpg.draw_line(
            (x, y - half_h + px(6)), (x, y + half_h - px(6)), color=theme.LINE, parent=layer
        )
        dpg.draw_ellipse(
            (x - radius_x, y - radius_y),
            (x + radius_x, y + radius_y),
            color=theme.MUTED if inside else theme.WARNING,
            segments=48,
            parent=layer,
        )
        azimuth = min(range_azimuth, max(-range_azimuth, camera.azimuth))
        elevation = min(range_elevation, max(-range_elevation, camera.elevation))
        dpg.draw_circle(
            (x + azimuth * scale_x, y - elevation * scale_y),
            px(3),
            color=theme.CLEAR,
            fill=theme.TEXT if inside else theme.WARNING,
            parent=layer,
        )

    def _draw_hint(self) -> None:
        px = self._ui.px
        size = px(fonts.BODY)
        width = fonts.text_width(_HINT, size)
        x, y = 0.5 * (self._width - width), self._height - px(44)
        dpg.draw_rectangle(
            (x - px(12), y - px(5)),
            (x + width + px(12), y + size + px(5)),
            color=theme.CLEAR,
            fill=theme.faded(theme.BACKGROUND, 0.72),
            rounding=px(4),
            parent=self._overlay_layer,
        )
        dpg.draw_text((x, y), _HINT, size=size, color=theme.TEXT, parent=self._overlay_layer)

    # --- the mouse ------------------------------------------------------------------------------

    @property
    def _edge(self) -> float:
        pane = self.picture_pane or self.mesh_pane
        return pane.edge if pane is not None else 512.0

    def press(self, press: Press) -> bool:
        """Left orbits, right and middle pan, a double click resets."""
        if press.double:
            self._bench.reset_camera()
            return False
        self._button = press.button
        self._last = (press.x, press.y)
        return True

    def drag(self, x: float, y: float) -> None:
        """Move the camera by what the mouse moved since the last frame."""
        dx, dy = x - self._last[0], y - self._last[1]
        self._last = (x, y)
        if dx == dy == 0.0:
            return
        scene = self._bench.scene
        camera = scene.camera
        if self._button == LEFT:
            camera = camera.orbit(*orbit_angles(dx, dy, camera, self._edge))
            self._bench.change_settings("view", hint_seen=True)
        else:
            focal = camera.focal(1) * self._edge
            camera = camera.pan(-dx / focal, dy / focal)
        self._bench.document.update(replace(scene, camera=camera))

    def release(self) -> None:
        """One undo step for the whole drag."""
        self._bench.document.commit()

    def wheel(self, steps: float) -> None:
        """Change the field of view."""
        scene = self._bench.scene
        camera = scene.camera.zoom(_WHEEL**steps)
        self._bench.document.update(replace(scene, camera=camera))
