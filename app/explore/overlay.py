"""What stands over the viewport: cards for its states, and toasts."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.explore.viewport import Pane
from app.state.problems import Problem, Remedy
from app.state.workbench import Toast, Workbench
from app.widgets import theme
from app.widgets.ui import Ui, frameless_window

_WIDTH = 380
_TOAST_WIDTH = 300


def show_file(path: Path) -> None:
    """Open the system's file manager at ``path``.

    Raises:
        OSError: there is no file manager.
    """
    if sys.platform == "win32":
        subprocess.Popen(["explorer", f"/select,{path}"])
    elif sys.platform == "darwin":
        subprocess.Popen(["open", "-R", str(path)])
    else:
        subprocess.Popen(
            ["xdg-open", str(path.parent)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=dict(os.environ),
        )


class Card:
    """A window without a frame that says what is the matter, centred over a pane."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._content: tuple[object, ...] = ()
        self._bar: int | str = 0
        with frameless_window(show=False, no_focus_on_appearing=True) as self.window:
            pass
        dpg.bind_item_theme(self.window, ui.theme.card)

    def show(self, title: str, text: str, remedies: tuple[Remedy, ...], *, bar: bool) -> None:
        """Say it; ``bar`` adds one that moves."""
        key = (title, text, tuple(remedy.label for remedy in remedies), bar)
        if key != self._content:
            self._content = key
            dpg.delete_item(self.window, children_only=True)
            dpg.push_container_stack(self.window)
            self._fill(title, text, remedies, bar)
            dpg.pop_container_stack()
        if bar:
            self._move_bar()
        if not dpg.is_item_shown(self.window):
            dpg.show_item(self.window)

    def place(self, x: float, y: float) -> None:
        """Centre at a point, pixels of the window."""
        width, height = dpg.get_item_rect_size(self.window)
        dpg.configure_item(self.window, pos=(int(x - width / 2), int(y - height / 2)))

    def hide(self) -> None:
        """Take it away."""
        if dpg.is_item_shown(self.window):
            dpg.hide_item(self.window)

    def _fill(self, title: str, text: str, remedies: tuple[Remedy, ...], bar: bool) -> None:
        ui = self._ui
        heading = dpg.add_text(title, wrap=ui.px(_WIDTH))
        if ui.theme.title:
            dpg.bind_item_font(heading, ui.theme.title)
        if text:
            dpg.add_text(text, wrap=ui.px(_WIDTH), color=theme.MUTED)
        if bar:
            dpg.add_spacer(height=ui.px(4))
            self._bar = dpg.add_drawlist(ui.px(_WIDTH), ui.px(4))
        if remedies:
            dpg.add_spacer(height=ui.px(8))
            with dpg.group(horizontal=True):
                for index, remedy in enumerate(remedies):
                    look = ui.theme.primary if index == 0 else 0
                    ui.button(remedy.label, remedy.act, look=look)

    def _move_bar(self) -> None:
        px = self._ui.px
        dpg.delete_item(self._bar, children_only=True)
        width, height = px(_WIDTH), px(4)
        start = (time.monotonic() * 0.5 % 1.0) * 1.3 - 0.3
        for a, b, color in (
            (0.0, 1.0, theme.LINE),
            (max(0.0, start), min(1.0, start + 0.3), theme.ACCENT),
        ):
            if b > a:
                dpg.draw_rectangle(
                    (a * width, 0),
                    (b * width, height),
                    color=theme.CLEAR,
                    fill=color,
                    rounding=height / 2,
                    parent=self._bar,
                )


class Overlay:
    """Chooses which card each pane needs, and stacks the toasts."""

    def __init__(self, ui: Ui, bench: Workbench, open_model: Remedy) -> None:
        self._ui, self._bench = ui, bench
        self._open_model = open_model
        self._cards = (Card(ui), Card(ui))
        self._toasts: dict[Toast, int | str] = {}

    def sync_toasts(self, origin: tuple[int, int], size: tuple[int, int]) -> None:
        """Only the messages, in a corner of what is shown, while there is no viewport."""
        for card in self._cards:
            card.hide()
        self._sync_toasts(origin, size)

    def sync(
        self, origin: tuple[int, int], size: tuple[int, int], panes: list[Pane | None]
    ) -> None:
        """Place everything over a viewport at ``origin``; panes are picture and mesh."""
        whole = Pane(0.0, 0.5 * (size[1] - size[0]), float(size[0]))
        states = [self._main_state(), self._bench.mesh_problem if panes[1] is not None else None]
        main = panes[0] or panes[1] or whole
        for card, state, pane in zip(self._cards, states, (main, panes[1] or whole), strict=True):
            if state is None:
                card.hide()
                continue
            problem, bar = state if isinstance(state, tuple) else (state, False)
            card.show(problem.title, problem.text, self._with_details(problem), bar=bar)
            card.place(origin[0] + pane.x + pane.edge / 2, origin[1] + pane.y + pane.edge / 2)
        self._sync_toasts(origin, size)

    def _main_state(self) -> tuple[Problem, bool] | Problem | None:
        bench = self._bench
        if bench.load_problem is not None:
            problem = bench.load_problem
            first, *others = problem.remedies
            return replace(problem, remedies=(first, self._open_model, *others))
        if bench.models.loading is not None:
            if bench.screen.picture is not None and bench.model is not None:
                slow = time.monotonic() - bench.models.loading.since > 0.5
                if not slow:
                    return None
            name = Path(bench.models.loading.reference).name
            return Problem(f"Loading {name}", bench.models.loading.message), True
        if bench.model is None:
            text = "Open a weights file, or download the weights published with StyleSDF."
            return Problem("No model", text, (self._open_model,))
        return bench.picture_problem if bench.settings.view.shows_picture else None

    def _with_details(self, problem: Problem) -> tuple[Remedy, ...]:
        if not problem.details:
            return problem.remedies
        copy = Remedy("Copy details", lambda: dpg.set_clipboard_text(problem.details))
        return (*problem.remedies, copy)

    def _sync_toasts(self, origin: tuple[int, int], size: tuple[int, int]) -> None:
        px = self._ui.px
        toasts = self._bench.toasts
        for toast in [t for t in self._toasts if t not in toasts]:
            dpg.delete_item(self._toasts.pop(toast))
        bottom = origin[1] + size[1] - px(12)
        for toast in reversed(toasts):
            if toast not in self._toasts:
                self._toasts[toast] = self._make_toast(toast)
            window = self._toasts[toast]
            width, height = dpg.get_item_rect_size(window)
            x = origin[0] + size[0] - int(width or px(_TOAST_WIDTH)) - px(12)
            bottom -= int(height or px(40))
            dpg.configure_item(window, pos=(x, bottom))
            bottom -= px(8)

    def _make_toast(self, toast: Toast) -> int | str:
        ui = self._ui
        with frameless_window(no_focus_on_appearing=True, pos=(-10_000, 0)) as window:
            color = theme.ERROR if toast.is_error else theme.TEXT
            dpg.add_text(toast.text, wrap=ui.px(_TOAST_WIDTH), color=color)
            dpg.add_spacer(width=ui.px(_TOAST_WIDTH))
            with dpg.group(horizontal=True):
                if toast.path is not None:
                    ui.button("Show file", lambda: self._show_file(toast))
                ui.button("Dismiss", lambda: self._dismiss(toast), look=ui.theme.quiet)
        dpg.bind_item_theme(window, ui.theme.toast)
        return int(window)

    def _show_file(self, toast: Toast) -> None:
        assert toast.path is not None
        try:
            show_file(toast.path)
        except OSError:
            self._bench.toast(f"No file manager found; the file is {toast.path}", is_error=True)

    def _dismiss(self, toast: Toast) -> None:
        self._bench.toasts = [other for other in self._bench.toasts if other is not toast]
