"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.training.adversarial.config.stages import DecoderStageConfig, RendererConfig
from tests.training.adversarial.stage_phases import (
    small_decoders,
    stage_config,
    write_images,
    write_weights,
)


@pytest.fixture
def decoders() -> Iterator[None]:
    """A file of tests that needs the published channels has a fixture of this name."""
    with small_decoders():
        yield


@pytest.fixture(autouse=True)
def as_runs_need(one_thread: None, quick_snapshots: None, decoders: None) -> None:
    """Every test of this room sums in one order; its runs are small and quickly evaluated."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stages")
    write_images(folder / "images")
    with small_decoders():
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
