"""The registry of training stages.

Maps ``stage`` in a run's config.json to its settings class and its training function. The stages
lie in different rooms (the paper's in ``training/adversarial``, the supervised fit in
``heads/fit``); commands/train/stages.py registers them. The list of runs and the process that
trains look up a run's stage here.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass
from typing import Any

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation
from stylesdf_core.training.runs.run_dir import RunDir


@dataclass(frozen=True)
class Stage:
    """One kind of training.

    Attributes:
        name: the value of ``stage`` in config.json.
        config: dataclass of the settings, which config.json holds; its ``total_steps`` are the
            optimizer steps of all phases.
        adjustable: settings, by dotted path, that may change when a run is resumed.
        train: prepares data and models in a run folder by a config, then has a loop run the
            phases: from the newest checkpoint on, or only a few steps of each.
    """

    name: str
    config: type[Any]
    adjustable: Set[str]
    train: Callable[[RunDir, Any, Callable[[Any], Operation[Any]]], Operation[Any]]


_STAGES: dict[str, Stage] = {}


def register(*stages: Stage) -> None:
    """Add stages to the registry, by their names."""
    _STAGES.update({stage.name: stage for stage in stages})


def stage_named(name: str) -> Stage:
    """The stage of that name.

    Raises:
        InputError: no stage has that name.
    """
    if name not in _STAGES:
        raise InputError(f"There is no stage {name!r}; the stages are {', '.join(_STAGES)}.")
    return _STAGES[name]


def read_config(run: RunDir) -> tuple[Stage, Any]:
    """The stage of a run, and its settings as that stage's dataclass.

    Raises:
        InputError: the folder holds no run, or a setting is unknown, missing or wrong.
    """
    data, where = run.read_config(), str(run.path / "config.json")
    try:
        stage = stage_named(str(data.get("stage")))
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    return stage, from_json(stage.config, data, where, complete=True)
