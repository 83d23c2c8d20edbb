"""The start of ``stylesdf-studio``: prepares the console, then runs :mod:`.program`."""

from __future__ import annotations

import gc
import sys

from app.workers.concurrency.process import postpone_collector
from stylesdf_core.system import console
from stylesdf_core.system.memory import keep_memory


def main() -> int:
    """Run the program; returns its exit status, which is also 1 if its output cannot be printed."""
    console.end_on_interrupt()  # while modules are imported
    console.prepare_streams()
    postpone_collector()
    keep_memory()
    from app.program import FAILED, complain, main

    console.interrupt_on_signals()
    try:
        status = main()
    finally:
        error = console.output_error()
        console.end_on_interrupt()
        gc.freeze()  # else Python, as it ends, looks through all objects: a third of a second
    if error is not None:
        complain(f"The command has ended, but its output cannot be printed: {error.strerror}.")
        return status or FAILED
    return status


if __name__ == "__main__":
    sys.exit(main())
