"""Messages to the user, which the window shows as toasts, and work whose errors become messages."""

from __future__ import annotations

import math
import time
import traceback
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from app.state.wording import in_window
from stylesdf_core.errors import StyleSDFError

_SECONDS = 8.0  # for which a message stays
_MOST = 3  # messages at a time
_REMEMBERED_FAILURES = 20


@dataclass(frozen=True, eq=False)
class Toast:
    """A message over the viewport.

    Attributes:
        path: the file that the button "Show file" shows; None for no button.
        is_error: written in the error colour.
        until: time.monotonic() at which it disappears by itself.
    """

    text: str
    path: Path | None = None
    is_error: bool = False
    until: float = math.inf


class Messages:
    """The messages on the screen, the newest last.

    Attributes:
        failures: the last unforeseen errors, for tests; each has been shown.
    """

    def __init__(self) -> None:
        self.toasts: list[Toast] = []
        self.failures: deque[Exception] = deque(maxlen=_REMEMBERED_FAILURES)

    def show(
        self, text: str, path: Path | None = None, *, is_error: bool = False, stays: bool = True
    ) -> None:
        """Show a message for some seconds, or an error until it is dismissed.

        Args:
            stays: False for an error that is also shown elsewhere, and so passes like a message.
        """
        until = math.inf if is_error and stays else time.monotonic() + _SECONDS
        text = in_window(text)
        others = [toast for toast in self.toasts if toast.text != text]
        self.toasts = [*others[1 - _MOST :], Toast(text, path, is_error, until)]

    def guard(self, work: Callable[[], object]) -> None:
        """Run work of the main loop; an error that escapes is shown instead of ending the program.

        The traceback of an unforeseen error goes to stderr.
        """
        try:
            work()
        except StyleSDFError as error:
            self.show(str(error), is_error=True)
        except Exception as error:
            self.failures.append(error)
            traceback.print_exc()
            self.show(f"{type(error).__name__}: {error}", is_error=True)

    def dismiss(self, toast: Toast) -> None:
        """Hide a message before its time is over."""
        self.toasts = [other for other in self.toasts if other is not toast]

    def tick(self) -> None:
        """Once a frame: hide the messages whose time is over."""
        now = time.monotonic()
        self.toasts = [toast for toast in self.toasts if toast.until > now]
