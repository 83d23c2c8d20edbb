"""Reads run folders, in threads of the Train tab: the list of runs, and all of the selected run.

Training processes write to the folders and are never asked themselves, since a process may have
been started elsewhere.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from app.state.settings import TrainingSettings
from app.state.wording import is_showable
from app.train.state.curves import Curves, Line
from app.train.state.samples import sample_steps
from stylesdf_core.training.runs.health import Health
from stylesdf_core.training.runs.processes import log_tail
from stylesdf_core.training.runs.run_dir import RunDir, records_in
from stylesdf_core.training.runs.run_summary import RunSummary, summary_or_failure

_LOG_LINES = 100
_COUNTS = re.compile(r"[\d,]+ (?:of|/) [\d,]+|[\d.]+ ?%")
#: Bytes of stats.jsonl read at a time, so that reading a long run leaves time to other threads.
_PIECE = 1 << 17
_BREATH = 0.01  # seconds between pieces of a long file


def list_runs(settings: TrainingSettings) -> Iterator[tuple[RunSummary, ...]]:
    """All runs, newest first; a run that cannot be read is listed as failed, with the reason.

    Args:
        settings: names the folder of runs, runs elsewhere, and runs not to list.
    """
    paths = {config.parent for config in Path(settings.folder).glob("*/config.json")}
    paths |= {Path(path) for path in settings.added}
    paths -= {Path(path) for path in settings.hidden}
    paths = {path for path in paths if is_showable(path)}
    found = []
    # Sorted by the age of config.json, so that a run keeps its place in the list while it trains.
    for path in sorted(paths, key=lambda path: (-_born(path), path)):
        try:
            found.append(summary_or_failure(path))
        except OSError:  # deleted meanwhile
            continue
    yield tuple(found)


def _born(path: Path) -> float:
    try:
        return (path / "config.json").stat().st_mtime
    except OSError:
        return 0.0


@dataclass(frozen=True)
class RunRequest:
    """The run to report on, and the curves wanted.

    Attributes:
        groups: of curves, see :mod:`app.train.state.curves`.
        smoothing: of the curves, 0 to below 1.
    """

    path: Path
    groups: tuple[str, ...]
    smoothing: float


@dataclass(frozen=True, eq=False)
class RunReport:
    """All that the Train tab shows of one run.

    Attributes:
        groups: groups of curves that have at least one recorded figure.
        lines: curves of the requested groups.
        health: one sentence on what is wrong with the training; empty if nothing is.
        log: the run's events, then the last lines of the output of its processes.
        samples: steps that have sample grids, ascending.
        averages: steps that have averaged generators, ascending.
        best: the step of the best averaged generator; None if it is unknown.
        speed: newest images a second; None before the first record of the speed.
    """

    request: RunRequest
    groups: tuple[str, ...]
    lines: dict[str, tuple[Line, ...]]
    health: str
    log: tuple[str, ...]
    samples: tuple[int, ...]
    averages: tuple[int, ...]
    best: int | None
    speed: float | None


class Follower:
    """Reads, at each request, the records that a run has added since its last request."""

    def __init__(self) -> None:
        self._tail: StatsTail | None = None
        self._report: RunReport | None = None
        self._seen: tuple[object, ...] = ()  # everything that the report depends on

    def __call__(self, request: RunRequest) -> Iterator[RunReport | None]:
        """Yield None after each piece of a long file, then a report, the same if nothing is new."""
        if self._tail is None or self._tail.run.path != request.path:
            self._tail, self._report = StatsTail(RunDir(request.path)), None
            self._forget()
        while self._read(self._tail):
            yield None
            time.sleep(_BREATH)  # leaves the interpreter to the window
        run = self._tail.run
        entries = _entries(run.path / "samples"), _entries(run.checkpoints)
        seen = (request, self._reads, entries, log_tail(run, _LOG_LINES))
        if self._report is None or seen != self._seen:
            self._report, self._seen = self._new_report(request, run), seen
        yield self._report

    def _forget(self) -> None:
        self._curves, self._health, self._advice = Curves(), Health(), ""
        self._events: list[str] = []
        self._speed: float | None = None
        self._reads = 0  # how often there were new records

    def _read(self, tail: StatsTail) -> bool:
        """Read the next piece of the records; True if there are more."""
        piece = tail.read()
        if piece.starts_over:
            self._forget()
            self._report = None
        self._curves.append(piece.records)
        for record in piece.records:
            self._note(record)
        self._reads += bool(piece.records)
        return piece.more

    def _note(self, record: dict[str, Any]) -> None:
        known = {k: v for k, v in record.items() if isinstance(v, (int, float, str))}
        self._advice = self._health.see(known)
        speed = record.get("images_per_second")
        if isinstance(speed, (int, float)):
            self._speed = float(speed)
        said = record.get("event") or record.get("health")
        if not said and "frechet" in record:
            said = f"Fréchet {record['frechet']:.2f}"
        if said:
            self._events.append(f"step {record['step']:,}  {said}")

    def _new_report(self, request: RunRequest, run: RunDir) -> RunReport:
        averages, best = run.averages(), run.best("ema")
        return RunReport(
            request,
            groups=self._curves.groups,
            lines={group: self._curves.lines(group, request.smoothing) for group in request.groups},
            health=self._advice,
            log=(*self._events[-_LOG_LINES:], *collapsed(log_tail(run, _LOG_LINES))),
            samples=sample_steps(run.path),
            averages=tuple(averages),
            best=next((step for step, path in averages.items() if path == best), None),
            speed=self._speed,
        )


def collapsed(lines: Sequence[str]) -> list[str]:
    """Lines of a log without the progress that later lines go on with, as ``653 of 1,400``."""
    kept: list[tuple[str, str]] = []  # each with the same line without its counts
    for line in lines:
        bare = _COUNTS.sub("", line)
        if kept and bare != line and kept[-1][1] == bare:
            kept.pop()
        kept.append((line, bare))
    return [line for line, _ in kept]


def _entries(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.name for path in folder.iterdir()))
    except OSError:
        return ()


@dataclass(frozen=True)
class Piece:
    """Records that were appended to a run's stats.jsonl.

    Attributes:
        records: in the order of the file.
        starts_over: the file was rewritten, as on resuming, so earlier records are void.
        more: further records can be read at once.
    """

    records: list[dict[str, Any]]
    starts_over: bool = False
    more: bool = False


class StatsTail:
    """Reads the lines that have been appended to a run's stats.jsonl since the last reading."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._file: tuple[int, int] | None = None  # device and inode
        self._offset = 0

    def read(self) -> Piece:
        """The next lines; an unfinished last line is left for the next reading."""
        try:
            with open(self.run.stats_file, "rb") as stream:
                state = os.fstat(stream.fileno())
                file = (state.st_dev, state.st_ino)
                is_new = file != self._file or state.st_size < self._offset
                starts_over = is_new and self._file is not None
                if is_new:
                    self._file, self._offset = file, 0
                stream.seek(self._offset)
                content = stream.read(_PIECE)
        except OSError:
            starts_over = self._file is not None
            self._file, self._offset = None, 0
            return Piece([], starts_over)
        whole = content[: content.rfind(b"\n") + 1]
        self._offset += len(whole)
        more = bool(whole) and self._offset < state.st_size
        return Piece(records_in(whole), starts_over, more=more)
