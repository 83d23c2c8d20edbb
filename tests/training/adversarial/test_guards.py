"""What guards a stage: roll-backs, full disks, best checkpoints, and mistakes refused early."""

from __future__ import annotations

import errno
import math
import signal
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    JointConfig,
    RendererConfig,
)
from stylesdf_core.training.adversarial.phases.gan_phase import GanPhase
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.adversarial.terms import discriminator, volume
from stylesdf_core.training.loop import train_run
from stylesdf_core.training.world import World
from tests.training.adversarial.stage_phases import (
    RUN,
    THUMB,
    stage_config,
    start,
    state,
    write_weights,
)


def poison(monkeypatch: pytest.MonkeyPatch, calls: set[int]) -> None:
    """Make the pose loss NaN at those calls (two of them a step and chunk)."""
    plain, count = volume.pose_loss, 0

    def broken(predicted: Tensor, truth: Tensor) -> Tensor:
        nonlocal count
        count += 1
        return plain(predicted, truth) * (math.nan if count in calls else 1.0)

    for terms in (discriminator, volume):
        monkeypatch.setattr(terms, "pose_loss", broken)


def test_a_signal_to_end_stops_at_the_next_step_and_saves(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step(phase: GanPhase, index: int) -> dict[str, Tensor]:
        signal.raise_signal(signal.SIGTERM)
        return plain(phase, index)

    plain = GanPhase.step
    monkeypatch.setattr(GanPhase, "step", step)
    run = start(tmp_path / "run", renderer)
    with pytest.raises(KeyboardInterrupt, match="Stopped at step 3; the same command goes on"):
        drain(train_run(run))
    assert run.saved_step() == 3
    assert run.running_process() is None
    assert not run.stop_requested()


def test_weights_that_a_gradient_has_spoilt_are_not_saved(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A finite loss may have a gradient that is not finite."""

    def step(phase: GanPhase, index: int) -> dict[str, Tensor]:
        seen = plain(phase, index)
        if index == renderer.steps - 1:
            next(phase.models.live.parameters()).data.fill_(math.nan)
        return seen

    plain = GanPhase.step
    monkeypatch.setattr(GanPhase, "step", step)
    run = start(tmp_path / "run", renderer)
    with pytest.raises(TrainingError, match=r"weights 'mapping.*' became NaN.* at step 6"):
        drain(train_run(run))
    saved = run.load_checkpoint()
    assert saved is not None
    assert all(bool(value.isfinite().all()) for value in saved["live"].values())


def test_a_diverged_step_rolls_back_once_and_goes_on(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, {10})
    run = start(tmp_path / "run", renderer)
    result = drain(train_run(run))
    assert result.finished
    events = [r["event"] for r in run.read_stats() if "event" in r]
    assert events[-1] == "rolled back: 'd_pose' of phase 'renderer' became nan"
    assert state(run)["attempt"] == 1
    steps = [r["step"] for r in run.read_stats() if "seconds" in r]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_a_divergence_of_another_process_is_recorded_with_its_reason(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False] * 4 + [True] + [False] * 9)
    monkeypatch.setattr(World, "any", lambda _, *flags: (next(answers), *flags[1:]))
    run = start(tmp_path / "run", renderer)
    assert drain(train_run(run)).finished
    events = [r["event"] for r in run.read_stats() if "event" in r]
    assert events[-1] == "rolled back: a figure of another process was not finite"


def test_a_run_that_diverges_again_stops_with_a_reason(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, set(range(9, 100)))
    run = start(tmp_path / "run", renderer)
    with pytest.raises(TrainingError, match=r"became .* at step 5 again, after a roll-back"):
        drain(train_run(run))
    saved = state(run)
    assert saved["step"] == 4
    assert all(torch.isfinite(value).all() for value in saved["live"].values())


def test_an_exploding_gradient_counts_as_divergence(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    run = start(tmp_path / "run", replace(renderer, run=replace(RUN, max_gradient_norm=1e-12)))
    message = r"gradient_norm' of phase 'sphere' became inf at step 1\. There is no checkpoint"
    with pytest.raises(TrainingError, match=message):
        drain(train_run(run))


def test_an_exploding_gradient_in_float16_counts_as_divergence_in_every_update(
    tmp_path: Path, decoder: DecoderStageConfig
) -> None:
    """Both updates of the decoder share a loss scaler."""
    limited = replace(RUN, precision="float16", max_gradient_norm=1e-12)
    run = start(tmp_path / "run", replace(decoder, run=limited))
    with pytest.raises(TrainingError, match=r"gradient_norm' .* became inf at step 1\. There is"):
        drain(train_run(run))


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError])
def test_a_full_disk_ends_the_run_with_the_last_checkpoint_intact(
    error: Any, tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    save, count = torch.save, 0

    def full(value: Any, path: Path) -> None:
        nonlocal count
        count += 1
        if count == 2:
            Path(path).write_bytes(b"half")
            raise error
        save(value, path)

    run = start(tmp_path / "run", renderer)
    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(TrainingError, match=r"step-00000002\.pt, is intact. Make room"):
        drain(train_run(run))
    assert state(run)["step"] == 2
    assert not [file for file in run.checkpoints.iterdir() if ".tmp" in file.name]
    assert drain(train_run(run)).finished


def test_too_little_memory_is_said_with_its_remedy(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        torch.empty(1 << 60)  # a RuntimeError

    monkeypatch.setattr(GanPhase, "step", full)
    with pytest.raises(TrainingError, match=r"more memory than cpu has; .* smaller --chunk"):
        drain(train_run(start(tmp_path / "run", renderer)))


def test_the_best_checkpoint_is_one_that_was_measured(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Step 3 is the nearest to the images, but the next checkpoint, of step 4, is another model."""
    scores = iter([5.0, 5.0, 0.5, 3.0, 4.0, 5.0])  # of steps 2, 2 again, 3, 6, 9, 12
    monkeypatch.setattr(Snapshots, "write", lambda *_: {"frechet": next(scores)})
    config = replace(renderer, steps=10, run=replace(RUN, evaluate_every=3))
    run = start(tmp_path / "run", config)
    drain(train_run(run))
    best = run.best("ema")
    assert best is not None
    assert best.name == "ema-00000006.safetensors"


def test_the_best_checkpoint_outlives_the_newest(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The second is the stage's beginning, of which no checkpoint is written.
    scores = iter([5.0, 0.5, 1.0, 3.0, 4.0, 5.0, 6.0])
    monkeypatch.setattr(Snapshots, "write", lambda *_: {"frechet": next(scores)})
    config = replace(
        renderer, steps=10, run=replace(RUN, evaluate_every=2, checkpoint_every=2, keep=1)
    )
    run = start(tmp_path / "run", config)
    drain(train_run(run))
    best, latest = run.best("ema"), run.latest("ema")
    assert best is not None
    assert latest is not None
    assert best.name == "ema-00000004.safetensors"
    assert sorted(file.name for file in run.checkpoints.glob("ema-*")) == [best.name, latest.name]


def test_a_stage_is_measured_before_its_first_step_and_only_once(
    tmp_path: Path, renderer: RendererConfig, decoder: DecoderStageConfig
) -> None:
    for config, first in ((renderer, 2), (decoder, 0)):
        run = start(tmp_path / config.stage, config)
        drain(train_run(run))
        measured = [record for record in run.read_stats() if "frechet" in record]
        assert [record["step"] for record in measured] == [first, 4, first + 4][: 2 + (first > 0)]
        assert {record["phase"] for record in measured} == {config.stage}
        assert all(record["frechet"] > 0 and "swd" in record for record in measured)


def test_a_run_that_was_killed_after_measuring_its_start_does_not_measure_it_again(
    tmp_path: Path, renderer: RendererConfig
) -> None:
    whole = start(tmp_path / "whole", renderer)
    drain(train_run(whole))
    run = start(tmp_path / "killed", renderer)
    operation = train_run(run)
    while not any("swd" in record for record in run.read_stats()):
        next(operation)
    operation.close()
    drain(train_run(run))
    assert [r["frechet"] for r in run.read_stats() if "frechet" in r] == pytest.approx(
        [r["frechet"] for r in whole.read_stats() if "frechet" in r], rel=1e-4
    )


def test_mistakes_are_refused_before_the_first_step(
    tmp_path: Path, folder: Path, renderer: RendererConfig, decoder: DecoderStageConfig
) -> None:
    joint = stage_config("joint", folder)
    assert isinstance(joint, JointConfig)
    run = start(tmp_path / "few", replace(renderer, batch=24))
    with pytest.raises(InputError, match="leaves 20 usable images to train on and a batch has 24"):
        drain(train_run(run))
    write_weights(tmp_path / "renderer.safetensors", THUMB)
    large = replace(decoder, init=str(tmp_path / "renderer.safetensors"), output_size=64)
    run = start(tmp_path / "small", large)
    with pytest.raises(InputError, match=r"leaves 0 usable images .* half of 64"):
        drain(train_run(run))
    (tmp_path / "empty").mkdir()
    empty = replace(renderer, data=str(tmp_path / "empty"))
    with pytest.raises(InputError, match="holds no images"):
        drain(train_run(start(tmp_path / "none", empty)))
    thumb = str(tmp_path / "renderer.safetensors")
    others = (
        replace(renderer, init=thumb, generator=replace(THUMB, width=16)),
        replace(renderer, init=decoder.init),
        replace(decoder, output_size=32),
        replace(joint, init=thumb),
    )
    for number, other in enumerate(others):
        with pytest.raises(InputError, match="architecture: "):
            drain(train_run(start(tmp_path / f"other{number}", other)))
    with pytest.raises(InputError, match="chunk must be at least 4"):
        replace(decoder, chunk=2)
    replace(decoder, chunk=2, image=replace(decoder.image, stddev_group=2))
    assert not (tmp_path / "few" / "checkpoints").exists()


def test_a_batch_that_processes_cannot_share_like_one_is_refused(
    decoder: DecoderStageConfig, renderer: RendererConfig
) -> None:
    batch = replace(decoder, batch=24, chunk=8)
    for processes in (1, 2, 3, 6):
        batch.check_shares(processes)
    for processes, share in ((4, 6), (8, 3)):
        wrong = f"leaves {share} images to each of {processes} processes, no multiple .*group 4"
        with pytest.raises(InputError, match=wrong):
            batch.check_shares(processes)
    with pytest.raises(InputError, match="batch 8 must be a multiple of the 3 processes"):
        replace(renderer, batch=8).check_shares(3)
    alone = replace(batch, batch=9, image=replace(decoder.image, stddev_group=1))
    with pytest.raises(InputError, match=r"half a batch of 9.* cannot be shared equally by 3"):
        alone.check_shares(3)


def test_a_run_may_diverge_again_once_a_checkpoint_lies_behind(
    tmp_path: Path, renderer: RendererConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison(monkeypatch, {10, 22})
    run = start(tmp_path / "run", replace(renderer, steps=6))
    assert drain(train_run(run)).finished
    events = [r["event"] for r in run.read_stats() if "rolled back" in str(r.get("event"))]
    assert len(events) == 2
    assert state(run)["attempt"] == 2
