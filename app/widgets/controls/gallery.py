"""Rows of small pictures that are clicked, starred, dragged and scrolled."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg
import numpy as np
import numpy.typing as npt

from app.widgets.controls.pointer import ACT_KEYS, LEFT, RIGHT, MouseTarget, Press
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, icons, theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.picture_cache import PictureCache
from app.widgets.drawing.texture import Textures

_GAP, _LABEL, _STAR, _MARK = 6, 16, 20, 2
_DRAG_BEGINS = 6.0  # pixels at scale 1 that a press may move and still be a click
_WHEEL = 0.6  # of a cell per notch


@dataclass(frozen=True)
class Cell:
    """A small picture.

    Attributes:
        key: changes with the pixels; pixels are uploaded once for each key.
        pixels: (E, E, 3) uint8; None while the picture is being computed.
        label: under the picture; empty for none.
        is_marked: framed, as the picture that is on the screen.
        problem: why there is no picture.
    """

    key: Hashable
    pixels: npt.NDArray[np.uint8] | None
    label: str = ""
    is_starred: bool = False
    is_marked: bool = False
    problem: str = ""


@dataclass(frozen=True)
class GalleryActions:
    """What a gallery calls, each with a cell's index.

    Attributes:
        open: the picture was clicked, or Enter pressed on it.
        star: its star was clicked, or S pressed.
        menu: it was clicked with the right button.
        dragged: it is being dragged, and the mouse is at a point of the window.
        dropped: it was released there.
    """

    open: Callable[[int], None]
    star: Callable[[int], None]
    menu: Callable[[int], None]
    dragged: Callable[[int, float, float], None] = lambda index, x, y: None
    dropped: Callable[[int, float, float], None] = lambda index, x, y: None


class Gallery(MouseTarget):
    """Cells in rows of ``columns`` cells, scrolled down; or in one row, scrolled to the right.

    Args:
        name: of the gallery's textures, which outlive it.
        is_strip: one row.
        labelled: leaves room for labels.
    """

    def __init__(
        self,
        ui: Ui,
        textures: Textures,
        name: str,
        actions: GalleryActions,
        *,
        is_strip: bool,
        labelled: bool = False,
    ) -> None:
        self._ui, self._actions = ui, actions
        self._pictures = PictureCache(textures, name)
        self._is_strip, self._label = is_strip, ui.px(_LABEL) if labelled else 0
        self._width = self._height = 1
        self._columns, self._edge = 1, 1
        self._count: int | None = 0
        self._scroll = 0.0
        self._hovered = -1
        self._on_star = False
        self._cursor = 0
        self._pressed: tuple[int, float, float] | None = None
        self._is_dragging = False
        self._mouse = (0.0, 0.0)
        self._canvas = Canvas(1, 1)
        self.item = self._canvas.item
        self._floating = dpg.add_viewport_drawlist(front=True)
        ui.pointer.add(self)

    # --- layout ---------------------------------------------------------------------------------

    def resize(self, width: int, height: int, columns: int = 1) -> None:
        """Fill a rectangle; ``columns`` cells share its width unless it is a strip."""
        self._width, self._height = max(1, width), max(1, height)
        gap = self._ui.px(_GAP)
        middle = self.first_visible if columns != self._columns and not self._is_strip else None
        self._columns = max(1, columns)
        if self._is_strip:
            self._edge = max(8, self._height - self._label)
        else:
            self._edge = max(8, (self._width - gap * (self._columns - 1)) // self._columns)
        if middle is not None:
            self._scroll = float(middle // self._columns * self._step)
        self._canvas.resize(self._width, self._height)

    @property
    def edge(self) -> int:
        """Of a cell, pixels."""
        return self._edge

    @property
    def _step(self) -> int:
        """From one cell to the next along the scrolled axis, pixels."""
        return self._edge + self._ui.px(_GAP) + (0 if self._is_strip else self._label)

    @property
    def first_visible(self) -> int:
        """Index of the first cell of which a part is on the screen."""
        line = int(self._scroll // self._step)
        return line if self._is_strip else line * self._columns

    @property
    def visible(self) -> range:
        """Indices of the cells of which a part is on the screen."""
        room = self._width if self._is_strip else self._height
        lines = int((self._scroll + room) // self._step) + 1 - int(self._scroll // self._step)
        last = self.first_visible + lines * (1 if self._is_strip else self._columns)
        return range(self.first_visible, last if self._count is None else min(last, self._count))

    def scroll_to(self, index: int) -> None:
        """Bring a cell onto the screen."""
        room = self._width if self._is_strip else self._height
        start = index // (1 if self._is_strip else self._columns) * self._step
        if not self._scroll <= start <= self._scroll + room - self._step:
            self._scroll = float(start if start < self._scroll else start + self._step - room)
            self._clamp()

    def _clamp(self) -> None:
        end = float("inf")
        if self._count is not None:
            lines = -(-self._count // (1 if self._is_strip else self._columns))
            room = self._width if self._is_strip else self._height
            end = lines * self._step - self._ui.px(_GAP) - room
        self._scroll = max(0.0, min(self._scroll, end))

    def _corner(self, index: int) -> tuple[float, float]:
        """Upper left corner of a cell."""
        if self._is_strip:
            return index * self._step - self._scroll, 0.0
        line, column = divmod(index, self._columns)
        return float(column * (self._edge + self._ui.px(_GAP))), line * self._step - self._scroll

    def _at(self, x: float, y: float) -> int:
        """Index of the cell at a point; −1 for none."""
        for index in self.visible:
            left, top = self._corner(index)
            if left <= x < left + self._edge and top <= y < top + self._edge:
                return index
        return -1

    def _star_place(self, index: int) -> tuple[float, float, float]:
        """Upper left corner and edge of a cell's star."""
        x, y = self._corner(index)
        edge = min(self._ui.px(_STAR), self._edge / 2)
        return x + self._edge - edge, y, edge

    # --- drawing --------------------------------------------------------------------------------

    def show(self, total: int | None, cell: Callable[[int], Cell]) -> None:
        """Draw the visible ones of ``total`` cells, endlessly many for None, if they changed."""
        self._count = total
        if total is not None:
            self._cursor = max(0, min(self._cursor, total - 1))
        self._pictures.next_frame()
        self._clamp()
        cells = {index: cell(index) for index in self.visible}
        most = 1 << self._edge.bit_length()
        for shown in cells.values():
            if shown.pixels is not None:
                self._pictures.upload(self._key(shown), shown.pixels, most, len(cells))
        textures = {i: self._pictures.find(self._key(c)) for i, c in cells.items()}
        tags = {i: 0 if texture is None else texture.tag for i, texture in textures.items()}
        content = [(i, tags[i], c.label, c.is_starred, c.is_marked, c.problem)
                   for i, c in cells.items()]  # fmt: skip
        hovered = self._hovered, self._on_star
        if self._canvas.wants(
            tuple(content), self._scroll, self._width, self._height, self._edge, hovered,
            self._has_focus() and self._cursor,
        ):  # fmt: skip
            for index, shown in cells.items():
                self._draw_cell(index, shown)

    def _key(self, cell: Cell) -> Hashable:
        """Of a cell's texture, which is made anew where cells become twice as large."""
        return cell.key, self._edge.bit_length()

    def _draw_cell(self, index: int, cell: Cell) -> None:
        canvas, px, edge = self._canvas, self._ui.px, self._edge
        x, y = self._corner(index)
        texture = self._pictures.find(self._key(cell))
        if texture is not None:
            dpg.draw_image(
                texture.tag, (x, y), (x + edge, y + edge),
                uv_min=texture.uv_min, uv_max=texture.uv_max, parent=self.item,
            )  # fmt: skip
        else:
            canvas.rectangle(x, y, x + edge, y + edge, theme.RAISED, px(3))
            size = px(fonts.SMALL)
            text = fonts.fitted(cell.problem or "…", size, edge - px(8))
            left = x + (edge - fonts.text_width(text, size)) / 2
            color = theme.WARNING if cell.problem else theme.FAINT
            canvas.text(left, y + (edge - size) / 2, text, size, color)
        hovered = index == self._hovered
        has_cursor = self._has_focus() and index == self._cursor
        if cell.is_marked or hovered or has_cursor:
            color = theme.ACCENT if cell.is_marked or has_cursor else theme.MUTED
            inset = px(_MARK) / 2
            dpg.draw_rectangle(
                (x + inset, y + inset), (x + edge - inset, y + edge - inset), color=color,
                thickness=px(_MARK), parent=self.item,
            )  # fmt: skip
        if cell.is_starred or hovered:
            self._draw_star(index, cell)
        if self._label and cell.label:
            size = px(fonts.SMALL)
            text = fonts.fitted(cell.label, size, edge)
            canvas.text(x, y + edge + px(1), text, size, theme.MUTED)

    def _draw_star(self, index: int, cell: Cell) -> None:
        x, y, edge = self._star_place(index)
        veil = theme.faded(theme.BACKGROUND, 0.72)
        self._canvas.rectangle(x, y, x + edge, y + edge, veil, self._ui.px(3))
        lit = self._on_star and index == self._hovered
        color = theme.WARNING if cell.is_starred else theme.TEXT if lit else theme.MUTED
        icons.star(self.item, x, y, edge, color, is_filled=cell.is_starred)

    def _has_focus(self) -> bool:
        return bool(dpg.is_item_focused(self.item))

    # --- mouse and keys -------------------------------------------------------------------------

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the cell under the mouse, and its star."""
        if self._is_dragging:
            return
        self._hovered = self._at(x, y) if inside else -1
        self._on_star = self._hovered >= 0 and self._is_on_star(self._hovered, x, y)

    def _is_on_star(self, index: int, x: float, y: float) -> bool:
        left, top, edge = self._star_place(index)
        return left <= x < left + edge and top <= y < top + edge

    def press(self, press: Press) -> bool:
        """Begin a click or a drag; open the menu with the right button."""
        index = self._at(press.x, press.y)
        if index < 0:
            return False
        self._cursor = index
        if press.button == RIGHT:
            self._actions.menu(index)
        elif press.button == LEFT and self._is_on_star(index, press.x, press.y):
            self._actions.star(index)
        elif press.button == LEFT:
            self._pressed = (index, press.x, press.y)
            return True
        return False

    def drag(self, x: float, y: float) -> None:
        """Carry the picture along with the mouse."""
        if self._pressed is None:
            return
        index, x0, y0 = self._pressed
        far = self._ui.px(_DRAG_BEGINS)
        self._is_dragging = self._is_dragging or abs(x - x0) > far or abs(y - y0) > far
        if self._is_dragging:
            left, top = dpg.get_item_rect_min(self.item)
            self._mouse = (left + x, top + y)
            dpg.delete_item(self._floating, children_only=True)
            self._actions.dragged(index, *self._mouse)

    def carry(self, cell: Cell) -> None:
        """Draw a picture at the mouse while it is dragged."""
        texture, half = self._pictures.find(self._key(cell)), min(self._edge, self._ui.px(72)) / 2
        if texture is not None:
            x, y = self._mouse
            dpg.draw_image(
                texture.tag, (x - half, y - half), (x + half, y + half), uv_min=texture.uv_min,
                uv_max=texture.uv_max, color=(255, 255, 255, 210), parent=self._floating,
            )  # fmt: skip

    def highlight(self, place: Rectangle, text: str, *, is_under: bool) -> None:
        """Show a place of the window where the dragged picture can be dropped.

        Args:
            is_under: whether the mouse is there.
        """
        px = self._ui.px
        dpg.draw_rectangle(
            (place.left, place.top), (place.right, place.bottom),
            color=theme.ACCENT if is_under else theme.ACCENT_DIM,
            fill=theme.faded(theme.PANEL, 0.9), thickness=px(_MARK), rounding=px(4),
            parent=self._floating,
        )  # fmt: skip
        size, width = px(fonts.BODY), place.right - place.left
        lines = fonts.wrapped(text, size, width - px(16))
        y = place.top + px(24)
        for index, line in enumerate(lines):
            x = (place.left + place.right - fonts.text_width(line, size)) / 2
            color = theme.TEXT if is_under else theme.MUTED
            dpg.draw_text((x, y + index * size), line, size=size, color=color,
                          parent=self._floating)  # fmt: skip

    def release(self) -> None:
        """Drop the picture; without a drag, open it."""
        pressed, self._pressed = self._pressed, None
        dragged, self._is_dragging = self._is_dragging, False
        dpg.delete_item(self._floating, children_only=True)
        if pressed is None:
            return
        if dragged:
            self._actions.dropped(pressed[0], *self._mouse)
        else:
            self._actions.open(pressed[0])

    def wheel(self, steps: float) -> None:
        """Scroll."""
        self._scroll -= steps * _WHEEL * self._step
        self._clamp()

    def key(self, code: int) -> bool:
        """Arrow keys choose a cell, Enter opens it, S gives it a star."""
        ahead = {
            dpg.mvKey_Left: -1, dpg.mvKey_Right: 1,
            dpg.mvKey_Up: -self._columns, dpg.mvKey_Down: self._columns,
        }  # fmt: skip
        if code in ahead and not (self._is_strip and code in (dpg.mvKey_Up, dpg.mvKey_Down)):
            last = self._cursor + 1 + self._columns if self._count is None else self._count - 1
            self._cursor = max(0, min(self._cursor + ahead[code], last))
            self.scroll_to(self._cursor)
        elif self._count == 0:
            return False
        elif code in ACT_KEYS:
            self._actions.open(self._cursor)
        elif code == dpg.mvKey_S:
            self._actions.star(self._cursor)
        else:
            return False
        return True
