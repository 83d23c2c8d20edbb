"""The drawn parts of *New from photo*: photographs with faces to click, and the framing by hand."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from app.state.optimisation.photo_fit import Box, PersonPhoto, PhotoFaces, PhotoFit
from app.widgets.controls.pointer import LEFT, MIDDLE, RIGHT, MouseTarget, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import PictureTexture
from stylesdf_core.errors import InputError

if TYPE_CHECKING:
    from app.state.optimisation.hand_framing import HandFraming

#: Half the width of what the framing's pane shows, in half edges of the frame.
_ROOM = 1.25
#: Enlargement of a step of the wheel, and radius within which a mark is taken, pixels at scale 1.
_WHEEL, _REACH = 1.05, 10


class FacesPane(MouseTarget):
    """A photograph with its faces, of which one is clicked.

    Args:
        size: width and height of the pane, pixels.
        photo: the photograph as it is now.
        choose: takes a face's number, from 1.
    """

    def __init__(
        self,
        ui: Ui,
        size: tuple[int, int],
        texture: PictureTexture,
        photo: Callable[[], PersonPhoto],
        choose: Callable[[int], None],
    ) -> None:
        self._ui, self._size, self._texture = ui, size, texture
        self._photo, self._choose = photo, choose
        self._uploaded: PhotoFaces | None = None
        self.canvas = Canvas(*size)
        self.item = self.canvas.item

    def draw(self) -> None:
        """Once a frame: the photograph, boxes around its faces, the person's face brighter."""
        photo, canvas, px = self._photo(), self.canvas, self._ui.px
        faces = photo.faces
        if faces is not None and faces is not self._uploaded:
            self._uploaded = faces
            self._texture.show(faces.pixels)
        if not canvas.wants(faces is not None, self._texture.tag, photo.face, photo.marks):
            return
        if faces is None:
            canvas.rectangle(0, 0, *self._size, theme.RAISED, px(3))
            return
        left, top, right, bottom = self._place(faces)
        dpg.draw_image(
            self._texture.tag, (left, top), (right, bottom),
            uv_min=self._texture.uv_min, uv_max=self._texture.uv_max, parent=canvas.item,
        )  # fmt: skip
        if photo.marks is not None:
            width, height = faces.size
            for x, y in photo.marks:
                place = left + x / width * (right - left), top + y / height * (bottom - top)
                canvas.disc(*place, px(4), theme.ACCENT, outline=theme.PANEL)
            return
        for number, box in enumerate(self._boxes(faces), 1):
            chosen = photo.face == number
            color = theme.ACCENT if chosen or photo.face is None else theme.MUTED
            dpg.draw_rectangle(
                box[:2], box[2:], color=color, thickness=px(2 if chosen else 1), parent=canvas.item
            )
            if len(faces.boxes) > 1:
                canvas.text(box[0] + px(4), box[1], str(number), px(fonts.BODY), color)

    def press(self, press: Press) -> bool:
        """Choose the face under the mouse."""
        faces = self._photo().faces
        for number, box in enumerate(self._boxes(faces) if faces is not None else (), 1):
            inside = box[0] <= press.x <= box[2] and box[1] <= press.y <= box[3]
            if press.button == LEFT and inside:
                self._choose(number)
                return True
        return False

    def _place(self, faces: PhotoFaces) -> Box:
        """Where the photograph lies in its pane: left, top, right, bottom."""
        height, width = faces.pixels.shape[:2]
        scale = min(self._size[0] / width, self._size[1] / height)
        x, y = 0.5 * (self._size[0] - scale * width), 0.5 * (self._size[1] - scale * height)
        return x, y, x + scale * width, y + scale * height

    def _boxes(self, faces: PhotoFaces) -> list[Box]:
        left, top, right, bottom = self._place(faces)
        width, height = right - left, bottom - top
        return [
            (left + a * width, top + b * height, left + c * width, top + d * height)
            for a, b, c, d in faces.boxes
        ]


class FramingPane(MouseTarget):
    """The photograph under the mean head's outline.

    Left drags move the photograph, or the mark under the mouse; right drags turn the photograph,
    the wheel scales it. While marks are being clicked, a click sets the next one.

    Args:
        edge: of the pane, pixels.
        say: takes why marks cannot be used; empty for none.
    """

    def __init__(
        self,
        ui: Ui,
        edge: int,
        texture: PictureTexture,
        fit: PhotoFit,
        say: Callable[[str], None],
    ) -> None:
        self._ui, self._edge, self._texture, self._fit, self._say = ui, edge, texture, fit, say
        self._uploaded: PhotoFaces | None = None
        self._last = 0j
        self._gesture = ""
        assert fit.framing is not None
        self._framing: HandFraming = fit.framing
        self._photo = fit.photos[fit.framed]
        self.canvas = Canvas(edge, edge)
        self.item = self.canvas.item

    def draw(self) -> None:
        """Once a frame: photograph, outline and marks."""
        faces = self._photo.faces
        assert faces is not None
        if faces is not self._uploaded:
            self._uploaded = faces
            self._texture.show(faces.pixels)
        framing, canvas, px = self._framing, self.canvas, self._ui.px
        frame, marks = framing.frame, framing.shown
        outline = self._fit.outline
        if not canvas.wants(self._texture.tag, frame, tuple(marks), len(outline)):
            return
        canvas.rectangle(0, 0, self._edge, self._edge, theme.RAISED)
        width, height = faces.size
        corners = [(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)]
        middle, right = complex(*frame.middle), complex(*frame.right)
        quad = [self._shown((complex(x, y) - middle) / right) for x, y in corners]
        (u0, v0), (u1, v1) = self._texture.uv_min, self._texture.uv_max
        dpg.draw_image_quad(
            self._texture.tag, *quad, uv1=(u0, v0), uv2=(u1, v0), uv3=(u1, v1), uv4=(u0, v1),
            parent=canvas.item,
        )  # fmt: skip
        for line in outline:
            points = [self._shown(complex(x, y)) for x, y in line]
            for color, thickness in ((theme.PANEL, 3), (theme.ACCENT, 1)):
                dpg.draw_polyline(points, color=color, thickness=px(thickness), parent=canvas.item)
        for place in framing.usual:
            dpg.draw_circle(
                self._shown(place), px(9), color=theme.ACCENT, thickness=px(1), parent=canvas.item
            )
        for place in marks:
            canvas.disc(*self._shown(place), px(4), theme.ACCENT, outline=theme.PANEL)

    def press(self, press: Press) -> bool:
        """Begin a gesture, or set a mark."""
        place, framing = self._place(press.x, press.y), self._framing
        self._last = place
        self._say("")
        if press.button == LEFT and framing.next_mark is not None:
            self._try(lambda: framing.click(place))
            return False
        reach = _REACH * self._ui.px(1) * 2.0 * _ROOM / self._edge
        if press.button == LEFT and framing.grab(place, reach):
            self._gesture = "mark"
        else:
            self._gesture = {LEFT: "move", MIDDLE: "move", RIGHT: "turn"}[press.button]
        return True

    def drag(self, x: float, y: float) -> None:
        """Go on with the gesture."""
        place, framing = self._place(x, y), self._framing
        if self._gesture == "mark":
            framing.drag(place)
        elif self._gesture == "move":
            framing.move(place - self._last)
        elif min(abs(place), abs(self._last)) > 0.05:
            turned = place / self._last
            framing.turn(math.atan2(turned.imag, turned.real))
        self._last = place

    def release(self) -> None:
        """End the gesture."""
        if self._gesture == "mark":
            self._try(self._framing.drop)

    def wheel(self, steps: float) -> None:
        """Scale the photograph."""
        self._framing.scale(_WHEEL**steps)

    def _try(self, act: Callable[[], None]) -> None:
        try:
            act()
        except InputError as error:
            self._say(str(error))

    def _shown(self, place: complex) -> tuple[float, float]:
        """A point of the frame in the pane."""
        half = 0.5 * self._edge
        return half * (place.real / _ROOM + 1.0), half * (place.imag / _ROOM + 1.0)

    def _place(self, x: float, y: float) -> complex:
        """A point of the pane in the frame."""
        half = 0.5 * self._edge
        return _ROOM * complex(x / half - 1.0, y / half - 1.0)
