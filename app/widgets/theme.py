"""Colours, type and spacing; the only file that knows Dear PyGui's style names."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.widgets import fonts

Color = tuple[int, int, int, int]


def _color(code: str, alpha: int = 255) -> Color:
    return int(code[1:3], 16), int(code[3:5], 16), int(code[5:7], 16), alpha


BACKGROUND = _color("#16181c")
PANEL = _color("#1d2026")
RAISED = _color("#262a31")
HOVERED = _color("#30353e")
LINE = _color("#2a2e36")
TEXT = _color("#d7dae0")
MUTED = _color("#8b919c")
FAINT = _color("#5a606b")
ACCENT = _color("#6aa3ff")
ACCENT_DIM = _color("#3d5c8f")
WARNING = _color("#e6b450")
WARNING_DIM = _color("#66542e")
ERROR = _color("#e06c75")
CLEAR: Color = (0, 0, 0, 0)
#: Of curves that share a plot: told apart at a glance, none of them loud.
CURVES = tuple(
    _color(code)
    for code in (
        "#6aa3ff", "#e0b070", "#63bfa8", "#d98598", "#a893dc", "#9aa3b2", "#93bd6c", "#d08f5f",
        "#5fb0cf", "#c4a6a0",
    )
)  # fmt: skip


def faded(color: Color, alpha: float) -> Color:
    """The colour at a share of its opacity."""
    return color[0], color[1], color[2], round(color[3] * alpha)


class Theme:
    """Fonts and themes at one scale; made anew when the scale changes.

    Args:
        scale: of everything; 1 is meant for about 96 dots per inch.
    """

    def __init__(self, scale: float) -> None:
        self.scale = scale
        regular, semibold = fonts.font_path("Regular"), fonts.font_path("Semibold")
        self.regular: int | str = 0
        self.semibold: int | str = 0
        self.small: int | str = 0
        self.title: int | str = 0
        if regular is not None and semibold is not None:
            with dpg.font_registry():
                self.regular = dpg.add_font(str(regular), self.px(fonts.BODY))
                self.small = dpg.add_font(str(regular), self.px(fonts.SMALL))
                self.semibold = dpg.add_font(str(semibold), self.px(fonts.SMALL))
                self.title = dpg.add_font(str(semibold), self.px(fonts.TITLE))
            dpg.bind_font(self.regular)
        else:
            dpg.set_global_font_scale(scale)
        self._base = self._make_base()
        dpg.bind_theme(self._base)
        self.selected = self._button(ACCENT_DIM, ACCENT_DIM, TEXT)
        self.primary = self._button(ACCENT_DIM, _color("#4a6eaa"), TEXT)
        self.quiet = self._button(CLEAR, HOVERED, MUTED)
        self.button = self._button(RAISED, HOVERED, TEXT)
        self.flawed = self._text(ERROR)
        self.plot = self._plot()
        self._lines: dict[Color, int | str] = {}
        self.flat = self._container(padding=0)
        # The window is cleared to their colour already: see app.widgets.backdrop.
        self.panel = self._container(padding=12)
        self.bar = self._container(padding=0)
        self.card = self._container(padding=16, background=PANEL, border=True)
        # Menus and tooltips are windows too, and inherit the padding of the one they stand in.
        self.popup = self._container(padding=8)
        self.dialog = self._container(padding=16, background=PANEL, border=True)
        self.toast = self._container(padding=12, background=RAISED, border=True)

    def px(self, length: float) -> int:
        """A length at scale 1 in pixels of the screen."""
        return max(1, round(length * self.scale))

    def _style(self, name: int, x: float, y: float = -1.0) -> None:
        if y < 0:
            dpg.add_theme_style(name, x * self.scale)
        else:
            dpg.add_theme_style(name, x * self.scale, y * self.scale)

    def _make_base(self) -> int | str:
        colors = {
            dpg.mvThemeCol_Text: TEXT,
            dpg.mvThemeCol_TextDisabled: FAINT,
            dpg.mvThemeCol_WindowBg: BACKGROUND,
            dpg.mvThemeCol_ChildBg: CLEAR,
            dpg.mvThemeCol_PopupBg: PANEL,
            dpg.mvThemeCol_Border: LINE,
            dpg.mvThemeCol_FrameBg: RAISED,
            dpg.mvThemeCol_FrameBgHovered: HOVERED,
            dpg.mvThemeCol_FrameBgActive: HOVERED,
            dpg.mvThemeCol_TitleBg: PANEL,
            dpg.mvThemeCol_TitleBgActive: PANEL,
            dpg.mvThemeCol_TitleBgCollapsed: PANEL,
            dpg.mvThemeCol_MenuBarBg: CLEAR,
            dpg.mvThemeCol_ScrollbarBg: CLEAR,
            dpg.mvThemeCol_ScrollbarGrab: HOVERED,
            dpg.mvThemeCol_ScrollbarGrabHovered: FAINT,
            dpg.mvThemeCol_ScrollbarGrabActive: FAINT,
            dpg.mvThemeCol_CheckMark: ACCENT,
            dpg.mvThemeCol_SliderGrab: MUTED,
            dpg.mvThemeCol_SliderGrabActive: ACCENT,
            dpg.mvThemeCol_Button: RAISED,
            dpg.mvThemeCol_ButtonHovered: HOVERED,
            dpg.mvThemeCol_ButtonActive: ACCENT_DIM,
            dpg.mvThemeCol_Header: HOVERED,
            dpg.mvThemeCol_HeaderHovered: HOVERED,
            dpg.mvThemeCol_HeaderActive: ACCENT_DIM,
            dpg.mvThemeCol_Separator: LINE,
            dpg.mvThemeCol_ResizeGrip: CLEAR,
            dpg.mvThemeCol_PlotHistogram: ACCENT,
            dpg.mvThemeCol_TextSelectedBg: ACCENT_DIM,
            dpg.mvThemeCol_NavCursor: CLEAR,
            dpg.mvThemeCol_ModalWindowDimBg: (0, 0, 0, 140),
            dpg.mvThemeCol_TableHeaderBg: PANEL,
            dpg.mvThemeCol_TableBorderLight: LINE,
            dpg.mvThemeCol_TableBorderStrong: LINE,
        }
        theme: int | str
        with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
            for name, color in colors.items():
                dpg.add_theme_color(name, color)
            self._style(dpg.mvStyleVar_WindowPadding, 12, 12)
            self._style(dpg.mvStyleVar_WindowBorderSize, 0)
            self._style(dpg.mvStyleVar_ChildBorderSize, 0)
            self._style(dpg.mvStyleVar_PopupBorderSize, 1)
            self._style(dpg.mvStyleVar_PopupRounding, 4)
            self._style(dpg.mvStyleVar_WindowRounding, 0)
            self._style(dpg.mvStyleVar_FramePadding, 8, 3)
            self._style(dpg.mvStyleVar_FrameRounding, 4)
            self._style(dpg.mvStyleVar_GrabRounding, 4)
            self._style(dpg.mvStyleVar_ItemSpacing, 8, 3)
            self._style(dpg.mvStyleVar_ItemInnerSpacing, 8, 4)
            self._style(dpg.mvStyleVar_ScrollbarSize, 10)
            self._style(dpg.mvStyleVar_ScrollbarRounding, 4)
            self._style(dpg.mvStyleVar_IndentSpacing, 12)
        with dpg.theme_component(dpg.mvButton, enabled_state=False, parent=theme):
            for name in (
                dpg.mvThemeCol_Button, dpg.mvThemeCol_ButtonHovered, dpg.mvThemeCol_ButtonActive,
            ):  # fmt: skip
                dpg.add_theme_color(name, RAISED)
            dpg.add_theme_color(dpg.mvThemeCol_Text, FAINT)
        return theme

    def _button(self, color: Color, hovered: Color, text: Color) -> int | str:
        theme: int | str
        with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_color(dpg.mvThemeCol_Button, color)
            dpg.add_theme_color(dpg.mvThemeCol_ButtonHovered, hovered)
            dpg.add_theme_color(dpg.mvThemeCol_ButtonActive, ACCENT_DIM)
            dpg.add_theme_color(dpg.mvThemeCol_Text, text)
        return theme

    def line(self, color: Color) -> int | str:
        """A curve of that colour."""
        if color not in self._lines:
            theme: int | str
            with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
                dpg.add_theme_color(dpg.mvPlotCol_Line, color, category=dpg.mvThemeCat_Plots)
                dpg.add_theme_style(
                    dpg.mvPlotStyleVar_LineWeight,
                    1.5 * self.scale,
                    category=dpg.mvThemeCat_Plots,
                )
            self._lines[color] = theme
        return self._lines[color]

    def _text(self, color: Color) -> int | str:
        theme: int | str
        with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
            dpg.add_theme_color(dpg.mvThemeCol_Text, color)
        return theme

    def _plot(self) -> int | str:
        colors = {
            dpg.mvPlotCol_FrameBg: CLEAR,
            dpg.mvPlotCol_PlotBg: BACKGROUND,
            dpg.mvPlotCol_PlotBorder: CLEAR,
            dpg.mvPlotCol_AxisText: MUTED,
            dpg.mvPlotCol_AxisGrid: LINE,
            dpg.mvPlotCol_AxisTick: CLEAR,
        }
        styles = {
            dpg.mvPlotStyleVar_PlotPadding: (8, 2),
            dpg.mvPlotStyleVar_LabelPadding: (4, 4),
            dpg.mvPlotStyleVar_FitPadding: (0.04, 0.06),
        }
        theme: int | str
        with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
            for name, color in colors.items():
                dpg.add_theme_color(name, color, category=dpg.mvThemeCat_Plots)
            for name, (x, y) in styles.items():
                factor = 1.0 if name == dpg.mvPlotStyleVar_FitPadding else self.scale
                dpg.add_theme_style(name, factor * x, factor * y, category=dpg.mvThemeCat_Plots)
        return theme

    def _container(
        self, padding: float, background: Color | None = None, *, border: bool = False
    ) -> int | str:
        theme: int | str
        with dpg.theme() as theme, dpg.theme_component(dpg.mvAll):
            if background is not None:
                dpg.add_theme_color(dpg.mvThemeCol_ChildBg, background)
                dpg.add_theme_color(dpg.mvThemeCol_WindowBg, background)
                dpg.add_theme_color(dpg.mvThemeCol_PopupBg, background)  # modal windows
            self._style(dpg.mvStyleVar_WindowPadding, padding, padding)
            if border:
                self._style(dpg.mvStyleVar_WindowBorderSize, 1)
                self._style(dpg.mvStyleVar_WindowRounding, 6)
        return theme
