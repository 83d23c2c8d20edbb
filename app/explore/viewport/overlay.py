"""Cards over the viewport, for loading and for errors, and toasts."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.explore.viewport.viewport import Pane
from app.state.messages import Toast
from app.state.problems import Problem, Remedy, drawing_problem, load_problem
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui, frameless_window, inside
from app.widgets.dialogs.file_manager import show_file
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas

_WIDTH = 380
_TOAST_WIDTH = 300
_LONG_LOAD = 0.5  # seconds; a shorter load leaves the last picture alone


class Card:
    """A frameless window centred over a pane: a problem with its remedies, or a moving bar."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui
        self._content: tuple[object, ...] = ()
        self._bar: Canvas | None = None
        #: Of the remedies, while the card is shown.
        self.buttons: list[theme.Item] = []
        with frameless_window(show=False, no_focus_on_appearing=True) as self._window:
            pass
        dpg.bind_item_theme(self._window, ui.theme.card)

    def show(self, problem: Problem | None, origin: tuple[int, int], pane: Pane) -> None:
        """Show a problem over a pane of the viewport at ``origin``; None hides the card."""
        if problem is None:
            dpg.hide_item(self._window)
            self._content, self.buttons = (), []
            return
        labels = tuple(remedy.label for remedy in problem.remedies)
        key = (problem.title, problem.text, labels, problem.passes_by_itself)
        if key != self._content:
            self._content = key
            dpg.delete_item(self._window, children_only=True)
            with inside(self._window):
                self._fill(problem)
        if self._bar is not None:
            self._move_bar(self._bar)
        dpg.show_item(self._window)
        width, height = dpg.get_item_rect_size(self._window)
        x, y = origin[0] + pane.x + pane.edge / 2, origin[1] + pane.y + pane.edge / 2
        dpg.configure_item(self._window, pos=(int(x - width / 2), int(y - height / 2)))

    def _fill(self, problem: Problem) -> None:
        ui = self._ui
        heading = dpg.add_text(problem.title, wrap=ui.px(_WIDTH))
        fonts.show_script(heading, problem.title, ui.px(fonts.TITLE), ui.theme.title)
        if problem.text:
            text = dpg.add_text(problem.text, wrap=ui.px(_WIDTH), color=theme.MUTED)
            ui.show_script(text, problem.text)
        self._bar, self.buttons = None, []
        if problem.passes_by_itself:
            dpg.add_spacer(height=ui.px(4))
            self._bar = Canvas(ui.px(_WIDTH), ui.px(4))
        if problem.remedies:
            dpg.add_spacer(height=ui.px(8))
            with dpg.group(horizontal=True):
                for index, remedy in enumerate(problem.remedies):
                    look = ui.theme.primary if index == 0 else 0
                    self.buttons.append(ui.button(remedy.label, remedy.act, look=look))

    def _move_bar(self, bar: Canvas) -> None:
        now = time.monotonic()
        bar.wants(now)
        width, height = self._ui.px(_WIDTH), self._ui.px(4)
        start = (now * 0.5 % 1.0) * 1.3 - 0.3
        for a, b, color in (
            (0.0, 1.0, theme.LINE),
            (max(0.0, start), min(1.0, start + 0.3), theme.ACCENT),
        ):
            if b > a:
                bar.rectangle(a * width, 0, b * width, height, color, height / 2)


class Overlay:
    """Chooses the card that each pane needs, and stacks the toasts."""

    def __init__(self, ui: Ui, workbench: Workbench, open_model: Remedy) -> None:
        self._ui, self._workbench = ui, workbench
        self._open_model = open_model
        self._cards = (Card(ui), Card(ui))
        self._toasts: dict[Toast, tuple[theme.Item, list[theme.Item]]] = {}  # window, buttons
        self._problem: Problem | None = None

    def accept(self) -> None:
        """Do the first remedy of the problem on the screen, if there is one."""
        if self._problem is not None and self._problem.remedies:
            self._problem.remedies[0].act()

    @property
    def buttons(self) -> list[theme.Item]:
        """Buttons of the messages, the newest message first, and of the cards."""
        toasts = [button for _, buttons in reversed(self._toasts.values()) for button in buttons]
        return [*toasts, *(button for card in self._cards for button in card.buttons)]

    def dismiss(self) -> None:
        """Send away the newest message, if there is one."""
        if self._workbench.messages.toasts:
            self._workbench.messages.dismiss(self._workbench.messages.toasts[-1])

    def sync_toasts(self, origin: tuple[int, int], size: tuple[int, int]) -> None:
        """Show only the toasts, in the lower right corner of a rectangle without a viewport."""
        self._problem = None
        for card in self._cards:
            card.show(None, origin, Pane(0.0, 0.0, 0.0))
        self._sync_toasts(origin, size)

    def sync(
        self,
        origin: tuple[int, int],
        size: tuple[int, int],
        picture: Pane | None,
        mesh: Pane | None,
    ) -> None:
        """Place cards and toasts over a viewport at ``origin`` with these panes."""
        whole = Pane(0.0, 0.5 * (size[1] - size[0]), float(size[0]))
        main = self._main_problem()
        self._cards[0].show(main, origin, picture or mesh or whole)
        mesh_problem = drawing_problem(self._workbench, self._workbench.screen.mesh_error)
        self._cards[1].show(self._with_details(mesh_problem), origin, mesh or whole)
        self._problem = main or mesh_problem
        self._sync_toasts(origin, size)

    def _main_problem(self) -> Problem | None:
        """The model's problem, else the picture's problem."""
        workbench, loading = self._workbench, self._workbench.models.loading
        problem = load_problem(workbench)
        if problem is not None:
            first, *others = problem.remedies
            return self._with_details(replace(problem, remedies=(first, self._open_model, *others)))
        if loading is not None:
            has_picture = workbench.screen.picture is not None and workbench.model is not None
            if has_picture and time.monotonic() - loading.since <= _LONG_LOAD:
                return None
            title = f"Loading {Path(loading.reference).name}"
            return Problem(title, loading.message, passes_by_itself=True)
        if workbench.model is None:
            text = "Open a weights file, or download the weights published with StyleSDF."
            return Problem("No model", text, (self._open_model,))
        return self._with_details(drawing_problem(workbench, workbench.screen.picture_error))

    def _with_details(self, problem: Problem | None) -> Problem | None:
        """The problem with a button that copies its traceback, if it has one."""
        if problem is None or not problem.details:
            return problem
        copy = Remedy("Copy details", partial(dpg.set_clipboard_text, problem.details))
        return replace(problem, remedies=(*problem.remedies, copy))

    def _sync_toasts(self, origin: tuple[int, int], size: tuple[int, int]) -> None:
        px = self._ui.px
        toasts = self._workbench.messages.toasts
        for toast in [t for t in self._toasts if t not in toasts]:
            dpg.delete_item(self._toasts.pop(toast)[0])
        bottom = origin[1] + size[1] - px(12)
        for toast in reversed(toasts):
            if toast not in self._toasts:
                self._toasts[toast] = self._make_toast(toast)
            window, _ = self._toasts[toast]
            width, height = dpg.get_item_rect_size(window)
            x = origin[0] + size[0] - int(width or px(_TOAST_WIDTH)) - px(12)
            bottom -= int(height or px(40))
            dpg.configure_item(window, pos=(x, bottom))
            bottom -= px(8)

    def _make_toast(self, toast: Toast) -> tuple[theme.Item, list[theme.Item]]:
        ui = self._ui
        with frameless_window(no_focus_on_appearing=True, pos=(-10_000, 0)) as window:
            color = theme.ERROR if toast.is_error else theme.TEXT
            text = dpg.add_text(toast.text, wrap=ui.px(_TOAST_WIDTH), color=color)
            ui.show_script(text, toast.text)
            dpg.add_spacer(width=ui.px(_TOAST_WIDTH))
            with dpg.group(horizontal=True):
                buttons: list[theme.Item] = []
                if toast.path is not None:
                    show = partial(self._show_file, toast.path)
                    buttons.append(ui.button("Show file", show))
                dismiss = partial(self._workbench.messages.dismiss, toast)
                buttons.append(ui.button("Dismiss", dismiss, look=ui.theme.quiet))
        dpg.bind_item_theme(window, ui.theme.toast)
        return window, buttons

    def _show_file(self, path: Path) -> None:
        if not show_file(path):
            self._workbench.toast(f"There is no file manager; the file is {path}", is_error=True)
