"""The Sheet tab in the window: options at the left, an endless page of faces beside them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg

from app.sheet.options import OptionsPanel
from app.state.document import edits
from app.state.pictures.contact_sheet import SheetCell
from app.state.workbench import Workbench
from app.widgets.controls.gallery import Cell, Gallery, GalleryActions
from app.widgets.controls.popup import PopupMenu
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.texture import Textures
from app.widgets.layout.side_layout import SideLayout
from app.workers.thumbnails import Thumbnail


class SheetPage:
    """The tab's options and faces; created in the primary window.

    Args:
        opened: called when a face is shown in the Explore tab.

    Attributes:
        middle: origin and size of the page of faces, pixels of the window; toasts lie over it.
        ground: the part of the window that no panel covers.
    """

    def __init__(
        self, ui: Ui, workbench: Workbench, textures: Textures, opened: Callable[[], None]
    ) -> None:
        self._ui, self._workbench, self._opened = ui, workbench, opened
        self._is_shown = False
        self._page: tuple[object, ...] = ()
        self.middle = ((0, 0), (1, 1))
        self.ground = Rectangle(0, 0, 0, 0)
        self._layout = SideLayout(
            ui, lambda width: workbench.change_settings("window", left_width=width)
        )
        self._popup = PopupMenu(ui)
        with self._layout.controls.inside():
            self.options = OptionsPanel(ui, workbench)
        with self._layout.area.inside():
            self._text = dpg.add_text(color=theme.MUTED, show=False)
            self._again = ui.button("Try again", workbench.sheet.retry)
            actions = GalleryActions(self._open, self._star, self._menu)
            self.gallery = Gallery(ui, textures, "sheet", actions, is_strip=False, labelled=True)

    def show(self, shown: bool) -> None:
        """Show the tab, or hide it while another tab is shown."""
        self._is_shown = shown
        self._layout.show(shown)

    def sync(self) -> None:
        """Show the state; does nothing while the tab is hidden."""
        if not self._is_shown:
            return
        workbench, sheet = self._workbench, self._workbench.sheet
        settings = workbench.settings.sheet
        model = workbench.models.of(workbench.scene.model)
        sheet.follow(workbench.scene)
        self._lay_out(settings.page.columns)
        page = (sheet.first, settings.page)
        if page != self._page:
            self._page = page
            self.gallery.scroll_to(0)
        sheet.show(model, settings.page, settings.view, self.gallery.visible, self.gallery.edge)
        self.options.sync()
        problem = sheet.problem
        if model is None:
            problem = "The faces appear here once the model is loaded."
        dpg.configure_item(self._text, show=bool(problem))
        dpg.configure_item(self._again, show=bool(sheet.problem))
        dpg.configure_item(self.gallery.item, show=not problem)
        if problem:
            dpg.set_value(self._text, problem)
        else:
            self.gallery.show(None, self._cell)

    def _lay_out(self, columns: int) -> None:
        window = self._workbench.settings.window
        places = self._layout.place(
            window.left_width, has_controls=window.panels_shown, also=columns
        )
        if places is None:
            return
        self.options.resize(places.controls)
        self.gallery.resize(*places.area, columns)
        dpg.configure_item(self._text, wrap=places.area[0])
        self.middle, self.ground = places.middle, places.ground

    def _cell(self, index: int) -> Cell:
        cell = self._workbench.sheet.cell(index)
        if cell is None:
            return Cell(index, None)
        face = self._workbench.album.find(cell.scene)
        starred = face is not None and face.is_favourite
        thumbnail = cell.thumbnail
        if thumbnail is None:
            return Cell(index, None, cell.label, is_starred=starred)
        pixels = thumbnail.pixels
        if starred and pixels is not None and self._is_image(thumbnail):
            self._workbench.album.keep(cell.scene, pixels)  # its star may be older than its image
        return Cell(thumbnail, pixels, cell.label, is_starred=starred, problem=thumbnail.problem)

    # --- actions --------------------------------------------------------------------------------

    def _scene(self, index: int) -> SheetCell | None:
        return self._workbench.sheet.cell(index)

    def _open(self, index: int) -> None:
        if (cell := self._scene(index)) is not None:
            self._workbench.document.apply(cell.scene)
            self._opened()

    def _star(self, index: int) -> None:
        cell, album = self._scene(index), self._workbench.album
        if cell is None or cell.thumbnail is None or cell.thumbnail.pixels is None:
            return
        face = album.find(cell.scene)
        if face is not None:
            album.toggle_star(face)
        else:
            is_stand_in = not self._is_image(cell.thumbnail)
            album.keep(cell.scene, cell.thumbnail.pixels, is_stand_in=is_stand_in)

    def _is_image(self, thumbnail: Thumbnail) -> bool:
        return thumbnail.is_final and self._workbench.settings.sheet.view == "image"

    def _menu(self, index: int) -> None:
        cell, workbench = self._scene(index), self._workbench
        if cell is None:
            return
        seed = cell.scene.identity.seed
        self._popup.open(
            [
                ("Explore this face", partial(self._open, index)),
                ("Give or remove a star", partial(self._star, index)),
                ("Begin the page with it", partial(workbench.sheet.begin, cell.scene)),
                (
                    f"Take seed {seed} as second face",
                    partial(workbench.edit, edits.with_second_seed, seed),
                ),
            ]
        )
