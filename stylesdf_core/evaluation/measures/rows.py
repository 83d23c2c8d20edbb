"""Measurements of many things, one row each, in files: resumable, shared by processes, bounded.

A :class:`Task` measures things by number: pictures, or heads. :func:`run_tasks` appends the rows to
files, so that an interrupted evaluation goes on where it ended and 50,000 rows of 2,048 numbers
need not fit into memory. Of several processes, each measures every n-th thing; process 0 merges.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import OutputError
from stylesdf_core.files import write_json
from stylesdf_core.progress import Operation, Progress

#: Named columns of some rows: (B, …) each.
Columns = Mapping[str, npt.NDArray[Any]]

_KINDS = "columns.json"
#: Rows that are merged at once.
_AT_ONCE = 1024


class RowFile:
    """Rows in a folder, a file for each column; what a crash left half-written is overwritten.

    Rows are written to their places, so that two evaluations that measure the same things at once
    write the same file.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = folder / _KINDS
        self._kinds: dict[str, tuple[str, tuple[int, ...]]] = {}
        if path.exists():
            kinds = json.loads(path.read_text(encoding="utf-8"))
            self._kinds = {name: (kind, tuple(shape)) for name, (kind, shape) in kinds.items()}

    def __len__(self) -> int:
        if not self._kinds:
            return 0
        return min(self._bytes(name) // self._row_bytes(name) for name in self._kinds)

    def write(self, first: int, columns: Columns) -> None:
        """Write the rows from number ``first`` on; all calls give the same columns.

        Args:
            first: at most the number of rows.

        Raises:
            OutputError: the disk is full, or the folder may not be written.
        """
        try:
            if not self._kinds:
                self.folder.mkdir(parents=True, exist_ok=True)
                self._kinds = {n: (c.dtype.str, c.shape[1:]) for n, c in columns.items()}
                write_json(self.folder / _KINDS, {n: list(k) for n, k in self._kinds.items()})
            for name, column in columns.items():
                self._path(name).touch()
                with open(self._path(name), "rb+") as stream:
                    stream.seek(first * self._row_bytes(name))
                    stream.write(np.ascontiguousarray(column).data)
        except OSError as error:
            raise OutputError(f"Cannot write {self.folder}: {error.strerror or error}.") from error

    def column(self, name: str) -> npt.NDArray[Any]:
        """All rows of a column, (N, …), read from the file when they are used."""
        kind, shape = self._kinds[name]
        return np.memmap(self._path(name), np.dtype(kind), "c", shape=(len(self), *shape))

    def names(self) -> list[str]:
        """The columns."""
        return list(self._kinds)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.bin"

    def _bytes(self, name: str) -> int:
        path = self._path(name)
        return path.stat().st_size if path.exists() else 0

    def _row_bytes(self, name: str) -> int:
        kind, shape = self._kinds[name]
        return int(np.dtype(kind).itemsize * np.prod(shape, dtype=np.int64))


@dataclass(frozen=True)
class Part:
    """This process among those that measure together.

    Attributes:
        rank, size: number of this process, and of all processes.
        wait: returns when all processes have called it.
    """

    rank: int = 0
    size: int = 1
    wait: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Task:
    """Things to measure.

    Attributes:
        folder: where the rows lie.
        message: what is being done, a few words.
        count: number of things.
        weight: duration of one thing, in a unit that all tasks share.
        measure: the rows of things, by their numbers.
        chunk: things that are measured at once.
    """

    folder: Path
    message: str
    count: int
    weight: float
    measure: Callable[[Sequence[int]], Columns]
    chunk: int = 1

    @property
    def rows(self) -> RowFile:
        """The rows of all things, once the task has run."""
        return self._part(Part())

    def is_done(self) -> bool:
        """Whether all things have rows."""
        return len(self.rows) >= self.count

    def forget(self) -> None:
        """Remove the rows."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def run(self, part: Part) -> Operation[None]:
        """Measure this process's things that have no rows yet; yields Progress in things."""
        rows, mine = self._part(part), range(part.rank, self.count, part.size)
        for start in range(len(rows), len(mine), self.chunk):
            rows.write(start, self.measure(mine[start : start + self.chunk]))
            yield Progress(min(len(mine), start + self.chunk), len(mine), self.message)

    def merge(self, part: Part) -> None:
        """Bring the rows of all processes into order; for process 0, once all have run."""
        parts = [self._part(Part(rank, part.size)) for rank in range(part.size)]
        whole = self.folder / "merging"
        shutil.rmtree(whole, ignore_errors=True)
        merged = RowFile(whole)
        for start in range(0, self.count, _AT_ONCE):
            things = np.arange(start, min(self.count, start + _AT_ONCE))
            columns: dict[str, npt.NDArray[Any]] = {}
            for name in parts[0].names():
                first = parts[0].column(name)
                columns[name] = np.empty((len(things), *first.shape[1:]), first.dtype)
                for rank, rows in enumerate(parts):
                    here = things % part.size == rank
                    if here.any():
                        columns[name][here] = rows.column(name)[things[here] // part.size]
            merged.write(start, columns)
        shutil.rmtree(self.rows.folder, ignore_errors=True)
        whole.rename(self.rows.folder)
        for rows in parts:
            shutil.rmtree(rows.folder, ignore_errors=True)

    def _part(self, part: Part) -> RowFile:
        return RowFile(self.folder / f"{part.rank}of{part.size}")


def run_tasks(tasks: Sequence[Task], part: Part, after: float = 0.0) -> Operation[float]:
    """Run this process's part of all tasks that are not done; the result is the total duration.

    Args:
        after: duration of the work that follows, in the tasks' unit.
    """
    total = sum(task.weight * task.count for task in tasks) + after
    missing = [task for task in tasks if not task.is_done()]
    part.wait()
    done = 0.0
    for task in tasks:
        share = task.weight * task.count
        yield Progress(done, total, task.message)
        if task in missing:
            for progress in task.run(part):
                yield Progress(done + share * progress.fraction, total, task.message)
        done += share
    part.wait()
    if part.rank == 0 and part.size > 1:
        for task in missing:
            task.merge(part)
    part.wait()
    return total
