"""``evaluate --gpus N``: N processes measure together, and this one passes on what they say.

They run :mod:`.process` under torchrun, and fill the rows of which this program makes the report.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.runs.processes import FAILURE, MISTAKE, end, environment

_ENTRY_POINT = "stylesdf_core.commands.evaluation.process"
#: Seconds between two looks at whether the evaluation has been cancelled.
_LOOK = 0.5


def measure_in_processes(fields: Mapping[str, Any], count: int) -> Operation[None]:
    """Fill all rows of an evaluation in ``count`` processes; closing the operation ends them.

    Args:
        fields: the request's.

    Raises:
        InputError, StyleSDFError: what a process says; it ended without a word.
    """
    yield Progress(0, 1, f"starting {count} processes")
    words = ["--standalone", "--nproc-per-node", str(count), "-m", _ENTRY_POINT]
    request = json.dumps({name: _plain(value) for name, value in fields.items()})
    command = [sys.executable, "-m", "torch.distributed.run", *words, request]
    with _started(command, count) as (process, lines):
        progress, said = Progress(0, 1, f"starting {count} processes"), ""
        while (line := _next_line(lines)) is not None:
            if line.startswith("{"):
                progress = Progress(**json.loads(line))
            elif line.startswith((MISTAKE, FAILURE)):
                said = line
            yield progress
        if process.wait():
            if said.startswith(MISTAKE):
                raise InputError(said.removeprefix(MISTAKE))
            text = said.removeprefix(FAILURE) or "A process ended without a word."
            raise StyleSDFError(text)


@contextmanager
def _started(
    command: list[str], count: int
) -> Iterator[tuple[subprocess.Popen[str], queue.SimpleQueue[str | None]]]:
    """A process and the lines that it writes; None is the last one. It ends with the block."""
    threads = str(max(1, (os.cpu_count() or 1) // count))
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        env={"OMP_NUM_THREADS": threads, **environment(background=False)},
        start_new_session=True,  # Ctrl+C must reach this program only
    )
    assert process.stdout is not None
    lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
    threading.Thread(target=_pass_on, args=(process.stdout, lines), daemon=True).start()
    try:
        yield process, lines
    finally:
        if process.poll() is None:
            end(process.pid)
            process.wait()


def _pass_on(stream: IO[str], lines: queue.SimpleQueue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line.strip())
    lines.put(None)


def _next_line(lines: queue.SimpleQueue[str | None]) -> str | None:
    """The next line; an empty one while there is none, None after the last."""
    try:
        return lines.get(timeout=_LOOK)
    except queue.Empty:
        return ""


def _plain(value: Any) -> Any:
    return str(value.absolute()) if isinstance(value, Path) else value
