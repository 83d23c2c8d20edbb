"""Rendering heads in several processes, each with an OpenGL context of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.heads.dataset import HeadsDataset
from stylesdf_core.heads.model import MorphableModel
from stylesdf_core.heads.renderer import HeadRenderer

#: Heads in the making for each process: enough to keep it busy, few enough to cancel quickly.
_QUEUE = 3
_SINGLE_THREADED = {"LP_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def write_heads(
    dataset: HeadsDataset, model: MorphableModel, facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[int, None, None]:
    """Write the heads of ``indices``; yields each, in order, once its files are there.

    Closing the generator ends the processes after the heads they are at.

    Raises:
        GraphicsError: no OpenGL context can be made.
        StyleSDFError: a process died.
    """
    jobs = min(jobs, len(indices))
    if jobs > 1:
        yield from _in_processes(dataset, facekit, indices, jobs)
    elif jobs == 1:
        renderer = HeadRenderer(model)
        try:
            for index in indices:
                dataset.write_head(renderer, index)
                yield index
        finally:
            renderer.close()


def _in_processes(
    dataset: HeadsDataset, facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[int, None, None]:
    # Spawned, not forked: a forked OpenGL driver or thread pool hangs.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(
        jobs, mp_context=context, initializer=_start, initargs=(dataset, facekit)
    )
    waiting: deque[Future[int]] = deque()
    try:
        for index in indices:
            waiting.append(pool.submit(_write, index))
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


@dataclass
class _Worker:
    """What one process keeps between heads."""

    dataset: HeadsDataset
    facekit: Path
    renderer: HeadRenderer | None = None


_workers: list[_Worker] = []


def _start(dataset: HeadsDataset, facekit: Path) -> None:
    # One thread each: the processes already share out the cores.
    os.environ.update(_SINGLE_THREADED)
    # Ctrl+C reaches the whole group; the parent sees to an orderly end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _workers.append(_Worker(dataset, facekit))


def _end_with_parent() -> None:
    """A killed parent cannot end its workers, which would wait for work for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _write(index: int) -> int:
    worker = _workers[0]
    if worker.renderer is None:  # here, not in _start, so that errors reach the caller
        worker.renderer = HeadRenderer(MorphableModel.load(worker.facekit))
    worker.dataset.write_head(worker.renderer, index)
    return index
