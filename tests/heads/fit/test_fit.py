from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from stylesdf_core.commands.train.process import main
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError, StyleSDFError, TrainingError
from stylesdf_core.heads import surfaces
from stylesdf_core.heads.fit.bank import USED_LATENTS, HeadBank, PointBatch, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig, HeadsConfig, PointsConfig
from stylesdf_core.heads.fit.field import FastField
from stylesdf_core.heads.fit.field_phases import PointsPhase
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.stage import PHASES
from stylesdf_core.heads.fit.supervision import KNOWN_HEADS, PointSupervision
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.film_siren import SirenField
from stylesdf_core.progress import Progress, drain
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.training.loop import TrainingResult
from stylesdf_core.training.optimizing import rate_factor
from stylesdf_core.training.phase import Models
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import summary
from tests.heads.fit.spheres import fit


def start(folder: Path, config: FitConfig) -> RunDir:
    run = RunDir(folder)
    run.write_config(to_json(config))
    return run


def weights(run: RunDir) -> dict[str, torch.Tensor]:
    file = run.latest("ema")
    assert file is not None
    return load_checkpoint(file).generator.state_dict()


def with_generator(config: FitConfig, init: Path | None, **changes: int) -> FitConfig:
    return replace(config, init=str(init), generator=replace(config.generator, **changes))


def test_config_round_trips(tiny: FitConfig) -> None:
    assert from_json(FitConfig, to_json(tiny)) == tiny


def test_all_phases_run_and_leave_what_the_folder_promises(tmp_path: Path, tiny: FitConfig) -> None:
    run = start(tmp_path / "run", tiny)
    result = drain(fit(run))
    assert result.finished
    assert result.step == summary(run).total == 11
    records = run.read_stats()
    phases = {"points", "render", "density", "decoder", "end-to-end", "refine"}
    assert {record["phase"] for record in records} == phases
    assert any("psnr_bicubic" in record for record in records)
    assert run.sample_path(11).exists()
    state = run.load_checkpoint()
    assert state is not None
    assert sorted(state["optimizers"]) == ["decoder", "discriminator"]


def test_stop_and_resume_equals_uninterrupted(tmp_path: Path, tiny: FitConfig) -> None:
    """Stopped after every second step, the run still ends at the same weights."""
    tiny = replace(tiny, points=replace(tiny.points, steps=3))  # cut within points and renders
    whole = start(tmp_path / "whole", tiny)
    drain(fit(whole))
    parts = start(tmp_path / "parts", tiny)
    result: TrainingResult | None = None
    rounds = 0
    while result is None or not result.finished:
        operation = fit(parts)
        next(operation)
        parts.request_stop()
        result = drain(operation)
        rounds += 1
        assert rounds <= 12
    assert rounds == 6
    for key, value in weights(whole).items():
        assert torch.equal(value, weights(parts)[key]), key


def test_killed_run_loses_only_what_follows_the_checkpoint(tmp_path: Path, tiny: FitConfig) -> None:
    run = start(tmp_path / "run", tiny)
    operation = fit(run)
    for _ in range(5):
        next(operation)
    operation.close()
    drain(fit(run))
    steps = [record["step"] for record in run.read_stats() if "seconds" in record]
    assert steps == list(range(1, 12)), "nothing recorded twice"


class CountingBank(HeadBank):
    """Notes how many heads each batch has, but for those that begin a phase."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.counts: list[int] = []

    def views(self, random: torch.Generator, heads: int) -> ViewBatch:
        self.counts.append(heads)
        return super().views(random, heads)

    def points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        if heads != KNOWN_HEADS:
            self.counts.append(heads)
        return super().points(random, heads, near, space)


@pytest.mark.parametrize("name", ["points", "render", "decoder", "end-to-end", "refine"])
def test_a_batch_factor_multiplies_the_heads_of_a_step(tiny: FitConfig, name: str) -> None:
    counts = []
    for factor in (1, 3):
        config = replace(tiny, batch_factor=factor)
        bank = CountingBank(Path(str(tiny.data)))
        models = Models.of(initial_generator(config.generator, 0))
        PHASES[name](models, bank, config).step(0)
        counts.append(bank.counts)
    assert counts[0]
    assert counts[1] == [3 * heads for heads in counts[0]]


def test_divergence_is_said_and_not_saved(
    tmp_path: Path, tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> dict[str, torch.Tensor]:
        return {"color": torch.tensor(float("nan"), requires_grad=True)}

    run = start(tmp_path / "run", tiny)
    monkeypatch.setattr(PointSupervision, "losses_at", broken)
    with pytest.raises(TrainingError, match=r"'color' of phase 'points' became nan at step 1"):
        drain(fit(run))
    assert run.latest() is None
    assert run.running_process() is None


def test_points_teach_distance_and_colour(
    tmp_path: Path, tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(PointsPhase, "warmup", 10)
    config = replace(
        tiny,
        points=PointsConfig(
            steps=150, heads=4, near=32, space=24, learning_rate=2e-3, deep_supervision=0.0
        ),
        render=replace(tiny.render, steps=0),
        decoder=replace(tiny.decoder, steps=0),
        end_to_end=replace(tiny.end_to_end, steps=0),
        refine=replace(tiny.refine, steps=0),
        generator=replace(tiny.generator, output_size=tiny.generator.thumb_size),
        checkpoint_every=1000,
        evaluate_every=1000,
        ema=0.9,
    )
    run = start(tmp_path / "run", config)
    drain(fit(run))
    records = [record for record in run.read_stats() if "seconds" in record]
    for name in ("distance", "space", "color", "background"):
        before = sum(record[name] for record in records[:5])
        assert sum(record[name] for record in records[-5:]) < 0.5 * before, name


def test_unused_latents_are_ignored_exactly(tmp_path: Path, tiny: FitConfig) -> None:
    run = start(tmp_path / "run", tiny)
    drain(fit(run))
    file = run.latest("ema")
    assert file is not None
    generator = load_checkpoint(file).generator
    z = torch.randn(1, 256)
    other = z.clone()
    other[:, USED_LATENTS:] = torch.randn(1, 256 - USED_LATENTS)
    assert torch.equal(generator.mapping(z), generator.mapping(other))


def test_initial_decoder_shows_the_enlarged_render(tmp_path: Path, tiny: FitConfig) -> None:
    """With a rate of zero, the decoder phase ends where it starts: near the bicubic picture."""
    config = replace(
        tiny,
        points=replace(tiny.points, steps=0),
        render=replace(tiny.render, steps=0),
        decoder=replace(tiny.decoder, learning_rate=0.0, steps=1),
        end_to_end=replace(tiny.end_to_end, steps=0),
        refine=replace(tiny.refine, steps=0),
    )
    run = start(tmp_path / "run", config)
    drain(fit(run))
    record = run.read_stats()[-1]
    assert record["psnr"] == pytest.approx(record["psnr_bicubic"], abs=3.0)


def test_fast_field_is_the_field() -> None:
    torch.manual_seed(0)
    field = SirenField(8, 16, 2)
    points, w = torch.randn(2, 30, 3) * 0.05, torch.randn(2, 8)
    viewdirs = torch.nn.functional.normalize(torch.randn(2, 30, 3), dim=-1)
    with torch.no_grad():
        exact = field(points, viewdirs, w)
        same = FastField(field)(points, viewdirs, w)
        near = FastField(field, "bfloat16")(points, viewdirs, w)
    for name in ("scalar", "rgb", "features"):
        torch.testing.assert_close(getattr(same, name), getattr(exact, name), atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(getattr(near, name), getattr(exact, name), atol=0.2, rtol=0.1)


def test_render_rays_agrees_with_the_plain_render() -> None:
    from stylesdf_core.heads.fit.field import render_rays
    from stylesdf_core.model.config import GeneratorConfig
    from stylesdf_core.rendering.rays import make_rays

    config = GeneratorConfig(z_dim=256, width=16, depth=2, thumb_size=8, output_size=8)
    generator = initial_generator(config, 0)
    with torch.no_grad():
        generator.field.sigmoid_beta.fill_(0.002)
        # A sphere, whatever the trunk says.
        w = generator.mapping(torch.randn(1, 256))
        camera = cam2world(torch.tensor([0.3]), torch.tensor([0.1]))
        plain = generator.volume_render(w, camera, 38.06, RenderOptions())
        rays = make_rays(camera, 38.06, 8)
        field = FastField(generator.field)
        render = render_rays(field, generator, w, rays)
    torch.testing.assert_close(1.0 - render.coverage, plain.mask, atol=1e-4, rtol=0.0)
    torch.testing.assert_close(render.rgb, plain.rgb, atol=0.05, rtol=0.0)
    assert render.features.is_contiguous(memory_format=torch.channels_last)


def test_rate_rises_and_falls() -> None:
    factors = [rate_factor(index, 100, 10) for index in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert max(factors) == pytest.approx(1.0)
    assert factors[-1] < 0.01
    assert np.all(np.diff(factors[10:]) <= 0.0)


def test_module_reports_mistakes_in_a_sentence(
    tmp_path: Path, tiny: FitConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 2
    assert main([str(tmp_path)]) == 2
    assert "no config.json" in capsys.readouterr().err
    run = start(tmp_path / "run", replace(tiny, data=str(tmp_path / "nothing")))
    assert main([str(run.path)]) == 2
    assert "to prepare them" in capsys.readouterr().err


def test_continuing_from_other_weights_needs_the_same_architecture(
    tmp_path: Path, tiny: FitConfig
) -> None:
    first = start(tmp_path / "first", tiny)
    drain(fit(first))
    init = first.latest("ema")
    second = start(tmp_path / "second", with_generator(tiny, init, width=8))
    with pytest.raises(InputError, match="instead of"):
        drain(fit(second))
    decoding = replace(
        tiny,
        init=str(init),
        points=replace(tiny.points, steps=0),
        render=replace(tiny.render, steps=0),
    )
    other = start(tmp_path / "other", with_generator(decoding, init, samples=24))
    with pytest.raises(InputError, match=r"12 samples per ray.*set generator.samples to 12"):
        drain(fit(other))
    trained = start(tmp_path / "trained", with_generator(tiny, init, samples=24))
    next(fit(trained))
    third = start(tmp_path / "third", replace(tiny, init=str(init)))
    operation = fit(third)
    next(operation)
    third.request_stop()
    drain(operation)
    assert init is not None
    init.unlink()
    assert drain(fit(third)).finished, "its own checkpoint has all that it needs"


def test_preparing_can_be_stopped_and_comes_after_a_look_at_the_weights(
    tmp_path: Path, tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared: list[int] = []

    def build_cache(*_: object, count: int, **__: object) -> Iterator[Progress]:
        for done in range(count):
            prepared.append(done)
            yield Progress(done, count, "heads")

    monkeypatch.setattr(surfaces, "build_cache", build_cache)
    heads = HeadsConfig(str(tmp_path / "face"), surfaces=50)
    run = start(tmp_path / "run", replace(tiny, heads=heads))
    operation = fit(run)
    next(operation)
    run.request_stop()
    result = drain(operation)
    assert (result.step, result.finished, result.weights) == (0, False, None)
    assert str(result) == "stopped before the first step"
    assert len(prepared) == 1
    lost = start(tmp_path / "lost", replace(tiny, heads=heads, init=str(tmp_path / "none.pt")))
    with pytest.raises(StyleSDFError, match=r"none\.pt"):
        drain(fit(lost))
    surface = Path(tiny.data) / "surface" / "shard-00000.npz"
    with np.load(surface) as file:
        arrays = {name: file[name] for name in file.files if name != "rest"}
    (tmp_path / "old" / "surface").mkdir(parents=True)
    np.savez(tmp_path / "old" / "surface" / "shard-00000.npz", **arrays)
    old = start(tmp_path / "run2", replace(tiny, heads=heads, data=str(tmp_path / "old")))
    with pytest.raises(
        InputError, match=r"shard-00000\.npz lacks rest, since another version wrote it; delete it"
    ):
        drain(fit(old))
    assert len(prepared) == 1, "nothing was prepared in vain"
