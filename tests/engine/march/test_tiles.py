"""Tiles of rows: each is done once, by whichever thread, and nobody else notices."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.errors import is_out_of_memory

CPU = torch.device("cpu")


def tiles_of(rows: int, threads: int = 3) -> Tiles:
    tiles = Tiles(CPU, threads)
    tiles.rows = rows
    return tiles


@pytest.mark.parametrize("count", [0, 1, 9, 10, 11, 1003])
@pytest.mark.parametrize("points_each", [1, 3, 50])
def test_every_row_once(count: int, points_each: int) -> None:
    done: Counter[int] = Counter()
    lock = threading.Lock()
    longest = max(1, 10 // points_each)

    def work(start: int, stop: int) -> None:
        assert 0 < stop - start <= longest
        with lock:
            done.update(range(start, stop))

    tiles_of(10).run(work, count, points_each=points_each)
    assert done == Counter(range(count))


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_the_order_of_rows_is_kept_whoever_comes_first(threads: int) -> None:
    rows = torch.arange(500.0)[:, None]
    first_is_done = threading.Event()

    def function(part: Tensor) -> Tensor:
        if threads > 1 and float(part[0]) == 0.0:
            assert first_is_done.wait(20)  # until a later tile has overtaken this one
        elif float(part[0]) >= 300.0:
            first_is_done.set()
        return part.square().repeat(1, 2)

    result = tiles_of(7, threads).map(function, rows)
    torch.testing.assert_close(result, rows.square().repeat(1, 2), rtol=0, atol=0)


def test_no_rows_give_no_rows() -> None:
    assert tiles_of(7).map(lambda part: part[:, :2], torch.empty(0, 3)).shape == (0, 2)


def test_work_keeps_no_gradients() -> None:
    recorded = []
    weight = torch.ones(1, requires_grad=True)
    tiles_of(4).run(lambda *_: recorded.append((weight * 2).requires_grad), 12)
    assert recorded == [False] * 3


def test_a_failing_tile_is_heard_of_and_ends_the_run() -> None:
    tiles, lock = tiles_of(1, threads=2), threading.Lock()
    started: list[int] = []
    at_work = [0]
    other_is_in = threading.Event()

    def work(start: int, stop: int) -> None:
        with lock:
            started.append(start)
            at_work[0] += 1
        try:
            if start == 0:
                assert other_is_in.wait(20)
                raise ValueError("the tile at row 0")
            other_is_in.set()
            threading.Event().wait(0.02)
        finally:
            with lock:
                at_work[0] -= 1

    with pytest.raises(ValueError, match="the tile at row 0"):
        tiles.run(work, 1000)
    # Whoever handles the error may free or reuse what the tiles write to.
    assert at_work == [0]
    assert len(started) < 100
    seen = len(started)
    doubled = tiles.map(lambda part: 2 * part, torch.ones(50, 1))
    assert float(doubled.sum()) == 100.0
    assert len(started) == seen


def test_short_memory_halves_the_tiles_and_says_so() -> None:
    tiles, sizes, lock = tiles_of(2048), set(), threading.Lock()

    def function(part: Tensor) -> Tensor:
        with lock:
            sizes.add(len(part))
        if len(part) > 600:
            raise torch.OutOfMemoryError("too many rows")
        return part + 1

    rows = torch.arange(5000.0)[:, None]
    torch.testing.assert_close(tiles.map(function, rows), rows + 1, rtol=0, atol=0)
    assert tiles.rows == 512
    assert {2048, 1024, 512} <= sizes
    assert tiles.note == "Memory is short: rendering in tiles of 512 points."
    sizes.clear()
    tiles.map(function, rows)  # the next run remembers
    assert max(sizes) == 512


@pytest.mark.parametrize(
    ("cause", "is_short"),
    [
        (lambda: torch.empty(1 << 60), True),
        (lambda: np.empty(1 << 50), True),
        (lambda: torch.ones(2) @ torch.ones(3), False),
        (lambda: 1 / 0, False),
    ],
)
def test_short_memory_is_known_by_its_errors(cause: Callable[[], object], is_short: bool) -> None:
    with pytest.raises((RuntimeError, MemoryError, ArithmeticError)) as caught:
        cause()
    assert is_out_of_memory(caught.value) == is_short


def test_memory_that_is_short_even_for_small_tiles_is_an_error() -> None:
    tiles = tiles_of(2048)

    def work(start: int, stop: int) -> None:
        raise torch.OutOfMemoryError("no memory at all")

    with pytest.raises(torch.OutOfMemoryError, match="no memory at all"):
        tiles.run(work, 5000)
    assert tiles.rows == 256


# --- threads --------------------------------------------------------------------------------------


@pytest.fixture
def three_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("three_threads")
def test_only_the_tiles_own_threads_compute_on_one_core() -> None:
    inside: set[int] = set()
    tiles = Tiles(CPU)
    tiles.rows = 1
    tiles.run(lambda *_: inside.add(torch.get_num_threads()), 50)
    assert inside == {1}
    assert torch.get_num_threads() == 3
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(torch.get_num_threads).result(20) == 3


@pytest.mark.usefixtures("three_threads")
def test_as_many_at_once_as_torch_has_threads() -> None:
    everyone = threading.Barrier(3)
    tiles = Tiles(CPU)
    tiles.rows = 1
    tiles.run(lambda *_: everyone.wait(20) and None, 3)  # breaks, if fewer are at work


def sum_of_squares(tiles: Tiles, function: Callable[[Tensor], Tensor]) -> float:
    return float(tiles.map(function, torch.arange(100.0)[:, None]).sum())


def test_two_threads_share_tiles() -> None:
    tiles, both = tiles_of(5, threads=2), threading.Barrier(2)

    def one(_: int) -> list[float]:
        both.wait(20)
        return [sum_of_squares(tiles, torch.square) for _ in range(20)]

    with ThreadPoolExecutor(2) as pool:
        for results in pool.map(one, range(2), timeout=60):
            assert results == [328350.0] * 20


@pytest.mark.timeout(60)
def test_a_tile_may_run_tiles_itself() -> None:
    outer, both = tiles_of(1, threads=2), threading.Barrier(2)

    def work(tiles: Tiles, into: list[float]) -> Callable[[int, int], None]:
        def nested(start: int, stop: int) -> None:
            both.wait(20)  # all threads of the pool are taken when they ask for more
            into.append(sum_of_squares(tiles, torch.square))

        return nested

    for tiles in (outer, tiles_of(5)):
        sums: list[float] = []
        outer.run(work(tiles, sums), 2)
        assert sums == [328350.0] * 2
