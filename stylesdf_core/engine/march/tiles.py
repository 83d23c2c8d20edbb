"""Work on many rows (points or rays) in tiles that fit a core's cache, one tile per core.

Everything that the engine evaluates runs through here: rays in a render, points in a mesh.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import nullcontext
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import exact_products
from stylesdf_core.errors import is_out_of_memory

T = TypeVar("T")
FloatArray = npt.NDArray[np.float32]
PointFunction = Callable[[FloatArray], FloatArray]

#: Work on the rows from the first number up to, not including, the second.
TileWork = Callable[[int, int], None]

# A tile's inputs and outputs at 256 channels fill a core's second-level cache; in smaller tiles the
# calls around the work take too large a share.
_CPU_ROWS = 2048
_GPU_ROWS = 1 << 19
_SMALLEST = 256


class Tiles:
    """Runs row-wise work tile by tile, on a device or on a few threads.

    On a CPU each tile runs on one core from its first operation to its last, and the next free core
    takes the next tile. Splitting every operation over all cores instead would make each operation
    wait for the slowest core, which is the one that draws the window. Results do not depend on
    which thread ran which tile. Work inside a tile that runs tiles itself stays on the tile's
    thread: all other threads may be waiting in the same way.

    Args:
        device: where the rows lie.
        threads: number of threads on a CPU; None for torch's number.
        exact: on a GPU, work on rows computes with exact products.
    """

    def __init__(
        self, device: torch.device, threads: int | None = None, *, exact: bool = False
    ) -> None:
        self._device, self._on_cpu, self._exact = device, device.type == "cpu", exact
        self.rows = _CPU_ROWS if self._on_cpu else _GPU_ROWS
        #: A sentence for the user where memory was short; usually empty.
        self.note = ""
        self._threads = (threads or torch.get_num_threads()) if self._on_cpu else 1
        self._pool: ThreadPoolExecutor | None = None
        self._alone: ThreadPoolExecutor | None = None

    def run(self, work: TileWork, count: int, *, points_each: int = 1) -> None:
        """Call ``work`` for all of ``count`` rows; halves the tiles when memory runs out.

        Halving starts anew, so that ``work`` may be called twice for a row: it must overwrite its
        results, not add to them.

        Args:
            points_each: evaluations of the field for each row.
        """
        while True:
            try:
                with exact_products(self._device) if self._exact else nullcontext():
                    return self._run(work, count, max(1, self.rows // points_each))
            except (MemoryError, RuntimeError) as error:
                self._halve(error)

    def at_once(self, work: Callable[[], T], count: int) -> T | None:
        """The result of ``work`` on ``count`` rows; None if a tile or memory is too small."""
        if count > self.rows:
            return None
        try:
            return work()
        except (MemoryError, RuntimeError) as error:
            self._halve(error)
            return None

    def _halve(self, error: Exception) -> None:
        """Smaller tiles after a lack of memory; any other error is raised again."""
        if not is_out_of_memory(error) or self.rows <= _SMALLEST:
            raise error
        self.rows //= 2
        self.note = f"Memory is short: rendering in tiles of {self.rows} points."

    def map(self, function: Callable[[Tensor], Tensor], rows: Tensor) -> Tensor:
        """``function``, (n, C) -> (n, …), applied to all of (N, C) rows."""
        parts: dict[int, Tensor] = {}

        def work(start: int, stop: int) -> None:
            parts[start] = function(rows[start:stop])

        self.run(work, len(rows))
        return torch.cat([parts[start] for start in sorted(parts)]) if parts else function(rows)

    def on_arrays(self, function: Callable[[Tensor], Tensor]) -> PointFunction:
        """:meth:`map` of a function of points, as a function of arrays (N, 3)."""

        def call(points: FloatArray) -> FloatArray:
            tensor = torch.from_numpy(np.ascontiguousarray(points, np.float32)).to(self._device)
            with torch.no_grad():
                result = self.map(function, tensor)
            array: FloatArray = result.float().cpu().numpy()
            return array

        return call

    def on_one_core(self, work: Callable[[], T]) -> T:
        """The result of ``work``, whose own operations use one core; tiles in it use all threads.

        Sums do not depend on the machine's number of cores then. On a GPU products are exact.
        """
        if not self._on_cpu:
            with exact_products(self._device):
                return work()
        if getattr(_this_thread, "has_one_core", False):
            return work()
        if self._alone is None:
            self._alone = _single_threaded_pool(1, is_worker=False)

        def call() -> T:
            with torch.no_grad():
                return work()

        return self._alone.submit(call).result()

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
        wait(helpers)  # also after a failure: no thread may still write while the error is handled
        for helper in helpers:
            helper.result()

    def _workers(self) -> ThreadPoolExecutor:
        if self._pool is None:
            self._pool = _single_threaded_pool(self._threads)
        return self._pool


_pool_lock = threading.Lock()
_this_thread = threading.local()


def _single_threaded_pool(threads: int, *, is_worker: bool = True) -> ThreadPoolExecutor:
    """Threads in which torch uses one core each; torch's number for other threads stays."""
    everyone = threading.Barrier(threads)

    def use_one_core() -> None:
        # A thread's first call of torch sets the thread's number of cores to the process's number.
        torch.get_num_threads()
        torch.set_num_threads(1)
        _this_thread.has_one_core, _this_thread.is_worker = True, is_worker
        everyone.wait()  # all threads have set their number before the caller's is restored

    with _pool_lock:
        own = torch.get_num_threads()
        pool = ThreadPoolExecutor(threads, "tiles", initializer=use_one_core)
        list(pool.map(lambda _: None, range(threads)))
        torch.set_num_threads(own)  # a thread's setting is also the number that new threads get
    return pool
