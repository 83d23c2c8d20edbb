"""The Train tab's state and actions, without a window: all runs, the selected run, a new run.

Panels call the methods of :class:`Training` and read its state; :meth:`Training.tick`, called once
a frame, takes answers from the threads and asks new questions. All that is shown of a run is read
from its folder.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from app.state.settings import default_runs_folder
from app.state.workbench import Workbench
from app.train.state.curves import FIRST_GROUPS
from app.train.state.evaluating import Evaluations
from app.train.state.lookup import Lookup
from app.train.state.new_run import CreatedRun, NewRun
from app.train.state.process import TrainingProcess
from app.train.state.samples import Sample, SampleRequest, read_sample
from app.train.state.training_form import starting_points
from app.train.state.watch import Follower, RunReport, RunRequest, list_runs
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.resources import expanded
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import RunSummary

#: Smoothing of the curves, until the slider is moved.
SMOOTHING = 0.6
_POLL_EVERY = 0.25  # seconds between looks at processes
_LOOK_EVERY = 1.0  # seconds between looks at run folders
_QUIET = 3.0  # seconds after the start in which the CPU is left to the first picture


class Training:
    """The runs, the selected run and the new run, as the window shows them.

    Args:
        workbench: the studio's state: settings, messages, and the model in the viewport.

    Attributes:
        groups: groups of curves to show, see :mod:`app.train.state.curves`.
        smoothing: of the curves, 0 to below 1.
        selected: folder of the selected run.
        sample_step: step whose samples are wanted; None for the newest.
        sample_thumb: show the volume renders instead of the images.
        shows_log: show the log in the samples' place, where there is no room for both.
        sample_cell: row and column of the sample that is shown alone; None for the whole grid.
        new: the form of a new run.
        evaluations: of the runs' models, as jobs of the workbench.
        runs: all runs, newest first, in the states of the processes that were started here.
    """

    def __init__(self, workbench: Workbench) -> None:
        self.workbench = workbench
        self.groups: tuple[str, ...] = FIRST_GROUPS
        self.smoothing = SMOOTHING
        self.selected: Path | None = None
        self._folder: tuple[str, Path] | None = None  # as chosen, and where it is
        self.sample_step: int | None = None
        self.sample_thumb = self.shows_log = False
        self.sample_cell: tuple[int, int] | None = None
        self.runs: tuple[RunSummary, ...] = ()
        self.evaluations = Evaluations(workbench)
        self.new = NewRun(workbench.settings.training.data, self.folder, workbench.screen.news)
        self._list = Lookup("runs", list_runs, _LOOK_EVERY)
        self._report = Lookup("run", Follower(), _LOOK_EVERY)
        self._sample = Lookup("samples", read_sample, news=workbench.screen.news)
        self._processes: dict[Path, TrainingProcess] = {}
        self._made_at = time.monotonic()
        self._polled_at = 0.0

    # --- what is shown --------------------------------------------------------------------------

    @property
    def folder(self) -> Path:
        """The folder of new runs."""
        chosen = self.workbench.settings.training.folder
        if self._folder is None or self._folder[0] != chosen:  # asked for in every frame
            self._folder = chosen, expanded(chosen) if chosen else default_runs_folder()
        return self._folder[1]

    @property
    def is_loading(self) -> bool:
        """Whether the run folders have not been read yet."""
        return self._list.answer is None

    @property
    def run(self) -> RunSummary | None:
        """The selected run."""
        return next((run for run in self.runs if run.path == self.selected), None)

    @property
    def report(self) -> RunReport | None:
        """The report on the selected run; None until its folder has been read."""
        report = self._report.answer
        return report if report is not None and report.request.path == self.selected else None

    @property
    def sample(self) -> Sample | None:
        """The sample grid of the selected run; None until a grid has been read."""
        sample = self._sample.answer
        return sample if sample is not None and sample.request.path == self.selected else None

    @property
    def is_sample_damaged(self) -> bool:
        """Whether the wanted sample grid cannot be read."""
        return self._sample.error is not None

    @property
    def shown_sample(self) -> int | None:
        """The step whose samples are shown; None without samples."""
        steps = self.report.samples if self.report is not None else ()
        if not steps or self.sample_step is None:
            return steps[-1] if steps else None
        wanted = self.sample_step
        return min(steps, key=lambda step: abs(step - wanted))

    @property
    def alive(self) -> tuple[RunSummary, ...]:
        """Runs that are being trained."""
        return tuple(run for run in self.runs if run.is_alive)

    @property
    def quit_notice(self) -> str:
        """The sentence that says, on quitting, that runs go on."""
        count = len(self.alive)
        if count == 1:
            return "A run goes on training by itself; the next start shows it in the Train tab."
        return f"{count} runs go on training by themselves; the next start shows them again."

    @property
    def starting_points(self) -> tuple[RunSummary, ...]:
        """Runs that the new run can start from."""
        return starting_points(self.new.form.stage, self.runs)

    # --- once a frame ---------------------------------------------------------------------------

    def tick(self, *, shown: bool) -> None:
        """Take answers from the threads and ask new questions.

        Args:
            shown: the tab is on the screen; otherwise only processes and the list of runs are
                followed.
        """
        now = time.monotonic()
        ended: list[bool] = []
        is_due = now - self._polled_at > _POLL_EVERY
        if is_due:
            self._polled_at = now
            ended = [process.poll() for process in self._processes.values()]
        created = self.new.tick(self.folder, shown=shown)
        if created is not None:
            self._begin(created)
        if not shown and now - self._made_at < _QUIET:
            return
        where = replace(self.workbench.settings.training, folder=str(self.folder))
        if self._list.tick(where, again=any(ended)) or is_due:
            self.runs = tuple(map(self._with_process, self._list.answer or ()))
        if self.selected is None and self.runs:
            self.select(self.runs[0].path)
        if shown and self.selected is not None:
            self._report.tick(RunRequest(self.selected, self.groups, self.smoothing))
            step = self.shown_sample
            request = SampleRequest(self.selected, step or 0, self.sample_thumb, self.sample_cell)
            self._sample.tick(None if step is None else request)

    def _with_process(self, run: RunSummary) -> RunSummary:
        """The run in the state of its process, which its folder may not tell yet."""
        process = self._processes.get(run.path)
        if process is None:
            return run
        if process.is_starting:
            return replace(run, state="stopping" if process.is_stopping else "running", words="")
        if process.is_stopping and run.is_alive:
            return replace(run, state="stopping")
        if process.status and not run.is_alive and not run.words:
            words = f"its process ended with status {process.status}; see the log"
            return replace(run, state="failed", words=words)
        return run

    # --- runs -----------------------------------------------------------------------------------

    def select(self, path: Path) -> None:
        """Show another run."""
        if path != self.selected:
            self.selected, self.sample_step, self.sample_cell = path, None, None

    def stop(self, path: Path) -> None:
        """Ask the run's process to save and end."""
        self._process(path).stop()

    def resume(self, path: Path) -> None:
        """Go on from the run's newest checkpoint."""
        try:
            self._process(path).start()
        except StyleSDFError as error:
            self.workbench.toast(str(error), is_error=True)

    def add(self, path: Path) -> None:
        """List a run folder, or all runs in a folder."""
        found = [path] if (path / "config.json").exists() else []
        found += [config.parent for config in sorted(path.glob("*/config.json"))]
        if not found:
            self.workbench.toast(
                f"{path} holds no training run: a run's folder has a config.json.", is_error=True
            )
            return
        training = self.workbench.settings.training
        names = [str(folder) for folder in found]
        outside = [name for name in names if Path(name).parent != self.folder]
        self.workbench.change_settings(
            "training",
            added=tuple(dict.fromkeys((*training.added, *outside))),
            hidden=tuple(name for name in training.hidden if name not in names),
        )
        self.select(found[0])

    def remove(self, path: Path) -> None:
        """Take a run off the list and say that its files stay."""
        training, name = self.workbench.settings.training, str(path)
        added = tuple(other for other in training.added if other != name)
        is_ours = path.parent == self.folder
        hidden = tuple(dict.fromkeys((*training.hidden, name))) if is_ours else training.hidden
        self.workbench.change_settings("training", added=added, hidden=hidden)
        if self.selected == path:
            self.selected = next((run.path for run in self.runs if run.path != path), None)
            self.sample_step = None
        self.workbench.toast(
            f"{path.name} is off the list; its files stay, and Add run lists it again.", path
        )

    def open_model(self, path: Path, step: int | None = None) -> bool:
        """Open a run's averaged generator in the viewport; False, with a toast, if there is none.

        Args:
            step: of the checkpoint; None for the newest, also when the file is read again later.
        """
        averages = RunDir(path).averages()
        if not averages or (step is not None and step not in averages):
            self.workbench.toast("There is no checkpoint to open yet.", is_error=True)
            return False
        self.workbench.open_model(str(path) if step is None else str(averages[step]))
        return True

    def _process(self, path: Path) -> TrainingProcess:
        return self._processes.setdefault(path, TrainingProcess(path))

    def set_folder(self, path: Path) -> None:
        """Put new runs into another folder; the runs of the former folder stay listed."""
        before = tuple(str(run.path) for run in self.runs)
        self.workbench.change_settings(
            "training",
            folder=str(path),
            added=tuple(dict.fromkeys((*self.workbench.settings.training.added, *before))),
        )

    def command(self) -> str | None:
        """The terminal command of the new run; None, with a toast, if the form has a mistake."""
        try:
            return self.new.command()
        except StyleSDFError as error:
            self.workbench.toast(str(error), is_error=True)
            return None

    def _begin(self, created: CreatedRun) -> None:
        try:
            self._process(created.path).start(created.request.processes)
        except StyleSDFError as error:
            self.new.failed(str(error))
            return
        training, name = self.workbench.settings.training, str(created.path)
        hidden = tuple(other for other in training.hidden if other != name)
        self.workbench.change_settings("training", data=self.new.form.data, hidden=hidden)
        self.select(created.path)

    def close(self) -> None:
        """End the threads; runs go on."""
        for lookup in (self._list, self._report, self._sample, self.new):
            lookup.close()
