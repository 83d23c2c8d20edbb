"""The dialog of *New from photo*: the photographs, the guess beside them, what can be done."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.explore.dialogs.photo_panes import FacesPane, FramingPane
from app.state.optimisation.photo_fit import MARKS, MOST_PHOTOS, PersonPhoto, PhotoFit
from app.widgets.controls.pointer import MouseTarget
from app.widgets.controls.ui import Ui, inside
from app.widgets.dialogs.dialogs import Dialogs
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import Textures
from app.widgets.drawing.theme import Item
from stylesdf_core.progress import duration
from stylesdf_core.scene.scene import Scene

_TITLE = "New from photo"
_WIDTH, _GAP = 648, 8
#: Height of pictures, of the pane of a framing by hand, and of the lines below pictures.
_HEIGHT, _FRAMING, _STATUS = 320, 384, 34
#: Height of the line with the check box.
_CHECK = 28
#: Largest height of a photograph to choose a face in.
_TILE = 232
_HOW = (
    "Lay the face under the outline. Drag the photo to move it, drag with the right button to turn "
    "it, scale with the wheel. Or click the eyes and the mouth; their dots can be dragged."
)


class PhotoDialog:
    """Opens when a photograph is chosen and shows the state of a :class:`PhotoFit`.

    Args:
        finished: takes the head.
        another: asks for another photograph of another person.
        one_more: asks for one more photograph of the person.
    """

    def __init__(
        self,
        ui: Ui,
        fit: PhotoFit,
        dialogs: Dialogs,
        textures: Textures,
        finished: Callable[[Scene], None],
        another: Callable[[], None],
        one_more: Callable[[], None],
    ) -> None:
        self._ui, self._fit, self._dialogs, self._textures = ui, fit, dialogs, textures
        self._finished, self._another, self._one_more = finished, another, one_more
        self._shown: tuple[object, ...] = ()
        self._window: Item = 0
        self._is_asking = False  # for one more photograph, in another dialog
        self._targets: list[MouseTarget] = []
        self._draw: list[Callable[[], None]] = []

    def sync(self) -> None:
        """Once a frame: show the state, take a finished head."""
        scene = self._fit.poll()
        if scene is not None:
            self._finish(scene)
        if self._is_asking:
            if self._dialogs.is_open or self._dialogs.is_changing:
                return
            self._is_asking = False
            self._dialogs.after_closing(self._fill)
            return
        if self._dialogs.is_changing:
            return
        if self._fit.state == "none":
            return
        if not self._window or self._key != self._shown:
            self._fill()
        for draw in self._draw:
            draw()

    @property
    def _key(self) -> tuple[object, ...]:
        """What the dialog's widgets depend on."""
        fit = self._fit
        framing = fit.framing is not None and fit.framing.next_mark
        return fit.state, fit.problem, fit.framed, framing, tuple(p.path for p in fit.photos)

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

    def _closed_from_outside(self) -> None:
        """Escape, the dialog's own button, or a window built anew closes the dialog."""
        if self._window:
            self._forget()
            self._fit.cancel()

    def _forget(self) -> None:
        for target in self._targets:
            self._ui.pointer.remove(target)
        self._targets.clear()
        self._draw.clear()
        self._window = 0

    # --- content --------------------------------------------------------------------------------

    def _fill(self) -> None:
        """Fill the dialog with the state's content; a dialog that is open stays."""
        if self._fit.state == "none":
            return
        window = self._window
        self._forget()
        if not window:
            height = _HEIGHT + _STATUS + _CHECK + 2 * 51
            closing = self._closed_from_outside
            with self._dialogs.panel(_TITLE, _WIDTH + 32, height, closing=closing) as window:
                pass
        self._window, self._shown = window, self._key
        dpg.delete_item(window, children_only=True)
        with inside(window):
            fill = {
                "failed": self._fill_problem, "choosing": self._fill_photos,
                "framing": self._fill_framing,
            }.get(self._fit.state, self._fill_guess)  # fmt: skip
            fill()

    def _fill_guess(self) -> None:
        """The photographs beside, or several above, the head as it is guessed."""
        ui, px, fit = self._ui, self._ui.px, self._fit
        count = len(fit.photos)
        edge = (_WIDTH - _GAP) // 2 if count == 1 else min((_HEIGHT - _GAP) // 2, _tile(count))
        panes: list[Canvas] = []
        for _ in range(1 if count == 1 else 2):
            with dpg.group(horizontal=True, horizontal_spacing=px(_GAP)):
                panes += [Canvas(px(edge), px(edge)) for _ in range(2 if count == 1 else count)]
        for number in range(count):
            pair = (panes[number], panes[number + count])
            self._draw.append(partial(self._draw_pair, number, pair, px(edge)))
        status = Canvas(px(_WIDTH), px(_STATUS))
        self._draw.append(lambda: self._draw_status(status))
        if fit.state == "fitting":
            self._add_check()
        with dpg.group(horizontal=True):
            if fit.state == "fitting":
                tip = "Stop the fit and take the head as it is now"
                keep = ui.button("Use this head", self._keep, tip, look=ui.theme.primary)
                self._draw.append(lambda: self._enable(keep))
                if fit.photos[0].faces is not None:
                    tip = "Stop the fit: frame by hand, add photos of the same person"
                    ui.button("Framing and photos …", fit.change_photos, tip)
            ui.button("Cancel", self._cancel)

    def _enable(self, keep: Item) -> None:
        """Let a head be used once there is one."""
        if dpg.is_item_enabled(keep) != (self._fit.guess is not None):
            self._ui.enable(keep, self._fit.guess is not None, look=self._ui.theme.primary)

    def _fill_photos(self) -> None:
        """The photographs, side by side, with the faces to choose from."""
        ui, px, fit = self._ui, self._ui.px, self._fit
        count = len(fit.photos)
        width = _width_of(fit.photos[0]) if count == 1 else _tile(count)
        with dpg.group(horizontal=True, horizontal_spacing=px(_GAP)):
            for number, photo in enumerate(fit.photos):
                with dpg.group():
                    self._fill_photo(number, photo, width)
        dpg.add_spacer(height=px(4))
        text = "All photos show one person." if count > 1 else ""
        ui.small_text(fit.problem or text, theme.WARNING if fit.problem else theme.MUTED)
        self._add_check()
        with dpg.group(horizontal=True):
            start = ui.button("Fit the head", fit.fit, look=ui.theme.primary)
            self._draw.append(lambda: ui.enable(start, fit.is_ready, ui.theme.primary))
            tip = f"One more photo of the same person, up to {MOST_PHOTOS}"
            more = ui.button("Add a photo …", self._ask_for_one_more, tip)
            ui.enable(more, count < MOST_PHOTOS)
            ui.button("Cancel", self._cancel)

    def _add_check(self) -> None:
        """The check box of the tuning."""
        box = dpg.add_checkbox(
            label="Learn details that the model lacks, such as a beard or make-up",
            default_value=self._fit.tunes,
            callback=lambda _, value: self._fit.set_tunes(bool(value)),
        )
        tip = "After the fit, about a minute more; the details lie in a file beside the session"
        self._ui.tooltip(box, tip)

    def _fill_photo(self, number: int, photo: PersonPhoto, width: int) -> None:
        ui, px, fit = self._ui, self._ui.px, self._fit
        pane = FacesPane(
            ui, (px(width), px(min(_TILE, max(width, 160)))), self._textures[f"photo {number}"],
            lambda: fit.photos[number], lambda face: fit.choose(face, number),
        )  # fmt: skip
        ui.pointer.add(pane)
        self._targets.append(pane)
        ui.small_text(fonts.fitted(photo.path.name, px(fonts.BODY), px(width)), theme.TEXT)
        line = ui.small_text()

        def draw() -> None:
            if number < len(fit.photos):
                pane.draw()
                text, color = _in_words(fit.photos[number])
                dpg.configure_item(line, default_value=text, color=color)

        self._draw.append(draw)
        with dpg.group(horizontal=True):
            ui.button(
                "By hand …", lambda: fit.frame(number), "Lay the face under the mean head's outline"
            )
            if len(fit.photos) > 1:
                ui.button("Remove", lambda: fit.remove(number), "Leave this photo out")

    def _fill_framing(self) -> None:
        """A photograph under the mean head's outline."""
        ui, px, fit = self._ui, self._ui.px, self._fit
        framing = fit.framing
        assert framing is not None
        room = px(_WIDTH - _FRAMING - _GAP)
        with dpg.group(horizontal=True, horizontal_spacing=px(_GAP)):
            name = f"photo {fit.framed}"
            pane = FramingPane(ui, px(_FRAMING), self._textures[name], fit, self._say)
            ui.pointer.add(pane)
            self._targets.append(pane)
            self._draw.append(pane.draw)
            with dpg.group():
                dpg.add_text("Framing by hand")
                number = framing.next_mark
                if number is not None:
                    dpg.add_text(f"Click the {MARKS[number]}.", color=theme.ACCENT, wrap=room)
                    ui.button("Stop clicking", framing.end_clicks)
                    return
                dpg.add_text(_HOW, wrap=room, color=theme.MUTED)
                dpg.add_spacer(height=px(4))
                tip = "Three clicks: left eye, right eye, middle of the mouth"
                ui.button("Click eyes and mouth", framing.begin_clicks, tip)
                quarter = 1.5707963
                with dpg.group(horizontal=True):
                    ui.button("Turn left", lambda: framing.turn(-quarter), "By a quarter turn")
                    ui.button("Turn right", lambda: framing.turn(quarter), "By a quarter turn")
                with dpg.group(horizontal=True):
                    ui.button("Smaller", lambda: framing.scale(1 / 1.1), "The photo, by a tenth")
                    ui.button("Larger", lambda: framing.scale(1.1), "The photo, by a tenth")
                dpg.add_spacer(height=px(8))
                label = "Fit the head" if len(fit.photos) == 1 else "Use this framing"
                ui.button(label, fit.use_framing, look=ui.theme.primary)
                ui.button("Back", fit.change_photos, "Without this framing")
                ui.small_text(fit.problem, theme.WARNING, wrap=room)

    def _fill_problem(self) -> None:
        """The photograph, if it could be read, beside the reason and the remedies."""
        ui, px, fit = self._ui, self._ui.px, self._fit
        is_read = bool(fit.photos) and fit.photos[0].faces is not None
        with dpg.group(horizontal=True, horizontal_spacing=px(_GAP)):
            if is_read:
                edge = px((_WIDTH - _GAP) // 2)
                pane = FacesPane(
                    ui, (edge, edge), self._textures["photo 0"],
                    lambda: fit.photos[0], lambda _: None,
                )  # fmt: skip
                self._draw.append(pane.draw)
            with dpg.group():
                dpg.add_text("No head could be made of this photo", wrap=0)
                dpg.add_text(fit.problem, wrap=0, color=theme.MUTED)
                dpg.add_spacer(height=px(8))
                look = ui.theme.primary
                if is_read:
                    tip = "Lay the face under the mean head's outline"
                    ui.button("Frame by hand …", fit.frame, tip, look=look)
                    look = 0
                ui.button("Choose another photo …", self._ask_again, look=look)
                if is_read:
                    tip = "For square pictures that are framed exactly as the model's own pictures"
                    ui.button("Use the whole picture", fit.take_whole, tip)
                ui.button("Close", self._cancel)

    def _say(self, problem: str) -> None:
        self._fit.problem = problem

    def _ask_again(self) -> None:
        self._fit.cancel()
        self._forget()
        self._dialogs.after_closing(self._another)

    def _ask_for_one_more(self) -> None:
        self._forget()
        self._is_asking = True
        self._dialogs.after_closing(self._one_more)

    # --- drawing --------------------------------------------------------------------------------

    def _draw_pair(self, number: int, panes: tuple[Canvas, Canvas], edge: int) -> None:
        """A photograph and the head, once there is a guess."""
        guess = self._fit.guess
        pair = guess.pairs[number] if guess is not None else (None, None)
        for kind, canvas, pixels in zip(("compared", "head"), panes, pair, strict=True):
            texture = self._textures[f"{kind} {number}"]
            if canvas.wants(None if pixels is None else id(pixels)):
                if pixels is None:
                    canvas.rectangle(0, 0, edge, edge, theme.RAISED, self._ui.px(3))
                else:
                    texture.show(pixels)
                    canvas.picture(texture, edge, edge)

    def _draw_status(self, canvas: Canvas) -> None:
        fit, px = self._fit, self._ui.px
        left, text = fit.seconds_left, fit.message or "starting"
        text = text[0].upper() + text[1:]
        text += f" · {duration(left)} left" if left is not None and fit.state == "fitting" else " …"
        if not canvas.wants(text, round(fit.fraction, 3)):
            return
        canvas.text(0, px(2), text, px(fonts.BODY), theme.MUTED)
        width, top, thick = px(_WIDTH), px(24), px(4)
        for share, fill in ((1.0, theme.HOVERED), (fit.fraction, theme.ACCENT)):
            canvas.rectangle(0, top, max(share * width, 1.0), top + thick, fill, thick / 2)


def _tile(count: int) -> int:
    """Width of one of several pictures side by side."""
    return min(_HEIGHT, (_WIDTH - _GAP * (count - 1)) // count)


def _width_of(photo: PersonPhoto) -> int:
    """Width of a single photograph that fills the height."""
    if photo.faces is None:
        return _TILE
    width, height = photo.faces.size
    return min(_WIDTH, round(_TILE * width / height))


def _in_words(photo: PersonPhoto) -> tuple[str, theme.Rgba]:
    """Where the face of a photograph comes from."""
    faces = photo.faces
    if photo.marks is not None:
        return "framed by hand", theme.MUTED
    if faces is None:
        return "", theme.MUTED
    if not faces.boxes:
        return "no face found", theme.WARNING
    if photo.face is None:
        return "click a face", theme.WARNING
    return "face found", theme.MUTED
