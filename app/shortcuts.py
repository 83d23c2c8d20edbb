"""One table of shortcuts, read by the keyboard handler, the menus and the F1 list."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import dearpygui.dearpygui as dpg

from app.actions import Actions
from stylesdf_core.scene.scene import VIEWS


@dataclass(frozen=True)
class Shortcut:
    """A key and its action.

    Attributes:
        keys: the text that menus show, such as ``Ctrl+S``; tells also if Ctrl and Shift are held.
        code: Dear PyGui's key code.
        what: the action in a few words, by which a menu finds the shortcut.
        repeats: acts again while the key is held.
        anywhere: acts in the Train tab too.
    """

    keys: str
    code: int
    what: str
    act: Callable[[], None]
    repeats: bool = False
    anywhere: bool = False

    def matches(self, code: int, *, ctrl: bool, shift: bool) -> bool:
        """Whether this key, with or without Ctrl and Shift, is the shortcut's."""
        return (code, ctrl, shift) == (self.code, "Ctrl+" in self.keys, "Shift+" in self.keys)


def shortcuts(actions: Actions) -> tuple[Shortcut, ...]:
    """All shortcuts, in the order of the F1 list."""
    workbench, window, document = actions.workbench, actions.window, actions.workbench.document

    key, show = Shortcut, partial(workbench.change_settings, "view")
    return (
        key("Left", dpg.mvKey_Left, "orbit to the left", partial(actions.orbit, -1, 0), True),
        key("Right", dpg.mvKey_Right, "orbit to the right", partial(actions.orbit, 1, 0), True),
        key("Up", dpg.mvKey_Up, "orbit up", partial(actions.orbit, 0, 1), True),
        key("Down", dpg.mvKey_Down, "orbit down", partial(actions.orbit, 0, -1), True),
        key("F", dpg.mvKey_F, "reset the camera", workbench.reset_camera),
        key("[", dpg.mvKey_Open_Brace, "previous seed", partial(workbench.step_seed, -1), True),
        key("]", dpg.mvKey_Close_Brace, "next seed", partial(workbench.step_seed, 1), True),
        key("R", dpg.mvKey_R, "random seed", workbench.random_seed),
        *(
            key(str(i + 1), dpg.mvKey_1 + i, f"show the {view}", partial(show, view=view))
            for i, view in enumerate(VIEWS)
        ),
        key("Space", dpg.mvKey_Spacebar, "split picture | mesh", workbench.toggle_split),
        key("E", dpg.mvKey_E, "export as last time", lambda: window.export(workbench.last_export)),
        key("Ctrl+S", dpg.mvKey_S, "export a PNG", lambda: window.export("PNG")),
        key("Ctrl+O", dpg.mvKey_O, "open a session", actions.open_session),
        key("Ctrl+Shift+S", dpg.mvKey_S, "save the session", actions.save_session),
        key("Ctrl+Z", dpg.mvKey_Z, "undo", document.undo, True),
        key("Ctrl+Shift+Z", dpg.mvKey_Z, "redo", document.redo, True),
        key("Ctrl+T", dpg.mvKey_T, "explore or train", actions.switch_page, anywhere=True),
        key("F1", dpg.mvKey_F1, "list of shortcuts", window.show_shortcuts, anywhere=True),
        key("F10", dpg.mvKey_F10, "hide or show the panels", actions.toggle_panels),
        key("F11", dpg.mvKey_F11, "full screen", window.toggle_full_screen, anywhere=True),
        key("Ctrl+Q", dpg.mvKey_Q, "quit", window.ask_to_quit, anywhere=True),
    )


class Keyboard:
    """Acts on shortcuts unless a text field or a dialog has the keyboard.

    Args:
        typing: whether a text field or a dialog has the keyboard.
        exploring: whether the Explore tab is shown; elsewhere only ``anywhere`` shortcuts act.
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
        is_held = code in self._held
        self._held.add(code)
        for shortcut in self._table:
            is_allowed = shortcut.anywhere or self._exploring()
            is_due = is_allowed and (shortcut.repeats or not is_held)
            if is_due and shortcut.matches(code, ctrl=ctrl, shift=shift):
                shortcut.act()
                return


def _any_down(*codes: int) -> bool:
    return any(dpg.is_key_down(code) for code in codes)
