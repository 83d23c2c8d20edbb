"""Images a second of the stages: both loops take the same steps, and are told apart."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import pytest
import torch

from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial import speed
from stylesdf_core.training.adversarial.terms import volume
from stylesdf_core.training.adversarial.terms.volume import plain_fakes
from tests.training.adversarial.stage_phases import (
    Config,
    stage_config,
    write_images,
    write_weights,
)

CONFIG = speed._config


@pytest.mark.parametrize("stage", speed.ROWS.values())
@pytest.mark.parametrize("name", ["tiny", "heads"])
def test_a_stage_has_the_pictures_of_a_batch(stage: str, name: Any, tmp_path: Path) -> None:
    config = CONFIG(stage, name, tmp_path, torch.device("cpu"))
    assert len(list((tmp_path / "images").iterdir())) >= config.batch


@pytest.fixture(autouse=True)
def tiny_stages(monkeypatch: pytest.MonkeyPatch) -> None:
    def config(stage: str, _: str, folder: Path, device: torch.device) -> Config:
        write_images(folder / "images")
        write_weights(folder / "whole.safetensors")
        return stage_config(stage, folder)

    monkeypatch.setattr(speed, "_config", config)


def test_both_stages_are_measured_beside_the_plain_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn, draw = [], volume.batch_render
    monkeypatch.setattr(volume, "_WORTH_A_GRID", 0)
    monkeypatch.setattr(volume, "batch_render", lambda *a: drawn.append(1) or draw(*a))  # type: ignore[func-returns-value]
    figures = drain(speed.measure_training(tuple(speed.ROWS), "cpu", quick=True))
    assert [figure.key for figure in figures] == list(speed.ROWS)
    assert all(figure.value > 0.0 and "plain loop" in figure.detail for figure in figures)
    assert drawn, "the engine draws in one loop"


def test_the_engine_does_not_draw_small_fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("its grid has more points than these renders have samples")

    monkeypatch.setattr(volume, "batch_render", refused)
    drain(speed.measure_training(("training.stage1",), "cpu", quick=True))


def test_a_stop_is_answered_in_the_next_step() -> None:
    operation = speed.measure_training(("training.stage1",), "cpu", quick=True)
    while "step" not in next(operation).message:
        pass
    signal.raise_signal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt) as stop:
        next(operation)
    assert not str(stop.value), "nothing is left that could go on"


def test_the_plain_loop_ends() -> None:
    with plain_fakes():
        assert volume._is_plain.get()
    assert not volume._is_plain.get()


def test_rows_are_chosen_by_the_beginning_of_their_names() -> None:
    assert speed.chosen_rows(("training.stage2",)) == ("training.stage2",)
    assert speed.chosen_rows(("heads",)) == ()
    assert speed.chosen_rows() == tuple(speed.ROWS)
