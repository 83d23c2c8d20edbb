"""The compared pictures under the mouse: a drag orbits both, or moves the wipe's edge."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.explore.viewport.viewport import Pane, orbit_angles, pane_layout
from app.state.workbench import Workbench
from app.widgets.controls.pointer import LEFT, MouseTarget, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import PictureTexture, Textures
from app.workers.pair_worker import PairPass

_WHEEL = 1.08  # change of the field of view per notch
_HANDLE = 10  # pixels at scale 1 beside the wipe's edge that take it
_LABELS = ("A", "B", "difference")


class Panes(MouseTarget):
    """Two or three pictures, or one that is wiped."""

    def __init__(self, ui: Ui, workbench: Workbench, textures: Textures) -> None:
        self._ui, self._workbench, self._comparison = ui, workbench, workbench.comparison
        self._textures: list[PictureTexture] = [textures[f"compared-{i}"] for i in range(3)]
        self._uploaded: PairPass | None = None
        self._size = (1, 1)
        self._moves_wipe = False
        self._last = (0.0, 0.0)
        self._button = LEFT
        self._canvas = Canvas(1, 1)
        self.item = self._canvas.item
        ui.pointer.add(self)

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        self._size = (width, height)
        self._canvas.resize(width, height)

    @property
    def panes(self) -> list[Pane]:
        """The pictures' places, from left to right."""
        count = 3 if self._comparison.mode == "side by side" else 1
        return pane_layout(*self._size, count=count, gap=float(self._ui.px(8)))

    def sync(self) -> None:
        """Upload new pictures, and draw anew if something has changed."""
        comparison = self._comparison
        shown = comparison.shown
        if shown is not None and shown is not self._uploaded:
            self._uploaded = shown
            for texture, pixels in zip(self._textures, shown.pixels, strict=True):
                texture.show(pixels)
        mode, panes = comparison.mode, self.panes
        if not self._canvas.wants(
            mode, comparison.wipe, tuple(panes), self._textures[0].tag, self._size
        ):
            return
        if shown is None:
            self._label(panes[0], "computing the pictures …")
        elif mode == "side by side":
            for pane, texture, label in zip(panes, self._textures, _LABELS, strict=True):
                self._draw(pane, texture, 0.0, 1.0)
                self._label(pane, label)
        elif mode == "difference":
            self._draw(panes[0], self._textures[2], 0.0, 1.0)
        else:
            self._draw(panes[0], self._textures[0], 0.0, comparison.wipe)
            self._draw(panes[0], self._textures[1], comparison.wipe, 1.0)
            self._draw_wipe(panes[0])

    def _draw(self, pane: Pane, texture: PictureTexture, start: float, stop: float) -> None:
        """A picture's part from one share of its width to another, in its place of the pane."""
        (left, top), (right, bottom) = texture.uv_min, texture.uv_max
        wide = right - left
        dpg.draw_image(
            texture.tag,
            (pane.x + start * pane.edge, pane.y),
            (pane.x + stop * pane.edge, pane.y + pane.edge),
            uv_min=(left + start * wide, top),
            uv_max=(left + stop * wide, bottom),
            parent=self.item,
        )

    def _draw_wipe(self, pane: Pane) -> None:
        px, x = self._ui.px, pane.x + self._comparison.wipe * pane.edge
        self._canvas.line(x, pane.y, x, pane.y + pane.edge, theme.ACCENT, px(2))
        self._canvas.disc(x, pane.y + pane.edge / 2, px(7), theme.ACCENT)
        self._label(pane, "A")
        width = fonts.text_width("B", px(fonts.SMALL))
        self._label(Pane(pane.x + pane.edge - width - px(24), pane.y, pane.edge), "B")

    def _label(self, pane: Pane, text: str) -> None:
        px = self._ui.px
        size, pad = px(fonts.SMALL), px(6)
        width = fonts.text_width(text, size)
        veil = theme.faded(theme.BACKGROUND, 0.72)
        x, y = pane.x + px(8), pane.y + px(8)
        self._canvas.rectangle(x, y, x + width + 2 * pad, y + size + pad, veil, px(3))
        self._canvas.text(x + pad, y + pad / 2, text, size, theme.TEXT)

    # --- the mouse ------------------------------------------------------------------------------

    def press(self, press: Press) -> bool:
        """Take the wipe's edge or the head; a double click resets the camera."""
        if press.double:
            self._comparison.camera = self._workbench.poses.front
            return False
        self._button, self._last = press.button, (press.x, press.y)
        pane = self.panes[0]
        far = abs(press.x - pane.x - self._comparison.wipe * pane.edge)
        self._moves_wipe = (
            self._comparison.mode == "wipe" and press.button == LEFT and far <= self._ui.px(_HANDLE)
        )
        return True

    def drag(self, x: float, y: float) -> None:
        """Orbit, pan or wipe by the mouse's motion since the last frame."""
        dx, dy = x - self._last[0], y - self._last[1]
        self._last = (x, y)
        comparison, pane = self._comparison, self.panes[0]
        camera = comparison.camera
        if self._moves_wipe:
            comparison.wipe = min(1.0, max(0.0, (x - pane.x) / pane.edge))
        elif self._button == LEFT:
            comparison.camera = camera.orbit(*orbit_angles(dx, dy, camera, pane.edge))
        else:
            focal = camera.focal(1) * pane.edge
            comparison.camera = camera.pan(-dx / focal, dy / focal)

    def wheel(self, steps: float) -> None:
        """Change the field of view."""
        self._comparison.camera = self._comparison.camera.zoom(_WHEEL**steps)
