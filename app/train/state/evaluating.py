"""A run's evaluation, without a window: the request, its job, and how the job stands in words."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from app.state.workbench import Workbench
from app.workers.concurrency.jobs import Job, JobState
from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.progress import duration
from stylesdf_core.training.runs.run_dir import RunDir

#: Folder of the report in a run's folder, and the file in it that a browser shows.
FOLDER, FILE = "evaluation", "report.html"
#: Pictures and heads: minutes on two cores.
_COUNT, _IDENTITIES, _ORBITS = 1000, 40, 4


def evaluation_request(run: Path) -> Evaluate:
    """What the button does: every metric that needs nothing that is not here.

    The Fréchet distance needs the run's pictures, the foreground their masks, the shapes their
    depth maps; identity and pose need dlib; FID and KID need torch-fidelity and Inception's
    weights, which are not downloaded without being asked for.
    """
    from stylesdf_core.evaluation.measures.foreground import has_masks
    from stylesdf_core.evaluation.measures.inception import has_inception
    from stylesdf_core.evaluation.measures.true_depths import has_depths
    from stylesdf_core.judges.dlib_judge import has_dlib

    data = _data_of(run)
    metrics = ["depth-consistency", "flicker"]
    metrics += ["identity", "pose"] if has_dlib() else []
    metrics += ["frechet"] if data is not None else []
    metrics += ["foreground"] if data is not None and has_masks(data) else []
    metrics += ["shapes"] if data is not None and has_depths(data) else []
    metrics += ["fid", "kid"] if data is not None and has_inception() else []
    return Evaluate(
        model=str(run),
        data=data,
        metrics=",".join(metrics),
        count=_COUNT,
        identities=_IDENTITIES,
        orbits=_ORBITS,
        report=run / FOLDER,
    )


class Evaluations:
    """The evaluations of runs, each a job of the workbench."""

    def __init__(self, workbench: Workbench) -> None:
        self._workbench = workbench
        self._jobs: dict[Path, Job] = {}

    def job(self, run: Path) -> Job | None:
        """The run's evaluation that waits or works; None without one."""
        job = self._jobs.get(run)
        return job if job is not None and job.active else None

    def start_or_cancel(self, run: Path) -> None:
        """Begin an evaluation, or cancel the one under way."""
        if (job := self.job(run)) is not None:
            self._workbench.jobs.cancel(job)
            return
        if not RunDir(run).averages():
            self._workbench.toast("There is no checkpoint to evaluate yet.", is_error=True)
            return
        self._jobs[run] = self._workbench.jobs.submit(
            f"evaluation of {run.name}",
            lambda: evaluation_request(run).run(),
            out=run / FOLDER / FILE,
        )

    def words(self, run: Path) -> str:
        """How the run's evaluation stands; empty without one."""
        job = self.job(run)
        if job is None:
            return ""
        if job.cancel_requested:
            return "Cancelling the evaluation."
        if job.state is JobState.QUEUED:
            return "The evaluation waits for another job."
        left = job.seconds_left
        rest = f", {duration(left)} left" if left is not None else ""
        return f"Evaluating: {job.message or 'starting'}, {job.fraction:.0%}{rest}."


def _data_of(run: Path) -> Path | None:
    """The pictures that a run is trained on, if they are still there."""
    with suppress(StyleSDFError, OSError):
        data = Path(str(RunDir(run).read_config().get("data") or ""))
        if data.is_absolute() and data.is_dir():
            return data
    return None
