"""Explanations of widgets, shown beside the panel so that they cover nothing that they explain."""

from __future__ import annotations

import time
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.widgets.drawing import fonts, theme
from app.widgets.drawing.backdrop import Rectangle
from app.widgets.drawing.theme import Item, Theme

_DELAY = 0.7  # seconds for which the mouse rests
_WIDTH, _GAP, _PADDING = 300, 8, 8


@dataclass(eq=False)
class Tooltip:
    """The text that explains an item; it may change."""

    item: Item
    text: str


class Tooltips:
    """Shows the text of the item on which the mouse rests, above all windows and menus.

    Attributes:
        edges: right edge of the left column and left edge of the right column, pixels; the pages
            set them.
    """

    def __init__(self, look: Theme) -> None:
        self._px = look.px
        self._tips: list[Tooltip] = []
        self._shown: Tooltip | None = None
        self._mouse = (0.0, 0.0)
        self._rests_since = time.monotonic()
        self._has_looked = True
        self.edges = (0, 1 << 20)
        self._drawing = dpg.add_viewport_drawlist(front=True)

    def add(self, item: Item, text: str) -> Tooltip:
        """Explain an item."""
        tip = Tooltip(item, text)
        self._tips.append(tip)
        return tip

    def tick(self, mouse: tuple[float, float], *, busy: bool) -> None:
        """Once a frame: show a text when the mouse has rested, hide it when the mouse has left.

        Args:
            busy: a button is held or something is being typed, which needs no explanation.
        """
        now = time.monotonic()
        if mouse != self._mouse or busy:
            self._mouse, self._rests_since, self._has_looked = mouse, now, busy
        if self._shown is not None and (busy or not _is_hovered(self._shown)):
            self._hide()
        if not self._has_looked and now - self._rests_since > _DELAY:
            self._has_looked = True
            self._tips = [tip for tip in self._tips if dpg.does_item_exist(tip.item)]
            tip = next((tip for tip in reversed(self._tips) if _is_hovered(tip)), None)
            if tip is not self._shown:
                self._hide()
                if tip is not None and tip.text:
                    self._shown = tip
                    self._draw(tip)

    def _hide(self) -> None:
        self._shown = None
        dpg.delete_item(self._drawing, children_only=True)

    def _draw(self, tip: Tooltip) -> None:
        """Draw the text beside its item."""
        px, line = self._px, self._px(fonts.BODY)
        lines = fonts.wrapped(tip.text, line, px(_WIDTH))
        width = max(fonts.text_width(text, line) for text in lines) + 2 * px(_PADDING)
        size = (round(width), line * len(lines) + 2 * px(_PADDING))
        left, top = dpg.get_item_rect_min(tip.item)
        wide, high = dpg.get_item_rect_size(tip.item)
        x, y = place_beside(
            Rectangle(left, top, left + wide, top + high),
            size,
            (dpg.get_viewport_client_width(), dpg.get_viewport_client_height()),
            self.edges,
            px(_GAP),
        )
        dpg.draw_rectangle(
            (x, y), (x + size[0], y + size[1]), color=theme.LINE, fill=theme.RAISED,
            rounding=px(4), parent=self._drawing,
        )  # fmt: skip
        for index, text in enumerate(lines):
            place = (x + px(_PADDING), y + px(_PADDING) + line * index)
            words = dpg.draw_text(place, text, size=line, color=theme.TEXT, parent=self._drawing)
            fonts.show_script(words, text, line)


def place_beside(
    item: Rectangle,
    size: tuple[int, int],
    window: tuple[int, int],
    edges: tuple[int, int],
    gap: int,
) -> tuple[int, int]:
    """Where a text of a size goes: beside the item's column, else above or below the item.

    Args:
        edges: right edge of the left column, left edge of the right column.
        gap: between item and text.
    """
    width, height = size
    middle = (item.left + item.right) / 2
    x, y = item.left, item.top
    if middle < edges[0] and edges[0] + gap + width <= window[0]:
        x = edges[0] + gap
    elif middle > edges[1] and edges[1] - gap - width >= 0:
        x = edges[1] - gap - width
    else:
        y = item.bottom + gap if item.top < window[1] / 2 else item.top - gap - height
    return _within(x, window[0] - width), _within(y, window[1] - height)


def _within(place: float, most: int) -> int:
    return max(0, min(round(place), most))


def _is_hovered(tip: Tooltip) -> bool:
    return dpg.does_item_exist(tip.item) and bool(dpg.get_item_state(tip.item).get("hovered"))
