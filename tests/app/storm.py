"""Random events: the window survives them, and its memory does not grow."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable
from functools import partial

import dearpygui.dearpygui as dpg
import psutil

from tests.app.hands import HEIGHT, WIDTH, Hands, say

#: For a long run: STYLESDF_STORM=10000.
RANDOM_EVENTS = int(os.environ.get("STYLESDF_STORM", "700"))
_WARM_UP = 450  # events before memory is looked at; each part of the window has been shown
_AGAIN = 1000  # events after which memory is looked at again
_VISIT = 50  # events after which another part of the window is brought to the front
# First uses go on for some 3,000 events (657 MB after 450, 963 after 3,450, 926 after 10,000), so
# that a short storm finds only a fast leak, a long storm a slow leak.
_FAST, _SETTLED, _SLOW = 1.7, 3000, 1.15
#: No Ctrl+Q, which quits, and no F11, which needs a window manager.
RANDOM_KEYS = (
    *("Left", "Right", "Up", "Down", "f", "bracketleft", "bracketright", "r", "space", "e", "a"),
    *("k", "l"),
    *("1", "2", "3", "4", "5", "7", "minus", "period", "BackSpace", "Return", "Escape", "Tab"),
    *(
        "s",
        "ctrl+t",
        "F1",
        "F9",
        "F10",
        "ctrl+s",
        "ctrl+o",
        "ctrl+z",
        "ctrl+shift+z",
        "ctrl+shift+s",
    ),
)


class Storm(Hands):
    """Random events."""

    def storm(self) -> None:
        """The window survives random events, and its memory does not grow."""
        source = random.Random(0)
        # A window without a window manager cannot come back from the full screen.
        self.studio.quit = self.studio.toggle_full_screen = lambda: None  # type: ignore[method-assign]
        self._random_events(source, 0, _WARM_UP)
        before = self._memory_at_rest()
        settled = before
        say(f"  {_WARM_UP} events: {before:.0f} MB")
        for start in range(_WARM_UP, RANDOM_EVENTS, _AGAIN):
            end = min(start + _AGAIN, RANDOM_EVENTS)
            self._random_events(source, start, end)
            after = self._memory_at_rest()
            say(f"  {end} events: {after:.0f} MB, {len(dpg.get_all_items())} items")
            if start < _SETTLED:
                assert after < _FAST * before, (before, after)
                settled = after
            assert after < _SLOW * settled, (settled, after)
        failures = self.studio.workbench.messages.failures
        assert not failures, failures

    def _random_events(self, source: random.Random, start: int, end: int) -> None:
        for number in range(start, end, 25):
            if number % _VISIT < 25:
                self._visit(number // _VISIT)
            self.hands(*(self._random_event(source) for _ in range(min(25, end - number))))
            for job in self.workbench.jobs.active:
                self.workbench.jobs.cancel(job)
        self.hands("mouseup 1 mouseup 2 mouseup 3")

    def _visit(self, number: int) -> None:
        """Bring a part of the window to the front; all parts in turn."""
        actions = self.studio.actions
        parts: tuple[Callable[[], None], ...] = (
            partial(self._strip, "Filmstrip"),
            partial(self.studio.show_page, "sheet"),
            partial(self._strip, "Timeline"),
            partial(self.studio.show_page, "compare"),
            self.studio._menus.batch.open,
            partial(self.studio.show_page, "train"),
            actions.rename_directions,
            actions.open_photo,
        )
        self.studio.dialogs.cancel()
        self.workbench.change_settings("window", panels_shown=True)
        parts[number % len(parts)]()
        self.frames(3)

    def _strip(self, title: str) -> None:
        self.studio.show_page("explore")
        self.workbench.change_settings("window", strip=title, strip_shown=True)

    def _memory_at_rest(self) -> float:
        """Resident MB with the same face on the screen and no work under way."""
        workbench = self.workbench
        workbench.change_settings("mesh", resolution=32)  # a fine mesh takes minutes
        self.frames(30)  # on a busy machine the last events are still on their way
        self._come_to_rest()
        self.studio.dialogs.cancel()
        self.studio.show_page("explore")  # the hidden viewport would compute nothing
        workbench.models.dismiss()
        workbench.change_settings("view", view="image", split=False)
        self.wait(lambda: not workbench.jobs.active, "the jobs")
        for _ in range(40):  # until the last of the late events has come
            workbench.set_seed(123456)
            self._come_to_rest()
            assert workbench.screen.picture is not None
            if workbench.screen.picture.request.scene.identity.seed == 123456:
                break
        shown = workbench.screen.picture.request.scene.identity.seed
        assert shown == 123456, (shown, workbench.scene, workbench.screen.picture_error)
        end = time.monotonic() + 3.0  # at rest for so long the studio gives memory back
        while time.monotonic() < end:
            self.frames(1)
        return float(psutil.Process().memory_info().rss) / 2**20

    def _come_to_rest(self) -> None:
        """Settle, also if a late key has started the timeline."""

        def rests() -> bool:
            self.workbench.timeline.leave()
            return not self.workbench.busy

        self.frames(3)
        self.wait(rests, "rendering")
        self.frames(2)

    def _random_event(self, source: random.Random) -> str:
        x, y = source.randrange(WIDTH), source.randrange(HEIGHT)
        choice = source.random()
        if choice < 0.35:
            return f"mousemove {x} {y} click {source.choice((1, 1, 1, 2, 3))}"
        if choice < 0.55:
            to = f"mousemove {source.randrange(WIDTH)} {source.randrange(HEIGHT)}"
            button = source.choice((1, 3))
            return f"mousemove {x} {y} mousedown {button} {to} mouseup {button}"
        if choice < 0.65:
            return f"mousemove {x} {y} click {source.choice((4, 5))}"
        return f"key {source.choice(RANDOM_KEYS)}"
