"""The dialog of *New from photo*: the photograph, the guess beside it, and what can be done."""

from __future__ import annotations

from collections.abc import Callable

import dearpygui.dearpygui as dpg

from app.state.photo_fit import Box, PhotoFit
from app.widgets import fonts, theme
from app.widgets.canvas import Canvas
from app.widgets.dialogs import Dialogs
from app.widgets.pointer import LEFT, MouseTarget, Press
from app.widgets.texture import Textures
from app.widgets.theme import Item
from app.widgets.ui import Ui
from stylesdf_core.scene.scene import Scene

_TITLE = "New from photo"
_EDGE, _GAP = 320, 8


class PhotoDialog:
    """Opens when a photograph is chosen and shows the state of a :class:`PhotoFit`.

    Args:
        finished: takes the head.
        another: asks for another photograph.
    """

    def __init__(
        self,
        ui: Ui,
        fit: PhotoFit,
        dialogs: Dialogs,
        textures: Textures,
        finished: Callable[[Scene], None],
        another: Callable[[], None],
    ) -> None:
        self._ui, self._fit, self._dialogs = ui, fit, dialogs
        self._photo, self._head = textures["photo"], textures["head"]
        self._finished, self._another = finished, another
        self._shown: tuple[object, ...] = ()
        self._window: Item = 0
        self._uploaded: object = None
        self._targets: list[MouseTarget] = []
        self._panes: tuple[Canvas, Canvas] | None = None
        self._status: Canvas | None = None

    def sync(self) -> None:
        """Once a frame: show the state, take a finished head, notice a closed dialog."""
        scene = self._fit.poll()
        if scene is not None:
            self._finish(scene)
        if self._window and not self._dialogs.is_open:  # closed by Escape or its own button
            self._forget()
            self._fit.cancel()
        state = self._fit.state
        if state == "none":
            return
        key = (state, self._fit.problem if state == "failed" else "")
        if not self._window or key != self._shown:
            self._shown = key
            self._fill()
        self._draw()

    def _finish(self, scene: Scene) -> None:
        self._close()
        self._finished(scene)

    def _keep(self) -> None:
        scene = self._fit.keep()
        if scene is not None:
            self._finish(scene)

    def _cancel(self) -> None:
        self._fit.cancel()
        self._close()

    def _close(self) -> None:
        if self._window:
            self._forget()
            self._dialogs.cancel()

    def _forget(self) -> None:
        for target in self._targets:
            self._ui.pointer.remove(target)
        self._targets.clear()
        self._window, self._panes, self._status, self._uploaded = 0, None, None, None

    # --- content --------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Fill the dialog with the state's content; a dialog that is open stays."""
        window = self._window
        self._forget()
        if not window:
            with self._dialogs.panel(_TITLE, 2 * _EDGE + _GAP + 32, _EDGE + 136) as window:
                pass
        self._window = window
        dpg.delete_item(window, children_only=True)
        dpg.push_container_stack(window)
        if self._fit.state == "failed":
            self._fill_problem()
        else:
            self._fill_pictures(choosing=self._fit.state == "choosing")
            self._status = Canvas(self._ui.px(2 * _EDGE + _GAP), self._ui.px(34))
            self._fill_buttons()
        dpg.pop_container_stack()

    def _fill_pictures(self, *, choosing: bool) -> None:
        px = self._ui.px
        with dpg.group(horizontal=True, horizontal_spacing=px(_GAP)):
            if choosing:
                canvas = Canvas(px(2 * _EDGE + _GAP), px(_EDGE))
                self._panes = (canvas, canvas)
                faces = _Faces(canvas, self._boxes, self._fit.choose)
                self._ui.pointer.add(faces)
                self._targets.append(faces)
            else:
                self._panes = (Canvas(px(_EDGE), px(_EDGE)), Canvas(px(_EDGE), px(_EDGE)))

    def _fill_buttons(self) -> None:
        ui = self._ui
        with dpg.group(horizontal=True):
            if self._fit.state == "fitting":
                tip = "Stop the fit and take the head as it is now"
                ui.button("Use this head", self._keep, tip, look=ui.theme.primary)
            ui.button("Cancel", self._cancel)

    def _fill_problem(self) -> None:
        """The photograph, if it could be read, beside the reason and the remedies."""
        ui = self._ui
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(_GAP)):
            if self._fit.faces is not None:
                canvas = Canvas(ui.px(_EDGE), ui.px(_EDGE))
                self._panes = (canvas, canvas)
            with dpg.group():
                dpg.add_text("No head could be made of this photo", wrap=0)
                dpg.add_text(self._fit.problem, wrap=0, color=theme.MUTED)
                dpg.add_spacer(height=ui.px(8))
                ui.button("Choose another photo …", self._ask_again, look=ui.theme.primary)
                tip = "For square pictures that are framed exactly as the model's own pictures"
                ui.button("Use the whole picture", self._fit.take_whole, tip)
                ui.button("Close", self._cancel)

    def _ask_again(self) -> None:
        self._fit.cancel()
        self._forget()
        self._dialogs.after_closing(self._another)

    # --- drawing --------------------------------------------------------------------------------

    def _draw(self) -> None:
        fit = self._fit
        if self._panes is not None:
            if fit.state in ("choosing", "failed"):
                self._draw_faces(self._panes[0])
            else:
                self._draw_guess(*self._panes)
        if self._status is not None:
            self._draw_status(self._status)

    def _draw_guess(self, left: Canvas, right: Canvas) -> None:
        fit, px = self._fit, self._ui.px
        guess, faces = fit.guess, fit.faces
        source: object = guess or faces
        if source is not self._uploaded:
            self._uploaded = source
            if guess is not None:
                self._photo.show(guess.photo)
                self._head.show(guess.head)
        has_guess = guess is not None
        for canvas, texture in ((left, self._photo), (right, self._head)):
            if canvas.wants(has_guess, texture.tag):
                if has_guess:
                    canvas.picture(texture, px(_EDGE), px(_EDGE))
                else:
                    canvas.rectangle(0, 0, px(_EDGE), px(_EDGE), theme.RAISED, px(3))

    def _draw_faces(self, canvas: Canvas) -> None:
        faces = self._fit.faces
        assert faces is not None
        if faces is not self._uploaded:
            self._uploaded = faces
            self._photo.show(faces.pixels)
        if not canvas.wants(self._photo.tag):
            return
        left, top, right, bottom = self._place()
        dpg.draw_image(
            self._photo.tag, (left, top), (right, bottom),
            uv_min=self._photo.uv_min, uv_max=self._photo.uv_max, parent=canvas.item,
        )  # fmt: skip
        size = self._ui.px(fonts.BODY)
        for number, box in enumerate(self._boxes(), 1):
            dpg.draw_rectangle(
                box[:2], box[2:], color=theme.ACCENT, thickness=self._ui.px(2), parent=canvas.item
            )
            canvas.text(box[0] + self._ui.px(4), box[1], str(number), size, theme.ACCENT)

    def _place(self) -> Box:
        """Where the photograph lies in its canvas: left, top, right, bottom."""
        assert self._fit.faces is not None
        height, width = self._fit.faces.pixels.shape[:2]
        wide = 2 * _EDGE + _GAP if self._fit.state == "choosing" else _EDGE
        room_x, room_y = self._ui.px(wide), self._ui.px(_EDGE)
        scale = min(room_x / width, room_y / height)
        x, y = 0.5 * (room_x - scale * width), 0.5 * (room_y - scale * height)
        return x, y, x + scale * width, y + scale * height

    def _boxes(self) -> list[Box]:
        """The faces' boxes in the canvas."""
        assert self._fit.faces is not None
        left, top, right, bottom = self._place()
        width, height = right - left, bottom - top
        return [
            (left + a * width, top + b * height, left + c * width, top + d * height)
            for a, b, c, d in self._fit.faces.boxes
        ]

    def _draw_status(self, canvas: Canvas) -> None:
        fit, px = self._fit, self._ui.px
        if fit.state == "choosing":
            text, fraction = "Several faces: click the face to fit.", 0.0
        else:
            left = fit.seconds_left
            text = fit.message or "starting"
            text = text[0].upper() + text[1:]
            text += f" · {left:.0f} s left" if left is not None and fit.state == "fitting" else " …"
            fraction = fit.fraction
        if not canvas.wants(text, round(fraction, 3)):
            return
        canvas.text(0, px(2), text, px(fonts.BODY), theme.MUTED)
        if fit.state != "choosing":
            width, top, thick = px(2 * _EDGE + _GAP), px(24), px(4)
            for share, fill in ((1.0, theme.HOVERED), (fraction, theme.ACCENT)):
                canvas.rectangle(0, top, max(share * width, 1.0), top + thick, fill, thick / 2)


class _Faces(MouseTarget):
    """Clicks on the faces of a photograph.

    Args:
        boxes: of the faces, in the canvas.
        choose: takes a face's number, from 1.
    """

    def __init__(
        self,
        canvas: Canvas,
        boxes: Callable[[], list[Box]],
        choose: Callable[[int], None],
    ) -> None:
        self.item = canvas.item
        self._boxes, self._choose = boxes, choose

    def press(self, press: Press) -> bool:
        """Choose the face under the mouse."""
        for number, (left, top, right, bottom) in enumerate(self._boxes(), 1):
            inside = left <= press.x <= right and top <= press.y <= bottom
            if press.button == LEFT and inside:
                self._choose(number)
                return True
        return False
