"""``python -m stylesdf_core.commands.evaluate_process REQUEST``: measure as one of several.

``evaluate --gpus N`` starts this module N times under torchrun. Each process measures every N-th
picture and head, process 0 brings the rows into order, and the program that started them makes the
report. REQUEST is the request's fields as JSON.
"""

from __future__ import annotations

import dataclasses
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from stylesdf_core.commands.evaluate import Evaluate
from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.foreign import printable
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.system import console
from stylesdf_core.system.memory import keep_memory
from stylesdf_core.training.runs.processes import FAILURE, MISTAKE, end, environment

_ENTRY_POINT = "stylesdf_core.commands.evaluate_process"
#: Seconds between two looks at whether the evaluation has been cancelled.
_LOOK = 0.5


def measure_in_processes(request: Evaluate) -> Operation[None]:
    """Fill all rows of an evaluation in ``request.gpus`` processes; closing ends them.

    Raises:
        InputError, StyleSDFError: what a process says; it ended without a word.
    """
    count = request.gpus
    yield Progress(0, 1, f"starting {count} processes")
    words = ["--standalone", "--nproc-per-node", str(count), "-m", _ENTRY_POINT]
    fields = {name: _plain(value) for name, value in dataclasses.asdict(request).items()}
    with _started([sys.executable, "-m", "torch.distributed.run", *words, json.dumps(fields)],
                  count) as (process, lines):  # fmt: skip
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


def main(arguments: list[str]) -> int:
    """Exit status: 0 done, 2 a mistake, 1 a failure."""
    from stylesdf_core.evaluation.measures.rows import Part
    from stylesdf_core.training.world import joined_world

    fields = json.loads(arguments[0])
    paths = {name: Path(fields[name]) for name in ("data", "inception") if fields[name]}
    request = Evaluate(**{**fields, **paths})
    try:
        with joined_world(request.device) as world:
            here = dataclasses.replace(request, device=world.device.type)
            for progress in here.measure(Part(world.rank, world.size, world.wait)):
                if world.is_main:
                    sys.stdout.write(json.dumps(dataclasses.asdict(progress)) + "\n")
                    sys.stdout.flush()
    except StyleSDFError as error:
        is_mistake = isinstance(error, InputError)
        sys.stdout.write(f"{MISTAKE if is_mistake else FAILURE}{printable(str(error))}\n")
        return 2 if is_mistake else 1
    return 0


if __name__ == "__main__":
    console.prepare_streams()
    keep_memory()
    sys.exit(main(sys.argv[1:]))
