"""Building blocks of panels: lengths at the window's scale, texts, buttons, fields to type in."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import dearpygui.dearpygui as dpg

from app.state.wording import showable
from app.widgets.controls.pointer import ACT_KEYS, LEFT, MouseTarget, Pointer, Press
from app.widgets.controls.tooltips import Tooltip, Tooltips
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.icons import Icon
from app.widgets.drawing.theme import Item, Theme

_ICON = 24


def plain(act: Callable[[], None]) -> Callable[[], None]:
    """``act`` as a callback that takes no arguments.

    Dear PyGui passes arguments to all parameters that a callback has, even to optional ones.
    """

    def call() -> None:
        act()

    return call


@contextmanager
def inside(container: Item) -> Iterator[None]:
    """Create widgets in a container that is there already."""
    dpg.push_container_stack(container)
    try:
        yield
    finally:  # else all later widgets would go into the container
        dpg.pop_container_stack()


def frameless_window(**options: Any) -> AbstractContextManager[Item]:
    """A window as large as its content, without a title, a scroll bar or borders to pull."""
    window: AbstractContextManager[Item] = dpg.window(
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
    """Makes the widgets of panels at one scale; made anew when the scale changes.

    Attributes:
        scale: of all lengths; 1 is meant for about 96 dots per inch.
        pointer: tells hand-drawn widgets what the mouse does.
        theme: fonts and looks.
        tooltips: explain widgets.
        text_fields: all fields that can have the keyboard.
        number_entry: the field in which a slider's value is typed.
    """

    def __init__(self, scale: float, pointer: Pointer) -> None:
        self.scale = scale
        self.pointer = pointer
        self.theme = Theme(scale)
        self.tooltips = Tooltips(self.theme)
        self.text_fields: list[Item] = []
        self._handlers: dict[Item, Item] = {}  # by their text field
        self.number_entry = NumberEntry(self)

    def px(self, length: float) -> int:
        """A length at scale 1 in pixels."""
        return self.theme.px(length)

    @property
    def typing(self) -> bool:
        """Whether a text field has the keyboard."""
        return any(dpg.does_item_exist(f) and dpg.is_item_active(f) for f in self.text_fields)

    def focus_first(self) -> None:
        """Give the keyboard to the first text field on the screen."""
        for field in self.text_fields:
            if dpg.does_item_exist(field) and dpg.get_item_state(field).get("visible"):
                dpg.focus_item(field)
                return

    def tooltip(self, item: Item, text: str = "") -> Tooltip:
        """Explain ``item`` after a short rest of the mouse."""
        return self.tooltips.add(item, text)

    def heading(self, text: str) -> None:
        """A small label over a section."""
        dpg.add_spacer(height=self.px(4))
        dpg.bind_item_font(dpg.add_text(text.upper(), color=theme.MUTED), self.theme.semibold)

    def caption(self, text: str, width: int = 80) -> None:
        """A heading as high as the buttons in the same row; ``width`` at scale 1."""
        size, height = self.px(fonts.SMALL), self.px(24)
        canvas = Canvas(self.px(width), height)
        words = canvas.text(0, (height - size) / 2, text.upper(), size, theme.MUTED)
        dpg.bind_item_font(words, self.theme.semibold)

    def small_text(self, text: str = "", color: theme.Rgba = theme.MUTED, wrap: int = -1) -> Item:
        """A line in the small size."""
        item: Item = dpg.add_text(text, color=color, wrap=wrap)
        fonts.show_script(item, text, self.px(fonts.SMALL), self.theme.small)
        return item

    def set_small_text(self, item: Item, text: str) -> None:
        """Change a line in the small size; names in it may be no UTF-8."""
        text = showable(text)
        if dpg.get_value(item) != text:
            dpg.set_value(item, text)
            fonts.show_script(item, text, self.px(fonts.SMALL), self.theme.small)

    def set_text(self, item: Item, text: str) -> None:
        """Change the text of a field or of a line."""
        if dpg.get_value(item) != text:
            dpg.set_value(item, text)
            self.show_script(item, text)

    def show_script(self, item: Item, text: str) -> None:
        """Give an item of the usual size a font for the script of its text."""
        fonts.show_script(item, text, self.px(fonts.BODY))

    def button(
        self,
        label: str,
        callback: Callable[[], None],
        tooltip: str = "",
        *,
        width: int = 0,
        look: Item = 0,
    ) -> Item:
        """A text button."""

        def pressed() -> None:
            if dpg.does_item_exist(item):  # else an earlier callback has closed its dialog
                callback()

        item: Item = dpg.add_button(label=label, width=width, callback=pressed)
        dpg.bind_item_theme(item, look)
        self.show_script(item, label)
        if tooltip:
            self.tooltip(item, tooltip)
        return item

    def select(self, button: Item, selected: bool) -> None:
        """Show whether a button's choice is chosen."""
        dpg.bind_item_theme(button, self.theme.selected if selected else self.theme.quiet)

    def enable(self, button: Item, enabled: bool, look: Item = 0) -> None:
        """Enable or disable a button; ``look`` is the theme of the enabled button."""
        dpg.configure_item(button, enabled=enabled)
        dpg.bind_item_theme(button, (look or self.theme.button) if enabled else self.theme.quiet)

    def text_field(
        self,
        value: str,
        committed: Callable[[str], None],
        tooltip: str,
        *,
        width: int = -1,
        digits_only: bool = False,
        hint: str = "",
    ) -> Item:
        """A text field whose value counts when Enter is pressed or the field is left.

        Args:
            hint: shown while the field is empty.
        """
        field: Item = dpg.add_input_text(
            default_value=value, width=width, decimal=digits_only, no_spaces=digits_only,
            auto_select_all=True, hint=hint,
        )  # fmt: skip

        def edited() -> None:
            if dpg.does_item_exist(field):  # else Enter has closed the field's dialog
                self.show_script(field, str(dpg.get_value(field)))
                committed(str(dpg.get_value(field)))

        with dpg.item_handler_registry() as handlers:
            dpg.add_item_deactivated_after_edit_handler(callback=edited)
        dpg.bind_item_handler_registry(field, handlers)
        self._forget_deleted()
        self.text_fields.append(field)
        self._handlers[field] = handlers
        self.tooltip(field, tooltip)
        self.show_script(field, value)
        return field

    def _forget_deleted(self) -> None:
        """Forget the fields of closed dialogs, and delete their handlers, which would stay."""
        self.text_fields = [field for field in self.text_fields if dpg.does_item_exist(field)]
        for field in [field for field in self._handlers if not dpg.does_item_exist(field)]:
            dpg.delete_item(self._handlers.pop(field))


class IconButton(MouseTarget):
    """A button with a drawn icon."""

    def __init__(self, ui: Ui, icon: Icon, callback: Callable[[], None], tooltip: str) -> None:
        self._ui, self._icon, self._callback = ui, icon, callback
        self._edge = ui.px(_ICON)
        self._inside = False
        self.enabled = True
        self._canvas = Canvas(self._edge, self._edge)
        self.item = self._canvas.item
        ui.tooltip(self.item, tooltip)
        ui.pointer.add(self)
        self._draw()

    def show(self, *, enabled: bool) -> None:
        """Enable or disable the button."""
        self.enabled = enabled
        self._draw()

    def show_icon(self, icon: Icon) -> None:
        """Change the icon."""
        self._icon = icon
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up."""
        self._inside = inside
        self._draw()

    def press(self, press: Press) -> bool:
        """Act on the left button."""
        if press.button == LEFT and self.enabled:
            self._callback()
        return False

    def key(self, code: int) -> bool:
        """Act on Enter and Space."""
        if code in ACT_KEYS and self.enabled:
            self._callback()
        return code in ACT_KEYS

    def _draw(self) -> None:
        if not self._canvas.wants(self.enabled, self._inside, self._icon):
            return
        lit = self._inside and self.enabled
        if lit:
            edge = self._edge
            self._canvas.rectangle(0, 0, edge, edge, theme.HOVERED, self._ui.px(4))
        color = theme.TEXT if lit else theme.MUTED if self.enabled else theme.LINE
        self._icon(self.item, 0.0, 0.0, float(self._edge), color)


class NumberEntry:
    """The field that opens over a slider's value, to type another value."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._accept: Callable[[float], None] | None = None
        self._over: Item = 0
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

    def open(self, over: Item, text: str, accept: Callable[[float], None], offset: int) -> None:
        """Show the field over an item, ``offset`` pixels from the item's left edge."""
        x, y = dpg.get_item_rect_min(over)
        right = dpg.get_viewport_client_width() - self._ui.px(80)
        dpg.configure_item(
            self._window, show=True, pos=(min(int(x) + offset - self._ui.px(28), right), int(y))
        )
        dpg.set_value(self._field, text.lstrip("+"))
        dpg.focus_item(self._field)
        self._accept, self._over = accept, over
        self._frames_open = 0

    def tick(self) -> None:
        """Once a frame: close when the field has lost the keyboard."""
        if self._accept is None:
            return
        self._frames_open += 1
        if self._frames_open > 5 and not dpg.is_item_active(self._field):
            self.close()

    def close(self) -> None:
        """Hide the field and forget its text."""
        self._accept = None
        dpg.hide_item(self._window)

    def _entered(self, text: str) -> None:
        accept = self._accept
        self.close()
        dpg.focus_item(self._over)
        try:
            value = float(text.replace("−", "-").replace(",", "."))
        except ValueError:
            return
        if accept is not None:
            accept(value)
