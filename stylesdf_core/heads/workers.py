"""Rendering heads in several processes, each with an OpenGL context of its own.

The data set and the fit's shards are made by :func:`each_head`, which calls a function with a
renderer and a head's number.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import TypeVar

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.heads.face_model import MorphableModel
from stylesdf_core.heads.renderer import HeadRenderer

T = TypeVar("T")

#: Heads queued per process: enough to keep the process busy, few enough to cancel quickly.
_QUEUE = 3
_SINGLE_THREADED = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def each_head(
    make: Callable[[HeadRenderer, int], T], facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[T, None, None]:
    """Call ``make`` with a renderer for each head of ``indices``; yields the results in order.

    Closing the generator ends the processes as soon as they have finished their current heads.

    Args:
        make: must be picklable if there is more than one job: a function of a module, a bound
            method of a small object, or a ``partial`` of either; its results too.
        facekit: the face model of all heads.
        jobs: processes, from 1 on; a single job runs in this process.

    Raises:
        InputError: ``facekit`` is no face model.
        GraphicsError: no OpenGL context can be made.
        StyleSDFError: a process died.
    """
    jobs = min(jobs, len(indices))
    if jobs > 1:
        yield from _in_processes(make, facekit, indices, jobs)
    elif jobs == 1:
        renderer = HeadRenderer(MorphableModel.load(facekit))
        try:
            for index in indices:
                yield make(renderer, index)
        finally:
            renderer.close()


def _in_processes(
    make: Callable[[HeadRenderer, int], T], facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[T, None, None]:
    # Spawned, not forked: a forked OpenGL driver or thread pool hangs.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(jobs, mp_context=context, initializer=_start)
    waiting: deque[Future[T]] = deque()
    try:
        # One thread per process, since there is a process per core. The first task starts all
        # processes, whose libraries read these variables when they are loaded.
        with _environment(_SINGLE_THREADED):
            waiting.append(pool.submit(_make, make, facekit, indices[0]))
        for index in indices[1:]:
            waiting.append(pool.submit(_make, make, facekit, index))
            if len(waiting) >= _QUEUE * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StyleSDFError(
            "A rendering process died, perhaps because memory ran out; to go on, run the same "
            "command again with fewer --jobs."
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
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the parent has been killed, which would leave it waiting for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(make: Callable[[HeadRenderer, int], T], facekit: Path, index: int) -> T:
    return make(_renderer(facekit), index)


@cache
def _renderer(facekit: Path) -> HeadRenderer:
    """The renderer of a process, made by the first task, so that errors reach the caller."""
    return HeadRenderer(MorphableModel.load(facekit))
