"""``python -m stylesdf_core.commands.train.process RUN_DIR``: train in a run folder.

The stage and its settings are read from the folder's config.json. The studio and ``--gpus`` start
this module in separate processes. For several machines that share the folder, start this module
with torchrun.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.foreign import printable
from stylesdf_core.system import console
from stylesdf_core.system.memory import keep_memory
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.runs.processes import ENTRY_POINT, FAILURE, MISTAKE
from stylesdf_core.training.runs.run_dir import RunDir

_SAY_EVERY = 10.0  # seconds


def main(arguments: list[str]) -> int:
    """Exit status: 0 finished or stopped on request, 130 by a signal, 2 a mistake, 1 a failure."""
    if len(arguments) != 1:
        sys.stderr.write(f"usage: python -m {ENTRY_POINT} RUN_DIR\n")
        return 2
    try:
        _train(RunDir(Path(arguments[0])))
    except StyleSDFError as error:
        is_mistake = isinstance(error, InputError)
        sys.stderr.write(f"{MISTAKE if is_mistake else FAILURE}{printable(str(error))}\n")
        return 2 if is_mistake else 1
    except KeyboardInterrupt as interrupt:
        sys.stderr.write(f"{interrupt or 'Cancelled before the first step.'}\n")
        return 130
    return 0


def _train(run: RunDir) -> None:
    """Train to the end; the first process writes its progress every ten seconds."""
    speaks = os.environ.get("RANK", "0") == "0"
    operation = train_run(run)
    said = 0.0
    while True:
        try:
            progress = next(operation)
        except StopIteration as stop:
            if speaks:
                sys.stdout.write(f"{stop.value}\n")
            return
        now = time.monotonic()
        if speaks and now - said >= _SAY_EVERY:
            said = now
            far = f"{progress.done:,.0f} of {progress.total:,.0f}"
            sys.stdout.write(f"{time.strftime('%H:%M:%S')}  {far}  {progress.message}\n")
            sys.stdout.flush()


if __name__ == "__main__":
    console.prepare_streams()
    keep_memory()
    console.interrupt_on_signals()
    sys.exit(main(sys.argv[1:]))
