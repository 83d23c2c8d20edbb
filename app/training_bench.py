"""The Train tab's state and actions, without a window: the runs, the one looked at, a new one.

Panels call its methods and read its state; :meth:`TrainingBench.tick`, called once a frame, carries
results in and requests out. Runs belong to their folders: whatever is shown here is read from them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.dataset_preview import Preview, PreviewRequest, preview_worker
from app.run_watch import RunReport, RunRequest, RunsRequest, Watch
from app.sample_worker import Sample, SampleRequest, sample_worker
from app.settings import default_runs_folder
from app.training_form import (
    WANTED,
    FieldError,
    RunForm,
    checked_name,
    free_name,
    request_of,
    starting_points,
)
from app.training_job import TrainingJob
from app.workbench import Workbench
from app.workers import LatestWorker
from stylesdf_core.commands.command_line import TrainRequest, command_line
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.run_summary import RunSummary

_SMOOTHING = 0.6
_POLL_EVERY = 0.25  # seconds between looks at processes
_FIRST_GROUPS = ("losses", "β")


@dataclass(frozen=True)
class Wish:
    """A request to be checked or, if it shall be, begun.

    Attributes:
        begin: make its folder too.
    """

    request: TrainRequest
    begin: bool


@dataclass(frozen=True)
class Flaw:
    """What is wrong with the new run.

    Attributes:
        field: of the form; empty where it is none in particular.
    """

    text: str
    field: str = ""


class TrainingBench:
    """Everything about training that the window shows.

    Args:
        bench: of the studio: settings, messages, and where models are opened.
    """

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        self.form = RunForm(data=bench.settings.training.data)
        self.groups: tuple[str, ...] = _FIRST_GROUPS
        self.smoothing = _SMOOTHING
        self.selected: Path | None = None
        self.sample_step: int | None = None  # None for the newest
        self.sample_thumb = False
        self.preview: Preview | None = None
        self.preview_flaw = ""
        self.is_beginning = False
        self._was_shown = False
        news = bench.screen.news
        self._watch = Watch(news)
        self._previews = preview_worker(news)
        self._preview_request: PreviewRequest | None = None
        self._samples = sample_worker(news)
        self._sample_request: SampleRequest | None = None
        self.sample: Sample | None = None
        self._wishes: LatestWorker[Wish, Path] = LatestWorker("new run", lambda: _fulfil, news)
        self._wished: TrainRequest | None = None
        self._flaw: Flaw | None = None
        self._form_flaw: Flaw | None = None
        self._looked_over: tuple[object, ...] = ()
        self._jobs: dict[Path, TrainingJob] = {}
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
    def flaw(self) -> Flaw | None:
        """What keeps the new run from being started; None where nothing is known to."""
        key = (self.form, self.preview, self.preview_flaw, self.folder)
        if key != self._looked_over:
            self._looked_over, self._form_flaw = key, self._look_over()
        return self._form_flaw or self._flaw

    @property
    def starting_points(self) -> tuple[RunSummary, ...]:
        """Runs that the new run can start from."""
        return starting_points(self.form.stage, self.runs)

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
        self._poll_wishes()
        if not (shown or self._was_shown):
            return
        self._was_shown = True
        training = self.bench.settings.training
        if self.selected is None and self.runs:
            self.select(self.runs[0].path)
        run = None
        if self.selected is not None and shown:
            run = RunRequest(self.selected, self.groups, self.smoothing)
        where = RunsRequest(self.folder, training.added, training.hidden)
        self._watch.look(where, run or self._watch.watched, now=ended)
        if shown:
            self._look_at_images()
            self._look_at_sample()
            self._check()

    def _look_at_images(self) -> None:
        wanted = self._wanted_preview()
        if wanted != self._preview_request:
            self._preview_request = wanted
            self.preview, self.preview_flaw = None, ""
            if wanted is not None:
                self._previews.submit(wanted)
        outcome = self._previews.poll()
        if outcome is None or outcome.request != self._preview_request:
            return
        if outcome.error is not None:
            self.preview, self.preview_flaw = None, str(outcome.error)
        elif outcome.value is not None:
            self.preview = outcome.value

    def _wanted_preview(self) -> PreviewRequest | None:
        from stylesdf_core.training.stage_config import PRESETS

        form = self.form
        if not form.data or not form.wants_images:
            return None
        preset = PRESETS[form.preset]  # type: ignore[index]
        thumbs = form.stage == "renderer"
        size = preset.generator.thumb_size if thumbs else preset.generator.output_size
        return PreviewRequest(Path(form.data).expanduser(), size, thumbs, preset.upscale)

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

    def _job(self, path: Path) -> TrainingJob:
        return self._jobs.setdefault(path, TrainingJob(path))

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

    # --- a new run ------------------------------------------------------------------------------

    def change(self, **changes: Any) -> None:
        """Change fields of the form."""
        form = replace(self.form, **changes)
        if form.stage != self.form.stage:
            form = replace(form, init="")
        self._changed(form)

    def set_text(self, name: str, text: str) -> None:
        """Fill in a parameter."""
        self._changed(self.form.with_text(name, text))

    def _changed(self, form: RunForm) -> None:
        if form != self.form:
            self.form, self._flaw = form, None

    @property
    def free_name(self) -> str:
        """What the new run is called if nobody names it."""
        return free_name(self.form, self.folder)

    def _look_over(self) -> Flaw | None:
        form = self.form
        if form.is_locked:
            return Flaw(WANTED[form.stage], "init")
        if form.wants_images and not form.data:
            return Flaw("Choose a folder of images to train on.", "data")
        if form.wants_images and self.preview_flaw:
            return Flaw(self.preview_flaw, "data")
        try:
            checked_name(form, self.folder)
            request = request_of(form, self.folder, name="run")
        except FieldError as error:
            return Flaw(str(error), error.name)
        preview = self.preview
        if form.wants_images and preview is not None and preview.usable is not None:
            batch = request.settings()["batch"]
            if preview.usable < batch:
                return Flaw(
                    f"{preview.usable:,} images can be used and a batch has {batch:,}: add images "
                    "or choose a smaller batch.",
                    "batch",
                )
        return None

    def _check(self) -> None:
        """Have the settings checked whenever they have changed."""
        if self.flaw is not None or self._wishes.busy:
            return
        request = request_of(self.form, self.folder, name="run")
        if request != self._wished:
            self._wished = request
            self._wishes.submit(Wish(request, begin=False))

    def begin(self) -> None:
        """Start the run that the form describes; what is wrong with it stands in ``flaw``."""
        if self.flaw is not None or self.is_beginning:
            return
        name = checked_name(self.form, self.folder)
        self.is_beginning = True
        self._wishes.submit(Wish(request_of(self.form, self.folder, name=name), begin=True))

    def command(self) -> str | None:
        """The terminal command that starts the same run; None where something is wrong."""
        try:
            name = checked_name(self.form, self.folder)
            return command_line(request_of(self.form, self.folder, name=name))
        except StyleSDFError as error:
            self.bench.toast(str(error), is_error=True)
            return None

    def _poll_wishes(self) -> None:
        outcome = self._wishes.poll()
        if outcome is None:
            return
        wish = outcome.request
        if wish.begin:
            self.is_beginning = False
        if outcome.error is not None:
            self._flaw = Flaw(str(outcome.error))
        elif wish.begin and outcome.value is not None:
            self._begin(wish.request, outcome.value)

    def _begin(self, request: TrainRequest, path: Path) -> None:
        try:
            self._job(path).start(request.gpus)
        except StyleSDFError as error:
            self._flaw = Flaw(str(error))
            return
        hidden = tuple(name for name in self.bench.settings.training.hidden if name != str(path))
        self._set(data=self.form.data, hidden=hidden)
        self._changed(replace(self.form, name=""))
        self.select(path)

    def close(self) -> None:
        """End the threads; runs go on."""
        self._watch.close()
        self._previews.close()
        self._samples.close()
        self._wishes.close()


def _fulfil(wish: Wish) -> Iterator[Path]:
    """Check a request and, if it shall begin, make its folder."""
    if not wish.begin:
        wish.request.checked()
        return
    yield wish.request.prepare().path
