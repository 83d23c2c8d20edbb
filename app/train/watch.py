"""Threads that look at run folders: one at all of them, one closely at the selected one."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import stylesdf_core.commands.train_stages  # noqa: F401  (makes the stages known)
from app.train.curves import Curves, Line
from app.train.process import StatsTail
from app.workers.schedule import LatestWorker, Work
from stylesdf_core.training.adversarial.health import Health
from stylesdf_core.training.processes import log_tail
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.run_summary import RunSummary, summary_or_failure

_LOOK_EVERY = 1.0  # seconds
_LOG_LINES = 100
_BREATH = 0.01  # seconds between pieces of a long file


@dataclass(frozen=True)
class RunsRequest:
    """Where to look for runs.

    Attributes:
        folder: whose subfolders are runs.
        added: runs elsewhere.
        hidden: runs not to list.
    """

    folder: Path
    added: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()


@dataclass(frozen=True)
class RunRequest:
    """What to find out of one run.

    Attributes:
        groups: of curves, see :mod:`app.train.curves`.
        smoothing: of the curves, 0 to below 1.
    """

    path: Path
    groups: tuple[str, ...]
    smoothing: float


@dataclass(frozen=True, eq=False)
class RunReport:
    """What is known of one run.

    Attributes:
        groups: that there is something of.
        lines: of the groups asked for.
        health: what is wrong, one sentence; empty when all is well.
        log: the last lines of its processes' output and of what happened.
        samples: steps that there are sample grids of, ascending.
        averages: steps that there are averaged generators of, ascending.
        best: the step of the best of these; None where none is.
        speed: images a second, newest; None where there are none.
    """

    request: RunRequest
    groups: tuple[str, ...] = ()
    lines: dict[str, tuple[Line, ...]] | None = None
    health: str = ""
    log: tuple[str, ...] = ()
    samples: tuple[int, ...] = ()
    averages: tuple[int, ...] = ()
    best: int | None = None
    speed: float | None = None


class Watch:
    """Both threads; the newest answers lie in ``runs`` and ``report``."""

    def __init__(self, news: threading.Event) -> None:
        self.runs: tuple[RunSummary, ...] | None = None
        self.report: RunReport | None = None
        self._wake_list, self._wake_run = threading.Event(), threading.Event()
        self._list: LatestWorker[RunsRequest, tuple[RunSummary, ...]] = LatestWorker(
            "runs", _listing(self._wake_list), news
        )
        self._run: LatestWorker[RunRequest, RunReport] = LatestWorker(
            "run", _following(self._wake_run), news
        )
        self._list_request: RunsRequest | None = None
        self._run_request: RunRequest | None = None

    @property
    def watched(self) -> RunRequest | None:
        """The run that is looked at closely."""
        return self._run_request

    def look(self, runs: RunsRequest, run: RunRequest | None, *, now: bool = False) -> None:
        """Watch these from now on; nothing happens where they are watched already.

        Args:
            now: look at the list again at once.
        """
        if runs != self._list_request or now:
            self._list_request = runs
            self._list.submit(runs)
            self._wake_list.set()
        if run != self._run_request:
            self._run_request = run
            if run is None or self.report is None or self.report.request.path != run.path:
                self.report = None
            if run is not None:
                self._run.submit(run)
                self._wake_run.set()

    def poll(self) -> bool:
        """Take answers in; True where the list of runs has changed."""
        listed, followed = self._list.poll(), self._run.poll()
        if listed is not None and listed.value is not None:
            self.runs = listed.value
        if listed is not None and listed.error is not None:
            self._list_request = None  # asked again at once
        if followed is not None:
            if followed.error is not None:
                self._run_request = None
            elif followed.value is not None and followed.request == self._run_request:
                self.report = followed.value
        return listed is not None and listed.value is not None

    def close(self) -> None:
        """End both threads."""
        self._wake_list.set()
        self._wake_run.set()
        self._list.close()
        self._run.close()


# --- the list ----------------------------------------------------------------------------------


def find_runs(request: RunsRequest) -> tuple[RunSummary, ...]:
    """All runs, newest first; one that cannot be read is a failed run that says why."""
    hidden = {Path(path) for path in request.hidden}
    paths = {config.parent for config in request.folder.glob("*/config.json")}
    paths |= {Path(path) for path in request.added}
    # By their configs' age: a run's place in the list must not change as it trains.
    ordered = sorted(paths - hidden, key=lambda path: (-_born(path), path))
    found = []
    for path in ordered:
        try:
            found.append(summary_or_failure(path))
        except OSError:  # taken away while it was looked at
            continue
    return tuple(found)


def _born(path: Path) -> float:
    try:
        return (path / "config.json").stat().st_mtime
    except OSError:
        return 0.0


def _listing(wake: threading.Event) -> Work[RunsRequest, tuple[RunSummary, ...]]:
    def work(request: RunsRequest) -> Iterator[tuple[RunSummary, ...] | None]:
        shown: tuple[RunSummary, ...] | None = None
        while True:
            wake.clear()
            runs = find_runs(request)
            yield runs if runs != shown else None
            shown = runs
            wake.wait(_LOOK_EVERY)

    return work


# --- one run -----------------------------------------------------------------------------------


class _Followed:
    """A run's figures so far."""

    def __init__(self, path: Path) -> None:
        self.run = RunDir(path)
        self._forget()
        self._tail = StatsTail(self.run)
        self._files: tuple[object, ...] = ()
        self._changed = True

    def _forget(self) -> None:
        self.curves, self.health, self.advice = Curves(), Health(), ""
        self.events: list[str] = []
        self.speed: float | None = None

    def read(self) -> bool:
        """Take in the next piece of what is recorded; True if there is more of it."""
        news = self._tail.read()
        if news.starts_over:
            self._forget()
        self.curves.append(news.records)
        for record in news.records:
            self._note(record)
        self._changed = self._changed or news.starts_over or bool(news.records)
        return news.more

    def has_changed(self) -> bool:
        """Whether a report would say anything new since the last time this was asked."""
        files = (
            _entries(self.run.path / "samples"),
            _entries(self.run.checkpoints),
            log_tail(self.run, _LOG_LINES),
        )
        changed = self._changed or files != self._files
        self._changed, self._files = False, files
        return changed

    def _note(self, record: dict[str, object]) -> None:
        known = {k: v for k, v in record.items() if isinstance(v, (int, float, str))}
        self.advice = self.health.see(known)
        speed = record.get("images_per_second")
        if isinstance(speed, (int, float)):
            self.speed = float(speed)
        step = record["step"]
        said = record.get("event") or record.get("health")
        if said:
            self.events.append(f"step {step:,}  {said}")
        elif "swd" in record:
            self.events.append(f"step {step:,}  swd {record['swd']:.1f}")

    def report(self, request: RunRequest) -> RunReport:
        log = (*self.events[-_LOG_LINES:], *log_tail(self.run, _LOG_LINES))
        best = self.run.best("ema")
        averages = self.run.averages()
        return RunReport(
            request,
            self.curves.groups,
            {group: self.curves.lines(group, request.smoothing) for group in request.groups},
            self.advice,
            log,
            sample_steps(self.run),
            tuple(averages),
            next((step for step, path in averages.items() if path == best), None),
            self.speed,
        )


def sample_steps(run: RunDir) -> tuple[int, ...]:
    """Steps that there are sample grids of, ascending."""
    names = (path.stem for path in (run.path / "samples").glob("*.png"))
    return tuple(sorted(int(name) for name in names if name.isdigit()))


def sample_file(path: Path, step: int, *, thumb: bool) -> Path:
    """The grid of a step: the images or, where there are any, the volume renders."""
    folder = path / "samples"
    file = folder / f"{step:08d}-thumb.png"
    return file if thumb and file.exists() else folder / f"{step:08d}.png"


def _entries(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(sorted(path.name for path in folder.iterdir()))
    except OSError:
        return ()


def _following(wake: threading.Event) -> Work[RunRequest, RunReport]:
    held: list[_Followed] = []  # only the run that is shown

    def work(request: RunRequest) -> Iterator[RunReport | None]:
        if not held or held[0].run.path != request.path:
            held[:] = [_Followed(request.path)]
        followed = held[0]
        first = True
        while True:
            wake.clear()
            while followed.read():
                yield None
                time.sleep(_BREATH)  # a long run is read while the window goes on
            yield followed.report(request) if followed.has_changed() or first else None
            first = False
            wake.wait(_LOOK_EVERY)

    return work
