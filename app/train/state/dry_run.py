"""What the form's run would take: ``train … --dry-run`` in a process of its own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

from stylesdf_core.commands.command_line import command_words
from stylesdf_core.commands.train.stages import TrainRequest
from stylesdf_core.errors import InputError
from stylesdf_core.files import cleaned_up
from stylesdf_core.training.runs import processes

_POLL_SECONDS = 0.1
#: Seconds within which a process that is to end may finish its step.
_PATIENCE = 20.0


def measure(request: TrainRequest) -> Iterator[str | None]:
    """Measure a few steps; yields an empty text at once and the estimate's text at last.

    The work may be interrupted in between. It has a process of its own, because it changes torch's
    settings and may exhaust the memory.

    Raises:
        InputError: the dry run failed; its last sentence.
    """
    yield ""
    process = subprocess.Popen(
        command_words(replace(request, dry_run=True), (sys.executable, "-m", "app")),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        env=processes.environment(background=True),
    )
    try:
        with cleaned_up(process.terminate):
            while process.poll() is None:
                yield None
                time.sleep(_POLL_SECONDS)
        assert process.stdout is not None
        text = process.stdout.read()
    finally:
        _end(process)
    if process.returncode:
        lines = text.strip().splitlines() or [f"The dry run ended with {process.returncode}."]
        raise InputError(lines[-1].partition(": ")[2] or lines[-1])
    yield text


def _end(process: subprocess.Popen[str]) -> None:
    """End the process after its present step, so that it deletes its folder; else at once."""
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    if process.stdout is not None:
        process.stdout.close()


def rows(text: str) -> list[tuple[str, str]]:
    """The lines of an estimate's text: what each is about, empty if as before, and its sentence."""
    return [(line[:10].strip(), line[10:]) for line in text.splitlines() if line.strip()]
