"""One table of shortcuts, read by the keyboard handler, the menus and the F1 list."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import dearpygui.dearpygui as dpg

from app.actions import Actions
from app.explore.viewport.overlay import Overlay
from app.widgets.controls.home import Home
from app.widgets.controls.ui import Ui
from app.widgets.dialogs.dialogs import Dialogs
from stylesdf_core.scene.scene import VIEWS

#: A held key is reported several times a second. A key whose release was missed, as while the
#: desktop's dialog had the keyboard, counts as released after this time, seconds.
_REPEATS_WITHIN = 0.5
_ENTER = (dpg.mvKey_Return, dpg.mvKey_NumPadEnter)
#: Keys that move between controls, or act on the control that has the focus.
_FOCUS_KEYS = (
    dpg.mvKey_Left, dpg.mvKey_Right, dpg.mvKey_Up, dpg.mvKey_Down, dpg.mvKey_Spacebar, *_ENTER,
)  # fmt: skip
#: Gestures of the mouse in the viewport, for the F1 list.
MOUSE = (
    ("left drag", "orbit"),
    ("right, middle drag", "pan"),
    ("wheel", "field of view"),
    ("double click", "reset the camera"),
)


@dataclass(frozen=True)
class Shortcut:
    """A key and its action.

    Attributes:
        keys: the text that menus show, such as ``Ctrl+S``; tells also if Ctrl and Shift are held.
        code: Dear PyGui's key code.
        what: the action in a few words, by which a menu finds the shortcut.
        repeats: acts again while the key is held.
    """

    keys: str
    code: int
    what: str
    act: Callable[[], None]
    repeats: bool = False

    @property
    def types_nothing(self) -> bool:
        """Whether the key means nothing to a text field, so that it acts there too."""
        return self.keys.startswith("F") and len(self.keys) > 1

    @property
    def acts_in_all_tabs(self) -> bool:
        """Whether the key has Ctrl, or is a function key: such keys act wherever menus do."""
        return "Ctrl+" in self.keys or self.types_nothing

    def matches(self, code: int, *, ctrl: bool, shift: bool) -> bool:
        """Whether this key, with or without Ctrl and Shift, is the shortcut's."""
        return (code, ctrl, shift) == (self.code, "Ctrl+" in self.keys, "Shift+" in self.keys)


def shortcuts(actions: Actions) -> tuple[Shortcut, ...]:
    """All shortcuts, in the order of the F1 list."""
    workbench, window, document = actions.workbench, actions.window, actions.workbench.document

    key, show = Shortcut, partial(workbench.change_settings, "view")
    full_screen = window.toggle_full_screen
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
            key(str(i + 1), dpg.mvKey_1 + i, f"{view} view", partial(show, view=view))
            for i, view in enumerate(VIEWS)
        ),
        key("Space", dpg.mvKey_Spacebar, "split picture | mesh", workbench.toggle_split),
        key("P", dpg.mvKey_P, "the picture's own pixels, 1:1", workbench.toggle_pixels),
        key("S", dpg.mvKey_S, "give the face a star, or remove it", actions.toggle_star),
        key("D", dpg.mvKey_D, "drag points of the face", actions.drag_points),
        key("Delete", dpg.mvKey_Delete, "remove a point or keyframe", actions.remove_chosen),
        key("E", dpg.mvKey_E, "export as last time", lambda: window.export(workbench.last_export)),
        key("Ctrl+N", dpg.mvKey_N, "make a head of a photo", actions.open_photo),
        key("Ctrl+S", dpg.mvKey_S, "export a PNG", lambda: window.export("PNG")),
        key("Ctrl+O", dpg.mvKey_O, "open a session", actions.open_session),
        key("Ctrl+Shift+S", dpg.mvKey_S, "save the session", actions.save_session),
        key("Ctrl+Z", dpg.mvKey_Z, "undo", document.undo, True),
        key("Ctrl+Shift+Z", dpg.mvKey_Z, "redo", document.redo, True),
        key("Ctrl+T", dpg.mvKey_T, "next tab", actions.switch_page),
        key("F1", dpg.mvKey_F1, "list of shortcuts", window.show_shortcuts),
        key("K", dpg.mvKey_K, "add a keyframe", actions.add_keyframe),
        key("L", dpg.mvKey_L, "play or stop the timeline", workbench.timeline.toggle),
        key("F9", dpg.mvKey_F9, "fold or unfold the filmstrip", actions.toggle_strip),
        key("F10", dpg.mvKey_F10, "hide or show the panels", actions.toggle_panels),
        key("F11", dpg.mvKey_F11, "full screen", full_screen),
        key("Ctrl+Q", dpg.mvKey_Q, "quit", window.ask_to_quit),
    )


class Keyboard:
    """Gives each key to the open dialog, the focused control, or a shortcut.

    Tab moves the focus from control to control, beginning with the buttons of messages and cards,
    which lie in windows of their own; with the focus, the arrow keys, Space and Enter belong to the
    control. Otherwise Enter takes the remedy of the card over the viewport, and Escape sends a
    message away. After a click with the mouse or Escape these keys are shortcuts again.

    Args:
        exploring: whether the Explore tab is shown, in which all shortcuts act.
        leave: ends the viewport's mode by Escape; whether there was one.
    """

    def __init__(
        self,
        table: tuple[Shortcut, ...],
        ui: Ui,
        dialogs: Dialogs,
        home: Home,
        overlay: Overlay,
        exploring: Callable[[], bool],
        leave: Callable[[], bool],
    ) -> None:
        self._table, self._ui, self._dialogs, self._home = table, ui, dialogs, home
        self._overlay, self._exploring, self._leave = overlay, exploring, leave
        self._held: dict[int, float] = {}  # keys, and when each was last reported as pressed
        self._has_tabbed = False  # since the last click of the mouse
        self._stop: int | None = None  # number of the message's button that has the focus
        with dpg.handler_registry() as self.registry:
            dpg.add_key_press_handler(callback=lambda _, code: self._pressed(int(code)))
            dpg.add_key_release_handler(callback=lambda _, code: self._held.pop(int(code), None))
            dpg.add_mouse_click_handler(callback=self._clicked)

    def _clicked(self) -> None:
        self._has_tabbed, self._stop = False, None

    def _pressed(self, code: int) -> None:
        now = time.monotonic()
        is_held = now - self._held.get(code, -math.inf) < _REPEATS_WITHIN
        self._held[code] = now
        if is_held and (code in _ENTER or code == dpg.mvKey_Escape):
            return  # a long press does not answer the question that follows as well
        if code == dpg.mvKey_Escape:
            self._escape()
        elif code == dpg.mvKey_Tab:
            self._tab()
        elif self._dialogs.is_open:
            self._in_dialog(code)
        elif not self._belongs_to_control(code):
            self._shortcut(code, is_held=is_held)

    def _tab(self) -> None:
        """Go on to the next button of a message; Dear PyGui goes on inside the window itself."""
        self._has_tabbed = True
        if self._home.has_focus:
            self._stop = -1
        if self._stop is None or self._dialogs.is_open:
            return
        buttons, self._stop = self._overlay.buttons, self._stop + 1
        if self._stop < len(buttons):
            dpg.focus_item(buttons[self._stop])
        else:
            self._stop = None
            self._ui.focus_first()

    def _escape(self) -> None:
        had_tabbed, self._has_tabbed, self._stop = self._has_tabbed, False, None
        if self._ui.number_entry.is_open:
            self._ui.number_entry.close()
        elif self._dialogs.is_open:
            self._dialogs.cancel()
        elif not self._home.popup_is_open:  # Dear PyGui closes it
            if not had_tabbed and not (self._exploring() and self._leave()):
                self._overlay.dismiss()
            self._home.take()

    def _in_dialog(self, code: int) -> None:
        if code in _ENTER and not self._has_tabbed:
            self._dialogs.accept()
        elif code == dpg.mvKey_F1 and self._dialogs.is_list:
            self._dialogs.cancel()

    def _belongs_to_control(self, code: int) -> bool:
        """Whether a control has the focus, and the key is meant for it."""
        if self._ui.typing:
            return not any(s.types_nothing and s.code == code for s in self._table)
        if self._home.popup_is_open:
            return True
        if self._has_tabbed and not self._home.has_focus:
            target = self._ui.pointer.focused()
            if target is not None and target.key(code):
                return True
            return code in _FOCUS_KEYS
        if code in _FOCUS_KEYS:  # after a click: the control clicked must not get the key as well
            self._home.take()
        return False

    def _shortcut(self, code: int, *, is_held: bool) -> None:
        if code in _ENTER:
            self._overlay.accept()
        ctrl = self._is_down(dpg.mvKey_LControl, dpg.mvKey_RControl)
        shift = self._is_down(dpg.mvKey_LShift, dpg.mvKey_RShift)
        for shortcut in self._table:
            is_allowed = shortcut.acts_in_all_tabs or self._exploring()
            is_due = is_allowed and (shortcut.repeats or not is_held)
            if is_due and shortcut.matches(code, ctrl=ctrl, shift=shift):
                shortcut.act()
                return

    def _is_down(self, *codes: int) -> bool:
        """Whether one of the keys is held, or was when the key of this callback went down.

        Of a quick Ctrl+S, Dear PyGui reports S in the frame in which Ctrl is up again; the callback
        of Ctrl's release comes after that of S.
        """
        now = time.monotonic()
        return any(
            dpg.is_key_down(code) or now - self._held.get(code, -math.inf) < _REPEATS_WITHIN
            for code in codes
        )
