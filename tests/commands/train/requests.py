"""Requests of the training commands, shared by their tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from stylesdf_core.commands.train.stages import (
    TrainRenderer,
)
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import (
    PresetName,
    RendererConfig,
)
from stylesdf_core.training.settings import with_values


def renderer(
    run_dir: Path, data: Path, name: PresetName = "tiny", **settings: Any
) -> TrainRenderer:
    """A request with settings by path, dots written as double underscores."""
    values = {path.replace("__", "."): value for path, value in settings.items()}
    gpus = values.pop("gpus", 1)
    config = preset(RendererConfig, name, data=str(data))
    return TrainRenderer(run_dir=run_dir, config=with_values(config, values), gpus=gpus)
