"""Messages to the user, which the window shows as toasts."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from pathlib import Path

from app.state.wording import in_window

_SECONDS = 8.0  # for which a message stays
_MOST = 3  # messages at a time


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
    """The messages on the screen, the newest last."""

    def __init__(self) -> None:
        self.toasts: list[Toast] = []

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

    def dismiss(self, toast: Toast) -> None:
        """Hide a message before its time is over."""
        self.toasts = [other for other in self.toasts if other is not toast]

    def tick(self) -> None:
        """Once a frame: hide the messages whose time is over."""
        now = time.monotonic()
        self.toasts = [toast for toast in self.toasts if toast.until > now]
