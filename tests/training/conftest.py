"""What the tests of training share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from stylesdf_core.training.fit_config import FitConfig
from stylesdf_core.training.stage_config import DecoderStageConfig, RendererConfig
from tests.training.spheres import tiny_fit, write_spheres
from tests.training.stage_phases import stage_config, write_images, write_weights


@pytest.fixture(scope="session")
def spheres(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("spheres")
    write_spheres(folder)
    return folder


@pytest.fixture
def tiny(spheres: Path) -> FitConfig:
    return tiny_fit(spheres)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Sums in the same order every time, and the machine's thread count restored."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


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
