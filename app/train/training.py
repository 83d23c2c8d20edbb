"""The Train tab's state and actions, without a window: the runs, the one looked at, a new one.

Panels call its methods and read its state; :meth:`Training.tick`, called once a frame, carries
results in and requests out. Runs belong to their folders: whatever is shown here is read from them.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from app.state.settings import default_runs_folder
from app.state.workbench import Workbench
from app.train.new_run import Begun, NewRun
from app.train.process import TrainingProcess
from app.train.samples import Sample, SampleRequest, sample_worker
from app.train.training_form import starting_points
from app.train.watch import RunReport, RunRequest, RunsRequest, Watch
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.run_summary import RunSummary

#: Of the curves, until somebody moves the slider.
SMOOTHING = 0.6
_POLL_EVERY = 0.25  # seconds between looks at processes
_QUIET = 3.0  # seconds after the start that belong to the first picture
_FIRST_GROUPS = ("losses", "β")


class Training:
    """Everything about training that the window shows.

    Args:
        bench: of the studio: settings, messages, and where models are opened.
    """

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.groups: tuple[str, ...] = _FIRST_GROUPS
        self.smoothing = SMOOTHING
        self.selected: Path | None = None
        self.sample_step: int | None = None  # None for the newest
        self.sample_thumb = False
        self._made_at = time.monotonic()
        news = bench.screen.news
        self.new = NewRun(bench.settings.training.data, self.folder, news)
        self._watch = Watch(news)
        self._samples = sample_worker(news)
        self._sample_request: SampleRequest | None = None
        self.sample: Sample | None = None
        self._jobs: dict[Path, TrainingProcess] = {}
        self._polled_at = 0.0
        #: All runs, newest first; what this program knows of their processes added.
        self.runs: tuple[RunSummary, ...] = ()

    # --- what is shown --------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """Where new runs go."""
        folder = self.bench.settings.training.folder
        return Path(folder).expanduser() if folder else default_runs_folder()

    @property
    def is_loading(self) -> bool:
        """Whether the runs have not been looked at yet."""
        return self._watch.runs is None

    @property
    def run(self) -> RunSummary | None:
        """The selected one."""
        return next((run for run in self.runs if run.path == self.selected), None)

    @property
    def report(self) -> RunReport | None:
        """All that is known of the selected run; None until it has been read."""
        report = self._watch.report
        return report if report is not None and report.request.path == self.selected else None

    @property
    def alive(self) -> tuple[RunSummary, ...]:
        """Runs that are being trained."""
        return tuple(run for run in self.runs if run.is_alive)

    @property
    def goes_on(self) -> str:
        """What becomes of the runs when the studio is closed."""
        count = len(self.alive)
        what = "A run goes" if count == 1 else f"{count} runs go"
        return f"{what} on training by itself; the Train tab shows it again at the next start."

    @property
    def starting_points(self) -> tuple[RunSummary, ...]:
        """Runs that the new run can start from."""
        return starting_points(self.new.form.stage, self.runs)

    def _with_job(self, run: RunSummary) -> RunSummary:
        job = self._jobs.get(run.path)
        if job is None:
            return run
        if job.is_starting:
            return replace(run, state="stopping" if job.is_stopping else "running", words="")
        if job.is_stopping and run.is_alive:
            return replace(run, state="stopping")
        if job.status and not run.is_alive and not run.words:
            words = f"its process ended with status {job.status}; see the log"
            return replace(run, state="failed", words=words)
        return run

    # --- once a frame ---------------------------------------------------------------------------

    def tick(self, *, shown: bool) -> None:
        """Take results in, give requests out.

        Args:
            shown: the tab is on the screen; otherwise only processes are looked after.
        """
        now = time.monotonic()
        ended = False
        if now - self._polled_at > _POLL_EVERY:
            self._polled_at = now
            for job in self._jobs.values():
                ended = job.poll() or ended
            self.runs = tuple(self._with_job(run) for run in self._watch.runs or ())
        if self._watch.poll():
            self.runs = tuple(self._with_job(run) for run in self._watch.runs or ())
        begun = self.new.tick(self.folder, shown=shown)
        if begun is not None:
            self._begin(begun)
        if not shown and now - self._made_at < _QUIET:
            return
        training = self.bench.settings.training
        if self.selected is None and self.runs:
            self.select(self.runs[0].path)
        run = None
        if self.selected is not None and shown:
            run = RunRequest(self.selected, self.groups, self.smoothing)
        where = RunsRequest(self.folder, training.added, training.hidden)
        self._watch.look(where, run or self._watch.watched, now=ended)
        if shown:
            self._look_at_sample()

    def _look_at_sample(self) -> None:
        report = self.report
        wanted = None
        if report is not None and report.samples:
            step = self.shown_sample
            if step is not None:
                wanted = SampleRequest(report.request.path, step, self.sample_thumb)
        if wanted != self._sample_request:
            self._sample_request = wanted
            if wanted is not None:
                self._samples.submit(wanted)
            else:
                self.sample = None
        outcome = self._samples.poll()
        if outcome is not None and outcome.request == self._sample_request:
            self.sample = outcome.value if outcome.error is None else None

    @property
    def shown_sample(self) -> int | None:
        """The step whose samples are shown; None where there are none."""
        report = self.report
        if report is None or not report.samples:
            return None
        wanted = self.sample_step
        if wanted is None:
            return report.samples[-1]
        return min(report.samples, key=lambda step: abs(step - wanted))

    # --- runs -----------------------------------------------------------------------------------

    def select(self, path: Path) -> None:
        """Look at another run."""
        if path != self.selected:
            self.selected, self.sample_step, self.sample = path, None, None

    def stop(self, path: Path) -> None:
        """Ask the run to save and end."""
        self._job(path).stop()

    def resume(self, path: Path) -> None:
        """Go on from the run's newest checkpoint."""
        try:
            self._job(path).start()
        except StyleSDFError as error:
            self.bench.toast(str(error), is_error=True)

    def add(self, path: Path) -> None:
        """List a run folder, or all runs in a folder."""
        found = [path] if (path / "config.json").exists() else []
        found += [config.parent for config in sorted(path.glob("*/config.json"))]
        if not found:
            self.bench.toast(
                f"{path} holds no training run: a run's folder has a config.json.", is_error=True
            )
            return
        training = self.bench.settings.training
        names = [str(folder) for folder in found]
        outside = [name for name in names if Path(name).parent != self.folder]
        self._set(
            added=tuple(dict.fromkeys((*training.added, *outside))),
            hidden=tuple(name for name in training.hidden if name not in names),
        )
        self.select(found[0])

    def remove(self, path: Path) -> None:
        """Take a run off the list; its files stay."""
        training, name = self.bench.settings.training, str(path)
        added = tuple(other for other in training.added if other != name)
        is_ours = path.parent == self.folder
        hidden = tuple(dict.fromkeys((*training.hidden, name))) if is_ours else training.hidden
        self._set(added=added, hidden=hidden)
        if self.selected == path:
            self.selected = next((run.path for run in self.runs if run.path != path), None)
            self.sample_step, self.sample = None, None

    def open_model(self, path: Path, step: int | None = None) -> bool:
        """Open a run's averaged generator in the viewport; False, with a toast, where it has none.

        Args:
            step: of the checkpoint; None for the newest, which stays the newest.
        """
        averages = RunDir(path).averages()
        if not averages or (step is not None and step not in averages):
            self.bench.toast("There is no checkpoint to open yet.", is_error=True)
            return False
        self.bench.open_model(str(path) if step is None else str(averages[step]))
        return True

    def _job(self, path: Path) -> TrainingProcess:
        return self._jobs.setdefault(path, TrainingProcess(path))

    def _set(self, **changes: Any) -> None:
        settings = self.bench.settings
        self.bench.settings = replace(settings, training=replace(settings.training, **changes))

    def set_folder(self, path: Path) -> None:
        """Where new runs go from now on; those listed before are listed still."""
        before = tuple(str(run.path) for run in self.runs)
        self._set(
            folder=str(path),
            added=tuple(dict.fromkeys((*self.bench.settings.training.added, *before))),
        )

    def command(self) -> str | None:
        """The terminal command that starts the new run; None, with a toast, where none does."""
        try:
            return self.new.command()
        except StyleSDFError as error:
            self.bench.toast(str(error), is_error=True)
            return None

    def _begin(self, begun: Begun) -> None:
        try:
            self._job(begun.path).start(begun.request.gpus)
        except StyleSDFError as error:
            self.new.failed(str(error))
            return
        training, name = self.bench.settings.training, str(begun.path)
        hidden = tuple(other for other in training.hidden if other != name)
        self._set(data=self.new.form.data, hidden=hidden)
        self.select(begun.path)

    def close(self) -> None:
        """End the threads; runs go on."""
        self._watch.close()
        self._samples.close()
        self.new.close()
