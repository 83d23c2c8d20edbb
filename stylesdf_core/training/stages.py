"""The stages of training there are: what the ``stage`` of a run folder's config.json may be.

Stages live in different rooms (the paper's in ``training/adversarial``, the supervised fit in
``heads/fit``). Whatever handles runs of any stage (the list of runs, the process that trains)
looks a run's stage up here; the commands register the stages (commands/train_stages.py).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation
from stylesdf_core.training.run_dir import RunDir

if TYPE_CHECKING:
    from stylesdf_core.training.loop import TrainingResult


@dataclass(frozen=True)
class Stage:
    """One kind of training.

    Attributes:
        name: the ``stage`` in the config.json of its runs.
        config: dataclass of its settings, which is what config.json holds.
        total_steps: optimizer steps of a config, over all phases.
        train: trains in a run folder from its newest checkpoint on.
    """

    name: str
    config: type[Any]
    total_steps: Callable[[Any], int]
    train: Callable[[RunDir], Operation[TrainingResult]]


_STAGES: dict[str, Stage] = {}


def register(*stages: Stage) -> None:
    """Make stages known by their names."""
    _STAGES.update({stage.name: stage for stage in stages})


def stage_of(run: RunDir) -> tuple[Stage, Any]:
    """The stage of a run, and its settings as that stage's dataclass.

    Raises:
        InputError: the folder holds no run, or one whose settings cannot be read.
    """
    data = run.read_config()
    stage = _STAGES.get(str(data.get("stage")))
    if stage is None:
        raise InputError(f"{run.path} asks for an unknown stage {data.get('stage')!r}.")
    return stage, from_json(stage.config, data, str(run.path / "config.json"), complete=True)


def train_run(run: RunDir) -> Operation[TrainingResult]:
    """Train in a run's folder by its config.json, whatever its stage.

    Raises:
        InputError: the config, the data or the initial weights are wrong.
        TrainingError: see :func:`~stylesdf_core.training.loop.train`.
    """
    stage, _ = stage_of(run)
    return (yield from stage.train(run))
