"""Actions of menus and shortcuts that need the window: file dialogs, switching views and tabs."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Protocol, get_args

import dearpygui.dearpygui as dpg

from app.state import exports
from app.state.about import about
from app.state.wording import in_window
from app.state.workbench import Workbench
from app.widgets.dialogs.dialogs import Dialogs
from app.widgets.dialogs.file_manager import open_file
from app.widgets.drawing.backdrop import Rectangle
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES
from stylesdf_core.resources import home, shipped
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import SESSION_SUFFIXES

_STEP = math.radians(4.0)
_PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp", ".avif", ".gif")
Page = Literal["explore", "sheet", "compare", "train"]
PAGES: tuple[Page, ...] = get_args(Page)
#: Scales of the window to choose from; 0 follows the display.
FONT_SCALES = (0.0, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0)


class Tab(Protocol):
    """A tab beside Explore.

    Attributes:
        middle: origin and size, pixels of the window, of the part over which toasts lie.
        ground: the part of the window that no panel covers.
    """

    middle: tuple[tuple[int, int], tuple[int, int]]
    ground: Rectangle

    def show(self, shown: bool) -> None:
        """Show or hide the tab."""

    def sync(self) -> None:
        """Show the state."""


class StudioWindow(Protocol):
    """The members of the window that actions, menus and shortcuts use."""

    def set_scale(self, scale: float) -> None:
        """Build all widgets anew at another scale, or at the display's (0)."""

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to the place before."""

    @property
    def page(self) -> Page:
        """The page on the screen."""

    def show_page(self, page: Page) -> None:
        """Show a tab."""

    def ask_to_quit(self) -> None:
        """Close, asking first while jobs run."""

    def show_shortcuts(self) -> None:
        """List all shortcuts."""

    def export(self, name: str) -> None:
        """Export a kind of :data:`app.state.exports.EXPORTS`; the panel gives the file's name."""


@dataclass(frozen=True)
class Actions:
    """Callables for menus and shortcuts.

    Attributes:
        workbench: the studio's state, which actions change.
        dialogs: ask for files and folders.
        window: can be scaled, closed, and switched to another page.
    """

    workbench: Workbench
    dialogs: Dialogs
    window: StudioWindow

    def orbit(self, right: int, up: int) -> None:
        """Turn the camera by steps of 4°."""
        scene = self.workbench.scene
        camera = scene.camera.orbit(right * _STEP, up * _STEP)
        self.workbench.document.update(replace(scene, camera=camera))

    def toggle_panels(self) -> None:
        """Hide or show the side panels."""
        is_shown = self.workbench.settings.window.panels_shown
        self.workbench.change_settings("window", panels_shown=not is_shown)

    def add_keyframe(self) -> None:
        """Make a keyframe of what is shown."""
        workbench = self.workbench
        workbench.change_settings("window", strip="Timeline", strip_shown=True)
        workbench.timeline.add(workbench.screen.picture, workbench.settings.view.view)

    def toggle_strip(self) -> None:
        """Fold or unfold the area under the viewport."""
        is_shown = self.workbench.settings.window.strip_shown
        self.workbench.change_settings("window", strip_shown=not is_shown)

    def toggle_star(self) -> None:
        """Make the face on the screen a favourite, or an ordinary face."""
        face = self.workbench.album.find(self.workbench.scene)
        if face is not None:
            self.workbench.album.toggle_star(face)

    def clear_faces(self) -> None:
        """Ask whether to forget all faces of the filmstrip that have no star."""
        count = sum(not face.is_favourite for face in self.workbench.album.faces)
        if count:
            faces = "one face" if count == 1 else f"{count} faces"
            text = f"{faces.capitalize()} without a star would be deleted; this cannot be undone."
            self.dialogs.confirm(f"Forget {faces}?", text, "Forget", self.workbench.album.clear)

    def switch_page(self) -> None:
        """Switch to the next tab, from the last to the first."""
        self.window.show_page(PAGES[(PAGES.index(self.window.page) + 1) % len(PAGES)])

    def drag_points(self) -> None:
        """Begin or end dragging points of the face."""
        workbench = self.workbench
        if workbench.model is None:
            workbench.toast("Open a model first: the face is made by a model.", is_error=True)
            return
        self.window.show_page("explore")
        workbench.dragging.toggle()

    def copy_drags(self) -> None:
        """Put the command that repeats the drags of the face on the clipboard."""
        workbench = self.workbench
        try:
            dpg.set_clipboard_text(workbench.dragging.command())
        except StyleSDFError as error:
            workbench.toast(in_window(str(error)), is_error=True)
        else:
            count = len(workbench.dragging.history)
            workbench.toast(f"Copied the command for {count} drag{'s' if count > 1 else ''}")

    def remove_chosen(self) -> None:
        """Remove the point that was last put or taken; else the keyframe selected on the screen."""
        workbench, window = self.workbench, self.workbench.settings.window
        shows_timeline = window.strip_shown and window.strip == "Timeline"
        selected = workbench.timeline.selected
        if workbench.dragging.is_on:
            workbench.dragging.remove()
        elif shows_timeline and window.panels_shown and selected is not None:
            workbench.timeline.remove(selected)

    def open_session(self) -> None:
        """Ask for a session or an exported file."""
        self.dialogs.open_file(
            "Open a session or an exported file",
            self._session_folder(),
            SESSION_SUFFIXES,
            self.workbench.open_session,
        )

    def open_photo(self) -> None:
        """Ask for a photograph of which to make a head."""
        if self.workbench.model is None:
            self.workbench.toast("Open a model first: the head is made by a model.", is_error=True)
            return
        self._open_picture("Photo of a face", self._start_photo)

    def add_photo(self) -> None:
        """Ask for one more photograph of the person whose head is being made."""
        self._open_picture("Another photo of the face", self.workbench.photo.add)

    def _open_picture(self, title: str, chosen: Callable[[Path], None]) -> None:
        """Ask for a picture, first in the folder of the last one."""
        workbench = self.workbench

        def take(path: Path) -> None:
            workbench.settings = replace(workbench.settings, picture_folder=str(path.parent))
            chosen(path)

        folder = workbench.settings.picture_folder
        self.dialogs.open_file(title, Path(folder) if folder else home(), _PHOTO_SUFFIXES, take)

    def _start_photo(self, path: Path) -> None:
        workbench = self.workbench
        workbench.photo.start(path, workbench.scene.model, workbench.settings.device)

    def take_head(self, head: Scene) -> None:
        """Show a head that was fitted to a photograph; undo goes back to the face before."""
        document = self.workbench.document
        document.opened(replace(head, options=document.scene.options), None)

    def show_about(self) -> None:
        """Show version, device, folders and licences."""
        self.dialogs.show_rows("About StyleSDF Studio", about(self.workbench), 620)

    def open_manual(self) -> None:
        """Open the README."""
        manual = shipped("README.md")
        if not open_file(manual):
            self.workbench.toast(f"No program opens the manual; the file is {manual}")

    def save_session(self) -> None:
        """Save into the file that the session came from; ask for a file if there is none."""
        path = self.workbench.document.path
        if path is not None:
            self.workbench.save_session(path)
        else:
            self.save_session_as()

    def save_session_as(self) -> None:
        """Ask for a file and save."""
        name = exports.file_stem(self.workbench.scene)
        self.dialogs.save_file(
            "Save session", self._session_folder(), name, ".json", self.workbench.save_session
        )

    def open_model(self) -> None:
        """Ask for a weights file."""
        recent = self.workbench.settings.recent_models
        folder = Path(recent[0]).parent if recent else home()
        self.dialogs.open_file(
            "Open a model",
            folder,
            WEIGHT_SUFFIXES,
            lambda path: self.workbench.open_model(str(path)),
        )

    def choose_background(self) -> None:
        """Ask for the picture behind the head."""
        self._open_picture(
            "Picture behind the head",
            lambda path: self.workbench.change_settings("view", background=str(path)),
        )

    def choose_export_folder(self) -> None:
        """Ask for the folder of exports."""
        self.dialogs.choose_folder(
            "Export to",
            exports.export_folder(self.workbench.settings),
            lambda path: self.workbench.change_settings("export", folder=str(path)),
        )

    def rename_directions(self) -> None:
        """Ask for labels of the loaded model's directions, and save them beside the model."""
        directions = self.workbench.directions
        if not directions:
            self.workbench.toast("Open a model first: it has the directions.", is_error=True)
            return

        def rename(labels: Sequence[str]) -> None:
            new = {d.name: text for d, text in zip(directions, labels, strict=True)}
            try:
                path = self.workbench.models.rename(new)
            except StyleSDFError as error:
                self.workbench.toast(str(error), is_error=True)
                return
            self.workbench.toast(f"Saved {path.name}", path)

        rows = [(direction.name, direction.label) for direction in directions]
        self.dialogs.edit_rows("Names of the directions", rows, "Save", rename)

    def _session_folder(self) -> Path:
        path = self.workbench.document.path
        return path.parent if path is not None else exports.export_folder(self.workbench.settings)
