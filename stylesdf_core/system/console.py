"""Signals that end the program, and standard output and error that may fail at any moment.

Ctrl+C and the other signals that end a program become a KeyboardInterrupt, so that every
``finally`` runs: temporary files are removed, child processes end. Text that the terminal cannot
show, or that nobody reads any more, never ends a program whose results go to the disk.
"""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

#: Signals that ask a program to end; a closed terminal is one of them.
END_SIGNALS = tuple(
    signal.Signals[name]
    for name in ("SIGINT", "SIGTERM", "SIGHUP", "SIGBREAK")
    if name in signal.Signals.__members__
)


class _Stream:
    """A standard stream that drops its text, without an error, once writing has failed.

    Attributes:
        error: the first error of writing; None before an error.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.error: OSError | None = None

    def write(self, text: str) -> int:
        with self._tolerant():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._tolerant():
            self._stream.flush()

    @contextmanager
    def _tolerant(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if self.error is None:
                self.error = error
                # Python flushes the stream when it ends, and would report the error again.
                with suppress(OSError), open(os.devnull, "w", encoding="utf-8") as nowhere:
                    os.dup2(nowhere.fileno(), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def prepare_streams() -> None:
    """Let standard output and error replace characters they cannot encode and survive errors.

    A program without a console (Windows' pythonw, closed streams) gets streams to the null device.
    """
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name) or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
        if not isinstance(stream, _Stream):
            setattr(sys, name, _Stream(stream))


def output_error() -> OSError | None:
    """The error of standard output, if any; None if its reader has closed the pipe."""
    sys.stdout.flush()
    error = getattr(sys.stdout, "error", None)
    return None if isinstance(error, BrokenPipeError) else error


def interrupt_on_signals() -> None:
    """Let every signal that ends programs raise KeyboardInterrupt, unless it is being ignored.

    ``nohup`` has SIGHUP ignored, a shell's ``&`` SIGINT.
    """
    for number in END_SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)


def end_on_interrupt() -> None:
    """Let Ctrl+C end the program at once, without a traceback: there is nothing to clean up."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)


def ignore_signals() -> None:
    """Leave the end of this process to another one, which gets the same signals."""
    for number in END_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def first_signal(ask: Callable[[], object]) -> Iterator[threading.Event]:
    """In this block the first signal to end the program calls ``ask``; the second ends the program.

    Only the main thread can handle signals; in other threads signals act as outside of the block.

    Yields:
        An event that is set when the first signal has come.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    before = {number: signal.getsignal(number) for number in END_SIGNALS}

    def handle(number: int, frame: Any) -> None:
        restore()
        asked.set()
        ask()

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    for number, handler in before.items():
        if handler != signal.SIG_IGN:
            signal.signal(number, handle)
    try:
        yield asked
    finally:
        restore()
