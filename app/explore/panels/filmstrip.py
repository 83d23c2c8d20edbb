"""The filmstrip: the faces visited, newest first, and the favourites among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import dearpygui.dearpygui as dpg

from app.state.document import edits
from app.state.document.faces import Face
from app.state.workbench import Workbench
from app.widgets.controls.gallery import Cell, Gallery, GalleryActions
from app.widgets.controls.popup import PopupMenu
from app.widgets.controls.ui import Ui, inside
from app.widgets.drawing import theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.texture import Textures
from stylesdf_core.scene.scene import Scene

_EMPTY = {
    False: "Faces that you look at appear here.",
    True: "No favourites yet: point at a face of the filmstrip and click on its star.",
}


@dataclass(frozen=True)
class DropTarget:
    """A place for a dragged face.

    Attributes:
        place: in the window, pixels.
        text: what a face dropped there does.
    """

    place: Rectangle
    text: str
    accept: Callable[[Face], None]


class FilmstripPanel:
    """One row of faces.

    Args:
        controls: container for the panel's buttons.
        clear: asks whether to forget all faces without a star.
        targets: where a face can be dropped now.
    """

    HEIGHT = (58, 92)

    def __init__(
        self,
        ui: Ui,
        workbench: Workbench,
        textures: Textures,
        controls: theme.Item,
        clear: Callable[[], None],
        targets: Callable[[], list[DropTarget]],
    ) -> None:
        self._ui, self._workbench, self._targets = ui, workbench, targets
        self._only_favourites = False
        self._listed: tuple[object, ...] = ()
        self._faces: tuple[Face, ...] = ()
        self._popup = PopupMenu(ui)
        actions = GalleryActions(self.open, self._star, self._menu, self._dragged, self._dropped)
        self._text = ui.small_text(color=theme.MUTED)
        self.gallery = Gallery(ui, textures, "filmstrip", actions, is_strip=True)
        with inside(controls):
            self._favourites = ui.button(
                "favourites", self._toggle_favourites, "Show only the faces with a star"
            )
            ui.button("clear", clear, "Forget all faces without a star", look=ui.theme.quiet)

    def resize(self, width: int, height: int) -> None:
        """Fit the area."""
        self.gallery.resize(width, height)
        dpg.configure_item(self._text, wrap=width - self._ui.px(16))

    def sync(self, scene: Scene) -> None:
        """Show the album."""
        album = self._workbench.album
        key = (album.version, self._only_favourites)
        if key != self._listed:
            self._listed = key
            keep = (f for f in album.faces if f.is_favourite or not self._only_favourites)
            self._faces = tuple(keep)
            self._ui.select(self._favourites, self._only_favourites)
            if album.current is not None and album.current in self._faces:
                self.gallery.scroll_to(self._faces.index(album.current))
        has_faces = bool(self._faces)
        dpg.configure_item(self._text, show=not has_faces)
        dpg.configure_item(self.gallery.item, show=has_faces)
        if has_faces:
            self.gallery.show(len(self._faces), self._cell)
        else:
            loading = "reading the faces of the last sessions …"
            text = loading if album.is_loading else _EMPTY[self._only_favourites]
            dpg.set_value(self._text, text)

    def open(self, index: int) -> None:
        """Show a face again, from the camera and with the model that it was seen with."""
        face = self._faces[index]
        self._workbench.album.enter(face)
        self._workbench.document.apply(face.scene)

    def _cell(self, index: int) -> Cell:
        face = self._faces[index]
        is_current = face is self._workbench.album.current
        return Cell(face, face.pixels, is_starred=face.is_favourite, is_marked=is_current)

    def _star(self, index: int) -> None:
        self._workbench.album.toggle_star(self._faces[index])

    def _menu(self, index: int) -> None:
        face, album = self._faces[index], self._workbench.album
        star = "Remove the star" if face.is_favourite else "Give a star"
        self._popup.open(
            [
                ("Show", partial(self.open, index)),
                ("Show from this camera", partial(self.take_as_first, face)),
                ("Take as second face", partial(self.take_as_second, face)),
                ("Add to the timeline", partial(self._to_timeline, face)),
                ("Compare as A", partial(self._compare, 0, face)),
                ("Compare as B", partial(self._compare, 1, face)),
                (star, partial(album.toggle_star, face)),
                ("Forget", partial(album.remove, face)),
            ]
        )

    def _to_timeline(self, face: Face) -> None:
        timeline = self._workbench.timeline
        timeline.append(face.scene)
        self._workbench.toast(f"Keyframe {len(timeline.keyframes)} of the timeline")

    def _compare(self, index: int, face: Face) -> None:
        self._workbench.comparison.take(index, face.scene)
        self._workbench.toast(f"Picture {'AB'[index]} of the tab Compare")

    def _toggle_favourites(self) -> None:
        self._only_favourites = not self._only_favourites

    # --- dragging a face onto A or B ------------------------------------------------------------

    def take_as_first(self, face: Face) -> None:
        """Show a face from the present camera."""
        self._workbench.document.apply(replace(face.scene, camera=self._workbench.scene.camera))

    def take_as_second(self, face: Face) -> None:
        """Make a face's seed the second face of style mixing."""
        identity = face.scene.identity
        if identity.z is not None:
            self._workbench.toast("A second face needs a seed; this face is a z.", is_error=True)
            return
        self._workbench.edit(edits.with_second_seed, identity.seed)
        if identity.edits:
            text = f"The second face is that of seed {identity.seed}, without its edits."
            self._workbench.toast(text)

    def _dragged(self, index: int, x: float, y: float) -> None:
        for target in self._targets():
            place = target.place
            self.gallery.highlight(place, target.text, is_under=_holds(place, x, y))
        self.gallery.carry(self._cell(index))

    def _dropped(self, index: int, x: float, y: float) -> None:
        for target in self._targets():
            if _holds(target.place, x, y):
                target.accept(self._faces[index])


def _holds(place: Rectangle, x: float, y: float) -> bool:
    return place.left <= x < place.right and place.top <= y < place.bottom
