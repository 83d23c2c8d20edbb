"""Square tiles before the rows of the file dialog: small pictures, folders, kinds of files."""

from __future__ import annotations

import threading
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.state.file_browser import PICTURES, Entry
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, icons, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.picture_cache import PictureCache
from app.widgets.drawing.texture import Textures
from app.widgets.drawing.theme import Item
from app.workers.file_pictures import FilePictures, Pixels

_LETTERS = 4  # of a suffix that fit into a tile


class FileTiles:
    """The tiles of a list that is scrolled; a picture is read once its row is on the screen.

    Args:
        textures: of the pictures.
        edge: of a tile, pixels.
        news: set when a picture has been read.
    """

    def __init__(self, ui: Ui, textures: Textures, edge: int, news: threading.Event) -> None:
        self._ui, self._edge = ui, edge
        self._cache = PictureCache(textures, "file")
        self._files = FilePictures(edge, news)
        self._tiles: list[tuple[Entry, Canvas]] = []
        self._read: dict[Path, Pixels | None] = {}
        self._wanted: tuple[Path, ...] = ()

    def clear(self) -> None:
        """Forget all tiles, which the list has deleted."""
        self._tiles.clear()
        self._read.clear()

    def add(self, entry: Entry) -> None:
        """Make the tile of the next row in the current container."""
        self._tiles.append((entry, Canvas(self._edge, self._edge)))

    def tick(self, scrolled: Item) -> None:
        """Once a frame: draw the rows that are on the screen.

        Args:
            scrolled: the container of all rows, which have one height.
        """
        self._read.update(self._files.poll())
        self._cache.next_frame()
        height, hidden = dpg.get_item_rect_size(scrolled)[1], dpg.get_y_scroll_max(scrolled)
        row = max(1.0, (height + hidden) / max(1, len(self._tiles)))
        first = int(dpg.get_y_scroll(scrolled) / row)
        shown = self._tiles[first : first + int(height / row) + 2]
        wanted = tuple(
            entry.path for entry, _ in shown if _is_picture(entry) and entry.path not in self._read
        )
        if wanted != self._wanted:
            self._wanted = wanted
            self._files.submit(wanted)
        for entry, canvas in shown:
            self._draw(entry, canvas, len(shown))

    def close(self) -> None:
        """End the thread that reads."""
        self._files.close()

    def _draw(self, entry: Entry, canvas: Canvas, shown: int) -> None:
        pixels, edge, px = self._read.get(entry.path), self._edge, self._ui.px
        if pixels is not None:
            self._cache.upload(entry.path, pixels, edge, shown)
        texture = self._cache.find(entry.path)
        if not canvas.wants(0 if texture is None else texture.tag, entry.path in self._read):
            return
        if texture is not None and pixels is not None:
            height, width = pixels.shape[:2]
            factor = edge / max(width, height)
            x, y = (edge - width * factor) / 2, (edge - height * factor) / 2
            dpg.draw_image(
                texture.tag, (x, y), (edge - x, edge - y),
                uv_min=texture.uv_min, uv_max=texture.uv_max, parent=canvas.item,
            )  # fmt: skip
            return
        if entry.is_folder:
            inset = px(6)
            icons.folder(canvas.item, inset, inset, edge - 2.0 * inset, theme.MUTED)
            return
        canvas.rectangle(0, 0, edge, edge, theme.RAISED, px(3))
        if not _is_picture(entry) or entry.path in self._read:  # else it is being read
            size = px(fonts.SMALL - 3)
            text = entry.path.suffix[1:][:_LETTERS].upper()
            left = (edge - fonts.text_width(text, size)) / 2
            color = theme.WARNING if _is_picture(entry) else theme.MUTED
            canvas.text(left, (edge - size) / 2, text, size, color)


def _is_picture(entry: Entry) -> bool:
    return not entry.is_folder and entry.path.suffix.lower() in PICTURES
