"""Rows of work in tiles: small enough to stay in cache, several at a time where there are cores."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import torch
from torch import Tensor

#: Work on the rows from the first number up to, not including, the second.
TileWork = Callable[[int, int], None]

# A tile's inputs and outputs at 256 channels fill a core's second-level cache; smaller tiles lose
# to the calls around them.
_CPU_ROWS = 2048
_GPU_ROWS = 1 << 19
_SMALLEST = 256


class Tiles:
    """Runs row-wise work tile by tile, on a device or on a few threads.

    On a CPU each tile runs on one core from its first operation to its last, and the next free core
    takes the next tile. Splitting every operation over all cores instead would make each wait for
    the slowest, which is the one that draws the window. Results do not depend on who ran what.
    A tile that runs tiles of its own does so on its thread: the others may be waiting likewise.

    Args:
        device: where the rows lie.
        threads: at work at once on a CPU; None for torch's own number.
    """

    def __init__(self, device: torch.device, threads: int | None = None) -> None:
        self._on_cpu = device.type == "cpu"
        self.rows = _CPU_ROWS if self._on_cpu else _GPU_ROWS
        #: What the user should know about the last runs; usually empty.
        self.note = ""
        self._threads = (threads or torch.get_num_threads()) if self._on_cpu else 1
        self._pool: ThreadPoolExecutor | None = None

    def run(self, work: TileWork, count: int, *, points_each: int = 1) -> None:
        """Call ``work`` for all of ``count`` rows; halves the tiles when memory runs out.

        ``work`` may be called again for rows it has done, so it writes results and adds nothing up.

        Args:
            points_each: evaluations that a row stands for.
        """
        while True:
            try:
                return self._run(work, count, max(1, self.rows // points_each))
            except torch.OutOfMemoryError:
                if self.rows <= _SMALLEST:
                    raise
                self.rows //= 2
                self.note = f"Memory is short: rendering in tiles of {self.rows} points."

    def map(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """``function``, (n, C) -> (n, …), applied to all of (N, C) rows."""
        parts: dict[int, Tensor] = {}

        def work(start: int, stop: int) -> None:
            parts[start] = function(rows[start:stop])

        self.run(work, len(rows))
        return torch.cat([parts[start] for start in sorted(parts)]) if parts else function(rows)

    def _run(self, work: TileWork, count: int, rows: int) -> None:
        starts = range(0, count, rows)
        if not self._on_cpu or getattr(_this_thread, "is_worker", False):
            for start in starts:
                work(start, min(start + rows, count))
            return
        lock, waiting = threading.Lock(), iter(starts)

        def take_tiles() -> None:
            nonlocal waiting
            with torch.no_grad():
                while True:
                    with lock:
                        start = next(waiting, None)
                    if start is None:
                        return
                    try:
                        work(start, min(start + rows, count))
                    except BaseException:
                        with lock:
                            waiting = iter(range(0))
                        raise

        workers = self._workers()
        count_at_once = min(self._threads, len(starts))
        helpers = [workers.submit(take_tiles) for _ in range(count_at_once)]
        wait(helpers)  # all of them, so that nobody still writes when a failure is handled
        for helper in helpers:
            helper.result()

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = _single_threaded_pool(self._threads)
        return self._pool


_pool_lock = threading.Lock()
_this_thread = threading.local()


def _single_threaded_pool(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch uses one core each; the caller's and all others' number stays."""
    everyone = threading.Barrier(threads)

    def use_one_core() -> None:
        # A thread's first use of torch sets its number to everyone's: later, that would undo ours.
        torch.get_num_threads()
        torch.set_num_threads(1)
        _this_thread.is_worker = True
        everyone.wait()  # no thread may start later, for the next line would not undo its setting

    with _pool_lock:
        own = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, "tiles", initializer=use_one_core)
        list(pool.map(lambda _: None, range(threads)))
        torch.set_num_threads(own)  # a thread's own setting is also what new threads begin with
    return pool
