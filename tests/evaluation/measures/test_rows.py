"""Rows of measurements: resumed after a crash, merged from several processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.evaluation.measures.rows import Columns, Part, RowFile, Task, run_tasks
from stylesdf_core.progress import drain


def squares(things: Sequence[int]) -> Columns:
    numbers = np.array(list(things), np.float32)
    return {"square": numbers**2, "pair": np.stack([numbers, -numbers], axis=-1)}


def task(folder: Path, count: int = 10) -> Task:
    return Task(folder, "squaring", count, 1.0, squares, chunk=3)


def test_rows_come_back_in_order(tmp_path: Path) -> None:
    one = task(tmp_path)
    drain(run_tasks([one], Part()))
    assert one.is_done()
    assert one.rows.column("square").tolist() == [float(n * n) for n in range(10)]
    assert one.rows.column("pair").shape == (10, 2)
    one.forget()
    assert len(one.rows) == 0


def test_half_a_row_is_overwritten(tmp_path: Path) -> None:
    one = task(tmp_path)
    operation = one.run(Part())
    next(operation)
    operation.close()
    folder = one.rows.folder
    with open(folder / "pair.bin", "ab") as stream:
        stream.write(b"\0" * 11)  # the power failed here
    assert len(RowFile(folder)) == 3
    drain(run_tasks([one], Part()))
    assert one.rows.column("pair")[:, 0].tolist() == list(range(10))


def test_two_evaluations_at_once_write_the_same_rows(tmp_path: Path) -> None:
    slow, fast = task(tmp_path).run(Part()), task(tmp_path).run(Part())
    next(slow)
    drain(fast)
    next(slow)
    drain(slow)
    assert task(tmp_path).rows.column("square").tolist() == [float(n * n) for n in range(10)]


@pytest.mark.parametrize("size", [2, 3, 12])
def test_several_processes_equal_one(tmp_path: Path, size: int) -> None:
    alone, shared = task(tmp_path / "alone"), task(tmp_path / "shared")
    drain(run_tasks([alone], Part()))
    for rank in range(size):
        drain(shared.run(Part(rank, size)))
    shared.merge(Part(0, size))
    for name in ("square", "pair"):
        assert np.array_equal(shared.rows.column(name), alone.rows.column(name))
    assert [path.name for path in shared.folder.iterdir()] == ["0of1"]


def test_progress_grows_to_what_follows(tmp_path: Path) -> None:
    tasks = [task(tmp_path / "a"), task(tmp_path / "b", 4)]
    seen = [progress.done for progress in run_tasks(tasks, Part(), after=6.0)]
    assert seen == sorted(seen)
    assert seen[-1] == 14.0
    assert len([*run_tasks(tasks, Part())]) == 2  # nothing is measured again
