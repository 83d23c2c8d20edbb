"""Models with a background field through the stages: trained with stage 1, kept by stage 2."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config.stages import DecoderStageConfig, RendererConfig
from stylesdf_core.training.loop import train_run
from tests.training.adversarial.stage_phases import (
    THUMB,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    start,
    state,
)


@pytest.fixture
def sphere(renderer: RendererConfig) -> RendererConfig:
    """Stage 1 of a model with a background field."""
    return replace(renderer, generator=replace(THUMB, background="sphere"))


def test_a_step_s_gradients_reach_the_background_in_any_chunks(sphere: RendererConfig) -> None:
    with double_precision():
        whole, parts = (gradients(phase_of(replace(sphere, chunk=n)), 0) for n in (4, 1))
    assert_same_gradients(parts, whole)
    behind = {key: value for key, value in whole.items() if "generator.background" in key}
    assert len(behind) == 28  # of 4 FiLM layers with 3 linear ones each, and of 2 heads
    assert all(float(value.abs().max()) > 0.0 for value in behind.values())


def test_beta_stays_positive_though_a_background_lets_it_fall(sphere: RendererConfig) -> None:
    """At β ≤ 0 all pixels were NaN, after 300 steps of `tiny` with a background."""
    with double_precision():
        phase = phase_of(sphere)
        beta = phase.models.live.field.sigmoid_beta
        torch.nn.init.constant_(beta, 2e-5)
        phase.step(0)
    assert beta.item() == pytest.approx(sphere.volume.least_beta, rel=1e-3)


def test_the_background_learns_faster_than_the_head(sphere: RendererConfig) -> None:
    """At equal rates, the head's field painted the pictures' backgrounds as walls of its own."""
    with double_precision():
        phase = phase_of(replace(sphere, volume=replace(sphere.volume, background_speed=7.0)))
        live = phase.models.live
        before = {name: value.detach().clone() for name, value in live.named_parameters()}
        phase.step(0)
    # Adam's first step moves a parameter by its learning rate, whatever the gradient.
    rate = sphere.volume.generator_rate
    moved = {name: (p - before[name]).abs().max().item() for name, p in live.named_parameters()}
    assert moved["field.trunk.0.linear.weight"] == pytest.approx(rate, rel=0.02)
    assert moved["background.trunk.0.linear.weight"] == pytest.approx(7.0 * rate, rel=0.02)


def test_stage_one_trains_it_resumes_exactly_and_stage_two_keeps_it(
    tmp_path: Path, sphere: RendererConfig, decoder: DecoderStageConfig
) -> None:
    whole, parts = start(tmp_path / "whole", sphere), start(tmp_path / "parts", sphere)
    result = drain(train_run(whole))
    operation = train_run(parts)
    while not next(operation).message.startswith("renderer"):
        pass
    parts.request_stop()
    assert not drain(operation).finished
    stopped = {key: x.clone() for key, x in state(parts)["live"].items()}
    drain(train_run(parts))
    trained = state(whole)["live"]
    assert all(torch.equal(x, trained[key]) for key, x in state(parts)["live"].items())
    names = [key for key in trained if key.startswith("background.")]
    assert any(not torch.equal(stopped[key], trained[key]) for key in names)

    config = replace(decoder, init=str(whole.path), steps=2)
    decoded = load_checkpoint(drain(train_run(start(tmp_path / "two", config))).weights).generator
    assert decoded.config.background == "sphere"
    assert decoded.decoder is not None
    first, second = load_checkpoint(result.weights).generator.state_dict(), decoded.state_dict()
    assert names
    assert all(torch.equal(first[key], second[key]) for key in names)

    other = replace(sphere, generator=THUMB, init=str(whole.path))
    with pytest.raises(InputError, match="does not fit the renderer stage's architecture: backgro"):
        drain(train_run(start(tmp_path / "other", other)))
