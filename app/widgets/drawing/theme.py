"""Colours, type and spacing; the only file that knows Dear PyGui's style names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import dearpygui.dearpygui as dpg

from app.widgets.drawing import fonts

#: Red, green, blue and opacity, 0 to 255.
Rgba: TypeAlias = tuple[int, int, int, int]
#: Dear PyGui's name for a widget, a font or a theme; 0 for none.
Item: TypeAlias = int | str


def _color(code: str) -> Rgba:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16), 255


BACKGROUND = _color("#16181c")
PANEL = _color("#1d2026")
RAISED = _color("#262a31")
HOVERED = _color("#30353e")
LINE = _color("#2a2e36")
TEXT = _color("#d7dae0")
MUTED = _color("#8b919c")
FAINT = _color("#6e7581")
ACCENT = _color("#6aa3ff")
ACCENT_DIM = _color("#3d5c8f")
WARNING = _color("#e6b450")
WARNING_DIM = _color("#66542e")
ERROR = _color("#e06c75")
CLEAR: Rgba = (0, 0, 0, 0)
#: Colours of the curves that share a plot: easily told apart, and equally calm.
CURVES = tuple(
    _color(code)
    for code in (
        "#6aa3ff", "#e0b070", "#63bfa8", "#d98598", "#a893dc", "#9aa3b2", "#93bd6c", "#d08f5f",
        "#5fb0cf", "#c4a6a0",
    )
)  # fmt: skip


def faded(color: Rgba, alpha: float) -> Rgba:
    """The colour at a share of its opacity."""
    return color[0], color[1], color[2], round(color[3] * alpha)


#: The parts of Dear PyGui's widgets that have each colour: ``mvThemeCol_…``.
_BASE_COLORS: dict[Rgba, tuple[str, ...]] = {
    TEXT: ("Text",),
    FAINT: ("TextDisabled", "ScrollbarGrabHovered", "ScrollbarGrabActive"),
    MUTED: ("SliderGrab",),
    BACKGROUND: ("WindowBg",),
    PANEL: ("PopupBg", "TitleBg", "TitleBgActive", "TitleBgCollapsed", "TableHeaderBg"),
    RAISED: ("FrameBg", "Button"),
    HOVERED: (
        "FrameBgHovered", "FrameBgActive", "ScrollbarGrab", "ButtonHovered", "Header",
        "HeaderHovered",
    ),
    LINE: ("Border", "Separator", "TableBorderLight", "TableBorderStrong"),
    ACCENT: ("CheckMark", "SliderGrabActive", "PlotHistogram", "NavCursor"),
    ACCENT_DIM: ("ButtonActive", "HeaderActive", "TextSelectedBg"),
    CLEAR: ("ChildBg", "MenuBarBg", "ScrollbarBg", "ResizeGrip"),
    (0, 0, 0, 140): ("ModalWindowDimBg",),
}  # fmt: skip
#: Lengths at scale 1.
_BASE_STYLES: dict[int, tuple[float, ...]] = {
    dpg.mvStyleVar_WindowPadding: (12, 12),
    dpg.mvStyleVar_WindowBorderSize: (0,),
    dpg.mvStyleVar_ChildBorderSize: (0,),
    dpg.mvStyleVar_PopupBorderSize: (1,),
    dpg.mvStyleVar_PopupRounding: (4,),
    dpg.mvStyleVar_WindowRounding: (0,),
    dpg.mvStyleVar_FramePadding: (8, 3),
    dpg.mvStyleVar_FrameRounding: (4,),
    dpg.mvStyleVar_GrabRounding: (4,),
    dpg.mvStyleVar_ItemSpacing: (8, 3),
    dpg.mvStyleVar_ItemInnerSpacing: (8, 4),
    dpg.mvStyleVar_ScrollbarSize: (10,),
    dpg.mvStyleVar_ScrollbarRounding: (4,),
    dpg.mvStyleVar_IndentSpacing: (12,),
}


class Theme:
    """Fonts and themes at one scale; made anew when the scale changes.

    Without Open Sans, fonts are 0, which stands for Dear PyGui's own font.

    Args:
        scale: of everything; 1 is meant for about 96 dots per inch.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        regular, semibold = fonts.font_path("Regular"), fonts.font_path("Semibold")
        self.small: Item = 0
        self.semibold: Item = 0
        self.title: Item = 0
        if regular is not None and semibold is not None:
            with dpg.font_registry():
                dpg.bind_font(dpg.add_font(str(regular), self.px(fonts.BODY)))
                self.small = dpg.add_font(str(regular), self.px(fonts.SMALL))
                self.semibold = dpg.add_font(str(semibold), self.px(fonts.SMALL))
                self.title = dpg.add_font(str(semibold), self.px(fonts.TITLE))
        else:
            dpg.set_global_font_scale(scale)
        self._bind_base()
        self.selected = self._button(ACCENT_DIM, ACCENT_DIM, TEXT)
        self.primary = self._button(ACCENT_DIM, _color("#4a6eaa"), TEXT)
        self.quiet = self._button(CLEAR, HOVERED, MUTED)
        self.button = self._button(RAISED, HOVERED, TEXT)
        #: Of rows of a list that are higher than their text.
        self.row = self._make({}, {dpg.mvStyleVar_SelectableTextAlign: (0.0, 0.5 / self.scale)})
        self.flawed = self._make({dpg.mvThemeCol_Text: ERROR})
        self.plot = self._plot()
        self._lines: dict[Rgba, Item] = {}
        self.flat = self._container(padding=0)
        unseen = ("NavCursor", "Button", "ButtonHovered", "ButtonActive")
        self.unseen = self._make({getattr(dpg, f"mvThemeCol_{part}"): CLEAR for part in unseen})
        # The window is cleared to the panels' colour already: see app.widgets.drawing.backdrop.
        self.panel = self._container(padding=12)
        self.strip = self._container(padding=8)
        self.card = self._container(padding=16, background=PANEL, border=True)
        # Menus and tooltips are windows too, and inherit the padding of the window around them.
        self.popup = self._container(padding=8)
        self.dialog = self._container(padding=16, background=PANEL, border=True)
        self.toast = self._container(padding=12, background=RAISED, border=True)

    def px(self, length: float) -> int:
        """A length at scale 1 in pixels of the screen."""
        return max(1, round(length * self.scale))

    def line(self, color: Rgba) -> Item:
        """A theme for a plot's line in a colour."""
        if color not in self._lines:
            colors, styles = {dpg.mvPlotCol_Line: color}, {dpg.mvPlotStyleVar_LineWeight: (1.5,)}
            self._lines[color] = self._make(colors, styles, dpg.mvThemeCat_Plots)
        return self._lines[color]

    def _make(
        self,
        colors: Mapping[int, Rgba],
        styles: Mapping[int, tuple[float, ...]] | None = None,
        category: int = dpg.mvThemeCat_Core,
    ) -> Item:
        """A theme of colours, and of lengths at scale 1."""
        made: Item
        with dpg.theme() as made, dpg.theme_component(dpg.mvAll):
            for name, color in colors.items():
                dpg.add_theme_color(name, color, category=category)
            for name, lengths in (styles or {}).items():
                scaled = [length * self.scale for length in lengths]
                dpg.add_theme_style(name, *scaled, category=category)
        return made

    def _bind_base(self) -> None:
        """Give a theme to all widgets that have no theme of their own."""
        named = {name: color for color, names in _BASE_COLORS.items() for name in names}
        colors = {getattr(dpg, f"mvThemeCol_{name}"): color for name, color in named.items()}
        base = self._make(colors, _BASE_STYLES)
        with dpg.theme_component(dpg.mvButton, enabled_state=False, parent=base):
            for name in ("Button", "ButtonHovered", "ButtonActive"):
                dpg.add_theme_color(getattr(dpg, f"mvThemeCol_{name}"), RAISED)
            dpg.add_theme_color(dpg.mvThemeCol_Text, FAINT)
        dpg.bind_theme(base)

    def _button(self, color: Rgba, hovered: Rgba, text: Rgba) -> Item:
        return self._make(
            {
                dpg.mvThemeCol_Button: color,
                dpg.mvThemeCol_ButtonHovered: hovered,
                dpg.mvThemeCol_ButtonActive: ACCENT_DIM,
                dpg.mvThemeCol_Text: text,
            }
        )

    def _plot(self) -> Item:
        colors = {
            dpg.mvPlotCol_FrameBg: CLEAR,
            dpg.mvPlotCol_PlotBg: BACKGROUND,
            dpg.mvPlotCol_PlotBorder: CLEAR,
            dpg.mvPlotCol_AxisText: MUTED,
            dpg.mvPlotCol_AxisGrid: LINE,
            dpg.mvPlotCol_AxisTick: CLEAR,
        }
        styles = {
            dpg.mvPlotStyleVar_PlotPadding: (8.0, 2.0),
            dpg.mvPlotStyleVar_LabelPadding: (4.0, 4.0),
            # FitPadding is a share of the curves' range: the division undoes the scale of _make.
            dpg.mvPlotStyleVar_FitPadding: (0.04 / self.scale, 0.06 / self.scale),
        }
        return self._make(colors, styles, dpg.mvThemeCat_Plots)

    def _container(
        self, padding: float, background: Rgba | None = None, *, border: bool = False
    ) -> Item:
        parts = (dpg.mvThemeCol_ChildBg, dpg.mvThemeCol_WindowBg, dpg.mvThemeCol_PopupBg)
        colors = dict.fromkeys(parts, background) if background is not None else {}
        styles: dict[int, tuple[float, ...]] = {dpg.mvStyleVar_WindowPadding: (padding, padding)}
        if border:
            styles |= {dpg.mvStyleVar_WindowBorderSize: (1,), dpg.mvStyleVar_WindowRounding: (6,)}
        return self._make(colors, styles)
