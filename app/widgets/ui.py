"""The toolbox panels build with: scale, themes, pointer, small widgets, number entry."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import dearpygui.dearpygui as dpg

from app.widgets import fonts, theme
from app.widgets.icons import Icon
from app.widgets.pointer import LEFT, Pointer, Press
from app.widgets.theme import Theme

ICON = 24


def plain(act: Callable[[], None]) -> Callable[[], None]:
    """``act`` as a callback: Dear PyGui counts parameters, optional ones too, and fills them."""

    def call() -> None:
        act()

    return call


def frameless_window(**options: Any) -> AbstractContextManager[int | str]:
    """A window as large as its content, without title, borders to pull or scroll bar."""
    window: AbstractContextManager[int | str] = dpg.window(
        no_title_bar=True,
        no_resize=True,
        no_move=True,
        no_scrollbar=True,
        autosize=True,
        min_size=(1, 1),
        **options,
    )
    return window


class Ui:
    """What panels share, at one scale."""

    def __init__(self, scale: float, pointer: Pointer) -> None:
        self.scale = scale
        self.pointer = pointer
        self.theme = Theme(scale)
        self.text_fields: list[int | str] = []
        self.number_entry = NumberEntry(self)

    def px(self, length: float) -> int:
        """A length at scale 1 in pixels."""
        return self.theme.px(length)

    @property
    def typing(self) -> bool:
        """Whether a text field has the keyboard."""
        return any(dpg.does_item_exist(f) and dpg.is_item_active(f) for f in self.text_fields)

    def tooltip(self, item: int | str, text: str) -> None:
        """Explain ``item`` after a short rest of the mouse."""
        with dpg.tooltip(item, delay=0.5, hide_on_activity=True) as tip:
            dpg.add_text(text, wrap=self.px(300))
        dpg.bind_item_theme(tip, self.theme.popup)

    def live_tooltip(self, item: int | str) -> int | str:
        """A tooltip whose text changes; returns the text's item."""
        with dpg.tooltip(item, delay=0.5, hide_on_activity=True) as tip:
            text: int | str = dpg.add_text("", wrap=self.px(300))
        dpg.bind_item_theme(tip, self.theme.popup)
        return text

    def heading(self, text: str) -> None:
        """A small label over a section."""
        dpg.add_spacer(height=self.px(4))
        label = dpg.add_text(text.upper(), color=theme.MUTED)
        if self.theme.semibold:
            dpg.bind_item_font(label, self.theme.semibold)

    def caption(self, text: str, width: int = 80) -> None:
        """A heading as high as a button, to stand beside one; ``width`` at scale 1."""
        with dpg.drawlist(self.px(width), self.px(24)) as canvas:
            at = (0, (self.px(24) - self.px(fonts.SMALL)) / 2)
            words = dpg.draw_text(at, text.upper(), size=self.px(fonts.SMALL), color=theme.MUTED)
        if self.theme.semibold:
            dpg.bind_item_font(words, self.theme.semibold)
        _ = canvas

    def small_text(self, text: str = "", color: theme.Color = theme.MUTED, wrap: int = -1) -> int:
        """A line in the small size."""
        item = dpg.add_text(text, color=color, wrap=wrap)
        if self.theme.small:
            dpg.bind_item_font(item, self.theme.small)
        return int(item)

    def button(
        self,
        label: str,
        callback: Callable[[], None],
        tooltip: str = "",
        *,
        width: int = 0,
        look: int | str = 0,
    ) -> int | str:
        """A text button."""
        item: int | str = dpg.add_button(label=label, width=width, callback=plain(callback))
        if look:
            dpg.bind_item_theme(item, look)
        if tooltip:
            self.tooltip(item, tooltip)
        return item

    def text_field(
        self,
        value: str,
        committed: Callable[[str], None],
        tooltip: str,
        *,
        width: int = -1,
        digits_only: bool = False,
        hint: str = "",
    ) -> int | str:
        """A text field whose value counts when Enter is pressed or the field is left.

        Args:
            hint: shown while it is empty.
        """
        field: int | str = dpg.add_input_text(
            default_value=value, width=width, decimal=digits_only, no_spaces=digits_only,
            auto_select_all=True, hint=hint,
        )  # fmt: skip
        with dpg.item_handler_registry() as handlers:
            dpg.add_item_deactivated_after_edit_handler(
                callback=lambda: committed(str(dpg.get_value(field)))
            )
        dpg.bind_item_handler_registry(field, handlers)
        self.text_fields.append(field)
        self.tooltip(field, tooltip)
        return field


class IconButton:
    """A drawn icon that is clicked."""

    def __init__(
        self, ui: Ui, icon: Icon, callback: Callable[[], None], tooltip: str, edge: int = ICON
    ) -> None:
        self._ui, self._icon, self._callback = ui, icon, callback
        self._edge = ui.px(edge)
        self._inside = False
        self.enabled = True
        with dpg.group() as group:
            self.item: int | str = dpg.add_drawlist(self._edge, self._edge)
        ui.tooltip(group, tooltip)
        ui.pointer.add(self)
        self._draw()

    def show(self, *, enabled: bool = True, icon: Icon | None = None) -> None:
        """Enable or disable, and change the icon."""
        if enabled != self.enabled or (icon is not None and icon is not self._icon):
            self.enabled = enabled
            self._icon = icon or self._icon
            self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        if inside != self._inside:
            self._inside = inside
            self._draw()

    def press(self, press: Press) -> bool:
        """Act on the left button."""
        if press.button == LEFT and self.enabled:
            self._callback()
        return False

    def drag(self, x: float, y: float) -> None:
        """Buttons are not dragged."""

    def release(self) -> None:
        """Nothing to end."""

    def wheel(self, steps: float) -> bool:
        """The wheel is for scrolling."""
        return False

    def _draw(self) -> None:
        dpg.delete_item(self.item, children_only=True)
        lit = self._inside and self.enabled
        if lit:
            dpg.draw_rectangle(
                (0, 0),
                (self._edge, self._edge),
                color=theme.CLEAR,
                fill=theme.HOVERED,
                rounding=self._ui.px(4),
                parent=self.item,
            )
        color = theme.TEXT if lit else theme.MUTED if self.enabled else theme.LINE
        self._icon(self.item, 0.0, 0.0, float(self._edge), color)


class NumberEntry:
    """The field that opens over a slider's value to type in."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._accept: Callable[[float], None] | None = None
        self._frames_open = 0
        with frameless_window(show=False) as self._window:
            self._field = dpg.add_input_text(
                width=ui.px(76),
                scientific=True,
                auto_select_all=True,
                on_enter=True,
                callback=lambda _, text: self._entered(text),
            )
        dpg.bind_item_theme(self._window, ui.theme.flat)
        ui.text_fields.append(self._field)

    @property
    def is_open(self) -> bool:
        """Whether the field is on the screen."""
        return self._accept is not None

    def open(
        self, over: int | str, text: str, accept: Callable[[float], None], offset: int
    ) -> None:
        """Show the field over an item, ``offset`` pixels from its left edge."""
        x, y = dpg.get_item_rect_min(over)
        right = dpg.get_viewport_client_width() - self._ui.px(80)
        dpg.configure_item(
            self._window, show=True, pos=(min(int(x) + offset - self._ui.px(28), right), int(y))
        )
        dpg.set_value(self._field, text.lstrip("+"))
        dpg.focus_item(self._field)
        self._accept = accept
        self._frames_open = 0

    def tick(self) -> None:
        """Once a frame: close when the field has lost the keyboard."""
        if self._accept is None:
            return
        self._frames_open += 1
        if self._frames_open > 5 and not dpg.is_item_active(self._field):
            self.close()

    def close(self) -> None:
        """Hide the field; what was typed does not count."""
        self._accept = None
        dpg.hide_item(self._window)

    def _entered(self, text: str) -> None:
        accept = self._accept
        self.close()
        try:
            value = float(text.replace("−", "-").replace(",", "."))
        except ValueError:
            return
        if accept is not None:
            accept(value)


def duration(hours: float) -> str:
    """A time to go as people say it."""
    minutes = hours * 60.0
    if minutes < 1.0:
        return "< 1 min"
    if minutes < 90.0:
        return f"{minutes:.0f} min"
    return f"{hours:.1f} h" if hours < 48.0 else f"{hours / 24.0:.1f} days"


def line_height(ui: Ui) -> int:
    """Height of a text line with its frame, pixels."""
    return ui.px(fonts.BODY + 6)
