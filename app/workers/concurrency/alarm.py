"""Wakes the main loop: when a worker has news, and when the mouse or the keyboard is used."""

from __future__ import annotations

import os
import select
import socket
import stat
import sys
import threading
import weakref
from contextlib import suppress
from pathlib import Path

#: How often input is looked for where the system's connection for input is not known, seconds.
_LOOK_EVERY = 1.0 / 20.0
_SOCKETS = Path("/proc/self/fd")
_X11_PORTS = range(6000, 6064)


class Alarm(threading.Event):
    """An event that workers set; the main loop sleeps until it is set or the user does something.

    Dear PyGui looks for input only while it draws. On Linux the X server announces input on a
    socket of this process, which can be waited for without drawing; elsewhere :meth:`wait` ends
    20 times a second.
    """

    def __init__(self) -> None:
        super().__init__()
        self._receiver, self._sender = socket.socketpair()
        self._receiver.setblocking(False)
        self._sender.setblocking(False)
        weakref.finalize(self, _close, self._receiver, self._sender)
        self._display: list[int] = []

    def watch_display(self) -> None:
        """Wait for the display's input too; to be called once the window is open."""
        self._display = _display_sockets() if sys.platform.startswith("linux") else []

    def set(self) -> None:
        """Wake the main loop."""
        super().set()
        with suppress(OSError):  # full: the main loop will wake anyway; closed: the program ends
            self._sender.send(b"\0")

    def clear(self) -> None:
        """Forget the news."""
        super().clear()
        with suppress(BlockingIOError):
            while self._receiver.recv(4096):
                pass

    def wait(self, timeout: float | None = None, *, for_input: bool = True) -> bool:
        """Sleep until there is news, input, or the time is over.

        Args:
            for_input: whether input ends the sleep.

        Returns:
            Whether input has ended the sleep.
        """
        seconds = _LOOK_EVERY if timeout is None else timeout
        if not self._display:
            seconds = min(seconds, _LOOK_EVERY)
        waited = [self._receiver.fileno(), *(self._display if for_input else ())]
        ready, _, _ = select.select(waited, [], [], max(0.0, seconds))
        return any(one in self._display for one in ready)


def _close(*connections: socket.socket) -> None:
    for connection in connections:
        connection.close()


def _display_sockets() -> list[int]:
    """File numbers of this process's connections to an X server."""
    found = []
    for entry in _SOCKETS.iterdir():
        number = int(entry.name)
        with suppress(OSError):  # closed meanwhile, or not connected
            if not stat.S_ISSOCK(os.fstat(number).st_mode):
                continue
            with socket.socket(fileno=os.dup(number)) as connection:
                peer = connection.getpeername()
            if isinstance(peer, (str, bytes)):
                name = peer if isinstance(peer, str) else peer.decode(errors="replace")
                is_display = ".X11-unix" in name
            else:
                is_display = peer[1] in _X11_PORTS
            if is_display:
                found.append(number)
    return found
