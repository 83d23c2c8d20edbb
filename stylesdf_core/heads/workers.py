"""Rendering heads in several processes, each with an OpenGL context of its own."""

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
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.heads.model import MorphableModel
from stylesdf_core.heads.renderer import HeadRenderer

T = TypeVar("T")

#: Heads in the making for each process: enough to keep it busy, few enough to cancel quickly.
_QUEUE = 3
_SINGLE_THREADED = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def each_head(
    make: Callable[[HeadRenderer, int], T], facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[T, None, None]:
    """Call ``make`` with a renderer for each head of ``indices``; yields its results in order.

    Closing the generator ends the processes after the heads they are at.

    Args:
        make: with more than one job it goes to other processes, as do its results: a function of
            a module, a bound method of something small, or a ``partial`` of either.
        facekit: the face model of all of them.
        jobs: processes, from 1 on; one is this process itself.

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
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(make, facekit)
    )
    waiting: deque[Future[T]] = deque()
    try:
        # One thread each: the processes already share out the cores. They are all started by the
        # first task, and libraries look when they are loaded.
        with _environment(_SINGLE_THREADED):
            waiting.append(pool.submit(_make, indices[0]))
        for index in indices[1:]:
            waiting.append(pool.submit(_make, index))
            if len(waiting) >= _QUEUE * jobs:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise StyleSDFError(
            "A rendering process died, perhaps for want of memory; run the same command again "
            "to go on, with fewer --jobs."
        ) from error
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _environment(changes: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started meanwhile."""
    before = {name: os.environ.get(name) for name in changes}
    os.environ.update(changes)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@dataclass
class _Worker:
    """What one process keeps between heads."""

    make: Callable[[HeadRenderer, int], Any]
    facekit: Path
    renderer: HeadRenderer | None = None


_workers: list[_Worker] = []


def _start(make: Callable[[HeadRenderer, int], Any], facekit: Path) -> None:
    # Ctrl+C reaches the whole group; the parent sees to an orderly end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _workers.append(_Worker(make, facekit))


def _end_with_parent() -> None:
    """A killed parent cannot end its workers, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _make(index: int) -> Any:
    worker = _workers[0]
    if worker.renderer is None:  # here, not in _start, so that errors reach the caller
        worker.renderer = HeadRenderer(MorphableModel.load(worker.facekit))
    return worker.make(worker.renderer, index)
