"""One function for many things, in several processes at once."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.system.memory import keep_memory

I = TypeVar("I")  # noqa: E741
T = TypeVar("T")

#: Things queued per process: enough to keep the process busy, few enough to cancel quickly.
_QUEUE = 3
_SINGLE_THREADED = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def in_processes(
    make: Callable[[I], T], things: Iterable[I], jobs: int
) -> Generator[T, None, None]:
    """Call ``make`` for each thing in ``jobs`` processes; yields the results in order.

    Closing the generator ends the processes as soon as they have finished their current things.

    Args:
        make: must be picklable, such as a function of a module or a ``partial`` of one; its
            results too.

    Raises:
        StyleSDFError: a process died.
    """
    # Spawned, not forked: a forked OpenGL driver or thread pool hangs.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start)
    waiting: deque[Future[T]] = deque()
    try:
        for number, thing in enumerate(things):
            # One thread per process, since there is a process per core. The first task starts all
            # processes, whose libraries read these variables when they are loaded.
            with _environment({} if number else _SINGLE_THREADED):
                waiting.append(pool.submit(make, thing))
            if len(waiting) >= _QUEUE * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StyleSDFError(
            "A process died, perhaps because memory ran out; to go on, run the same command again "
            "with fewer --jobs."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Environment variables for processes that are started inside the block."""
    before = dict(os.environ)
    os.environ.update(changes)
    try:
        yield
    finally:
        for name in changes:
            del os.environ[name]
        os.environ.update({name: before[name] for name in changes if name in before})


def _start() -> None:
    """Prepare a process that the parent alone may end."""
    # Ctrl+C reaches all processes at once; the parent ends them in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # by which the pool ends them
    keep_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the parent has been killed, which would leave it waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
