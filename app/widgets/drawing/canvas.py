"""A surface to draw on, and the shapes of which the studio's hand-drawn widgets consist."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.widgets.drawing import fonts
from app.widgets.drawing.texture import PictureTexture
from app.widgets.drawing.theme import CLEAR, Item, Rgba


class Canvas:
    """A rectangle in a container; all coordinates are pixels from its upper left corner.

    Args:
        width, height: pixels.
        parent: container; 0 for the container that is being filled.
    """

    def __init__(self, width: int, height: int, parent: Item = 0) -> None:
        self.item: Item = dpg.add_drawlist(width, height, parent=parent)
        self._content: tuple[object, ...] | None = None

    def resize(self, width: int, height: int) -> None:
        """Change the size; the drawing stays."""
        dpg.configure_item(self.item, width=width, height=height)

    def wants(self, *content: object) -> bool:
        """Whether the content has changed; if so, the canvas is cleared for a new drawing.

        Args:
            content: everything that the drawing depends on.
        """
        if content == self._content:
            return False
        self._content = content
        dpg.delete_item(self.item, children_only=True)
        return True

    def text(self, x: float, y: float, text: str, size: float, color: Rgba) -> Item:
        """One line of text, ``size`` pixels high; (x, y) is its upper left corner."""
        item: Item = dpg.draw_text((x, y), text, size=size, color=color, parent=self.item)
        if not text.isascii():
            fonts.show_script(item, text, size)
        return item

    def rectangle(
        self, left: float, top: float, right: float, bottom: float, fill: Rgba, rounding: float = 0
    ) -> None:
        """A filled rectangle without an outline."""
        dpg.draw_rectangle(
            (left, top), (right, bottom), color=CLEAR, fill=fill, rounding=rounding,
            parent=self.item,
        )  # fmt: skip

    def disc(self, x: float, y: float, radius: float, fill: Rgba, *, outline: Rgba = CLEAR) -> None:
        """A filled circle around a point."""
        dpg.draw_circle((x, y), radius, color=outline, fill=fill, parent=self.item)

    def line(
        self, x0: float, y0: float, x1: float, y1: float, color: Rgba, thickness: float = 1
    ) -> None:
        """A straight line."""
        dpg.draw_line((x0, y0), (x1, y1), color=color, thickness=thickness, parent=self.item)

    def picture(self, texture: PictureTexture, width: float, height: float) -> None:
        """A picture at the canvas's upper left corner, stretched to a size."""
        dpg.draw_image(
            texture.tag, (0, 0), (width, height), uv_min=texture.uv_min, uv_max=texture.uv_max,
            parent=self.item,
        )  # fmt: skip
