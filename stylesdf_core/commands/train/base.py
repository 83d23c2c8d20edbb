"""The base class of the training commands, which make a run folder or resume its run.

A command's flags are the fields of its stage's config dataclass. The first command in a run folder
writes its settings there as config.json, from which the training process reads them. After the
first checkpoint, a later command must have the same settings, and resumes. Data and initial weights
may lie elsewhere by then, if they are the same (training/runs/run_data.py and run_init.py). With
``--dry-run`` a few steps are measured instead, and nothing is written.
"""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.resources import expanded
from stylesdf_core.system.console import first_signal
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_init import began_with, record_init
from stylesdf_core.training.runs.stages import read_config, stage_named

if TYPE_CHECKING:
    from stylesdf_core.training.estimate import Estimate
    from stylesdf_core.training.loop import TrainingResult

_POLL_SECONDS = 0.5


@dataclass(frozen=True, kw_only=True)
class TrainStage(ABC):
    """Train one stage in a run folder.

    Attributes:
        config: the stage's settings; every command declares its own dataclass.
    """

    run_dir: Path
    """Folder of the run; a run in it is resumed if its settings are the same."""

    dry_run: bool = False
    """Check data and settings, measure a few steps of each phase, and say what the run would take:
    memory, images a second, hours and disk. Nothing is left in the run's folder."""

    config: Any

    @property
    def processes(self) -> int:
        """Processes to train with."""
        return 1

    def run(self) -> Operation[TrainingResult | Estimate]:
        """Train from the folder's newest checkpoint on; yields steps done.

        A dry run yields the parts of its measurement, and returns an
        :class:`~stylesdf_core.training.estimate.Estimate`.

        Raises:
            InputError: a setting, the data or the initial weights are wrong, or the folder
                belongs to another run.
            TrainingError: the folder is in use, training diverged twice, or the disk is full.
        """
        if self.dry_run:
            return (yield from self._estimate())
        run = self.prepare()
        if self.processes > 1:
            return (yield from _run_processes(run, self.processes))
        from stylesdf_core.training.loop import train_run

        return (yield from train_run(run))

    def _estimate(self) -> Operation[Estimate]:
        from stylesdf_core.training.estimate import estimate_run

        settings = to_json(self.checked())
        found = yield from estimate_run(self.measured())
        found = found.on_disk(self.run_dir)
        return replace(found, settings=settings, processes=self.processes)

    def prepare(self) -> RunDir:
        """Make the run's folder, or check that it holds the same run; nothing is trained yet.

        Raises:
            InputError: a setting is wrong, or the folder belongs to another run.
            TrainingError: the run is being trained and this would change its settings.
        """
        config, run = self.checked(), RunDir(self.run_dir)
        init, adjustable = getattr(config, "init", None), stage_named(config.stage).adjustable
        has_begun = run.latest() is not None
        if has_begun:
            read_config(run)  # names settings of another version of the program
            self.check_data(config, run)
            if began_with(run, init):
                adjustable |= {"init"}
        run.write_config(to_json(config), adjustable)
        if not has_begun:
            record_init(run, init)
        return run

    @abstractmethod
    def check_data(self, config: Any, run: RunDir) -> None:
        """Refuse data that the run was not trained on, wherever they lie.

        Raises:
            InputError: names both.
        """

    @abstractmethod
    def checked(self) -> Any:
        """The config with absolute paths; checks all that can be checked without the data.

        Raises:
            InputError: a setting is wrong.
        """

    def measured(self) -> Any:
        """The settings of which a dry run measures steps: one process's part of each batch.

        Raises:
            InputError: a setting is wrong, or nothing can be measured yet.
        """
        return self.checked()


def absolute_path(path: str) -> str:
    """An absolute path, with ``~`` expanded."""
    return str(expanded(path).absolute())


def absolute_init(init: str | None) -> str | None:
    """Weights to start from as an absolute path; names of models stay as they are."""
    if init is None or not expanded(init).exists():
        return init
    return absolute_path(init)


def _run_processes(run: RunDir, count: int) -> Operation[TrainingResult]:
    """Train with torchrun's processes on this machine; yields the steps that they record."""
    from stylesdf_core.training.loop import TrainingResult
    from stylesdf_core.training.runs import processes
    from stylesdf_core.training.runs.run_summary import summary

    total = summary(run).total
    process = processes.start(run, count)
    with first_signal(run.request_stop) as asked:
        try:
            while process.poll() is None:
                if asked.is_set():
                    run.request_stop()  # again, since a starting process deletes old requests
                time.sleep(_POLL_SECONDS)
                last = run.last_stats() or {"step": 0}
                yield Progress(last["step"], total, str(last.get("phase", "starting")))
        finally:  # closing this operation lets the processes save and end
            processes.wait(process, run, _POLL_SECONDS)
    if asked.is_set():
        raise KeyboardInterrupt(run.stopped_in_words())
    weights = run.latest("ema")
    if process.returncode or weights is None:
        words = processes.last_words(run) or processes.LastWords("A process of the run failed")
        raise words.error(run.log_file)
    step = run.saved_step()
    return TrainingResult(step, step >= total, weights)
