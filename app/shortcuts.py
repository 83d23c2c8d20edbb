"""The keyboard: one table that is obeyed, shown in menus and listed by F1."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import dearpygui.dearpygui as dpg

from app.actions import Actions
from stylesdf_core.scene.scene import VIEWS


@dataclass(frozen=True)
class Shortcut:
    """A key and what it does.

    Attributes:
        keys: as people write it.
        code: Dear PyGui's key code.
        repeats: acts again while the key is held.
        anywhere: also while the Train tab is shown.
    """

    keys: str
    code: int
    what: str
    act: Callable[[], None]
    ctrl: bool = False
    shift: bool = False
    repeats: bool = False
    anywhere: bool = False


def shortcuts(actions: Actions) -> tuple[Shortcut, ...]:
    """All shortcuts, in the order they are listed."""
    bench, window = actions.bench, actions.window

    def orbit(right: int, up: int) -> Callable[[], None]:
        return lambda: actions.orbit(right, up)

    def view(index: int) -> Callable[[], None]:
        return lambda: bench.change_settings("view", view=VIEWS[index])

    key = Shortcut
    return (
        key("Left", dpg.mvKey_Left, "orbit to the left", orbit(-1, 0), repeats=True),
        key("Right", dpg.mvKey_Right, "orbit to the right", orbit(1, 0), repeats=True),
        key("Up", dpg.mvKey_Up, "orbit up", orbit(0, 1), repeats=True),
        key("Down", dpg.mvKey_Down, "orbit down", orbit(0, -1), repeats=True),
        key("F", dpg.mvKey_F, "reset the camera", bench.reset_camera),
        key("[", dpg.mvKey_Open_Brace, "previous seed", lambda: bench.step_seed(-1), repeats=True),
        key("]", dpg.mvKey_Close_Brace, "next seed", lambda: bench.step_seed(1), repeats=True),
        key("R", dpg.mvKey_R, "random seed", bench.random_seed),
        *(
            key(str(i + 1), dpg.mvKey_1 + i, f"show the {name}", view(i))
            for i, name in enumerate(VIEWS)
        ),
        key("Space", dpg.mvKey_Spacebar, "split picture | mesh", actions.toggle_split),
        key("E", dpg.mvKey_E, "export as last time", lambda: window.export(bench.last_export)),
        key("Ctrl+S", dpg.mvKey_S, "export a PNG", lambda: window.export("PNG"), ctrl=True),
        key("Ctrl+O", dpg.mvKey_O, "open a session", actions.open_session, ctrl=True),
        key(
            "Ctrl+Shift+S", dpg.mvKey_S, "save the session", actions.save_session,
            ctrl=True, shift=True,
        ),
        key("Ctrl+Z", dpg.mvKey_Z, "undo", actions.undo, ctrl=True, repeats=True),
        key("Ctrl+Shift+Z", dpg.mvKey_Z, "redo", actions.redo, ctrl=True, shift=True, repeats=True),
        key(
            "Ctrl+T", dpg.mvKey_T, "explore or train", actions.switch_page,
            ctrl=True, anywhere=True,
        ),
        key("F1", dpg.mvKey_F1, "list of shortcuts", window.show_shortcuts, anywhere=True),
        key("F10", dpg.mvKey_F10, "hide or show the panels", window.toggle_panels),
        key("F11", dpg.mvKey_F11, "full screen", window.toggle_full_screen, anywhere=True),
        key("Ctrl+Q", dpg.mvKey_Q, "quit", window.ask_to_quit, ctrl=True, anywhere=True),
    )  # fmt: skip


class Keyboard:
    """Obeys the shortcuts unless a text field or a dialog has the keyboard.

    Args:
        typing: whether one has.
        exploring: whether faces are explored; what acts on them is not obeyed elsewhere.
    """

    def __init__(
        self,
        table: tuple[Shortcut, ...],
        typing: Callable[[], bool],
        exploring: Callable[[], bool],
    ) -> None:
        self._table = table
        self._typing, self._exploring = typing, exploring
        self._held: set[int] = set()
        with dpg.handler_registry() as self.registry:
            dpg.add_key_press_handler(callback=lambda _, code: self._pressed(int(code)))
            dpg.add_key_release_handler(callback=lambda _, code: self._held.discard(int(code)))

    def _pressed(self, code: int) -> None:
        if self._typing():
            return
        ctrl = _any_down(dpg.mvKey_LControl, dpg.mvKey_RControl)
        shift = _any_down(dpg.mvKey_LShift, dpg.mvKey_RShift)
        held = code in self._held
        self._held.add(code)
        for shortcut in self._table:
            matches = shortcut.code == code and (shortcut.ctrl, shortcut.shift) == (ctrl, shift)
            allowed = shortcut.anywhere or self._exploring()
            if matches and allowed and (shortcut.repeats or not held):
                shortcut.act()
                return


def _any_down(*codes: int) -> bool:
    return any(dpg.is_key_down(code) for code in codes)
