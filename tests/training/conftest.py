"""What the tests of training share."""

from __future__ import annotations

from pathlib import Path

import pytest

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.training.adversarial.config.stages import DecoderStageConfig, RendererConfig
from tests.training.adversarial.stage_phases import stage_config, write_images, write_weights


@pytest.fixture(autouse=True)
def on_one_thread(one_thread: None) -> None:
    """Every test of this room sums in one order."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    write_images(folder / "images")
    write_weights(folder / "whole.safetensors")
    return folder


@pytest.fixture
def renderer(folder: Path) -> RendererConfig:
    config = stage_config("renderer", folder)
    assert isinstance(config, RendererConfig)
    return config


@pytest.fixture
def decoder(folder: Path) -> DecoderStageConfig:
    config = stage_config("decoder", folder)
    assert isinstance(config, DecoderStageConfig)
    return config
