from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.bank import HeadBank, ViewBatch
from stylesdf_core.heads.fit.config import FitConfig, HeadsConfig, RefineConfig
from stylesdf_core.heads.fit.decoder_phases import FeatureCache, RefinePhase
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.measures import render_views
from stylesdf_core.heads.fit.windows import MARGIN, draw_windows, windows_on
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.progress import drain
from stylesdf_core.training.phase import Models
from stylesdf_core.training.runs.run_dir import RunDir
from tests.heads.fit.spheres import fit, write_spheres


def test_windows_lie_on_the_head_and_have_their_margin() -> None:
    size, edge = 16, 8
    covered = torch.zeros(size, size)
    covered[2:5, 9] = 1.0
    random = torch.Generator().manual_seed(0)
    pixels = torch.arange(size * size).view(size, size)
    for _ in range(20):
        (window,) = windows_on(random, covered[None], edge)
        truth, decoded = window.truth, window.decoded
        assert (truth.height, truth.width) == (edge, edge)
        assert (decoded.height, decoded.width) == (edge + 2 * MARGIN,) * 2
        assert truth.top == 0
        assert truth.left == 9 - edge // 2
        assert torch.equal(window.compared.of(decoded.of(pixels)), truth.of(pixels))
        for first, last in ((decoded.top, truth.top), (decoded.left, truth.left)):
            assert first == 0 or last - first >= MARGIN


def test_windows_as_large_as_the_picture_are_the_picture() -> None:
    (window,) = windows_on(torch.Generator(), torch.ones(1, 8, 8), 8)
    assert window.decoded == window.compared == window.truth


def test_cached_features_are_the_plain_render(tiny: FitConfig) -> None:
    generator = initial_generator(tiny.generator, 0).requires_grad_(False)
    generator.field.sigmoid_beta.fill_(0.002)
    bank = HeadBank(Path(tiny.data))
    views = bank.views(torch.Generator().manual_seed(0), 3)
    cache = FeatureCache(generator, 1.0)
    maps = cache.of(views)
    torch.testing.assert_close(
        torch.stack(maps).float(), render_views(generator, views).features, atol=5e-3, rtol=0.0
    )
    again = cache.of(views)
    assert all(first is second for first, second in zip(maps, again, strict=True))


def test_a_full_cache_renders_again_and_says_the_same(tiny: FitConfig) -> None:
    generator = initial_generator(tiny.generator, 0).requires_grad_(False)
    views = HeadBank(Path(tiny.data)).held_out()
    kept, none = FeatureCache(generator, 1.0), FeatureCache(generator, 0.0)
    for _ in range(2):
        for a, b in zip(kept.of(views), none.of(views), strict=True):
            assert torch.equal(a, b)


def test_refining_learns_the_pictures_and_moves_only_the_decoder(tiny: FitConfig) -> None:
    settings = RefineConfig(
        steps=60, heads=4, crop=8, sharpness=0.5, ringing=0.0, learning_rate=1e-2, widest=8
    )
    config = replace(tiny, refine=settings)
    generator = initial_generator(tiny.generator, 0)
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    phase = RefinePhase(Models.of(generator), HeadBank(Path(tiny.data)), config)
    losses = [phase.step(index) for index in range(60)]
    first = sum(float(loss["image"].detach()) for loss in losses[:5])
    assert sum(float(loss["image"].detach()) for loss in losses[-5:]) < 0.8 * first
    assert {"adversarial", "image_d_logistic", "image_score_real", "detail"} <= set(losses[0])
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]) or key.startswith("decoder."), key


def test_eyes_count_where_they_are(tiny: FitConfig) -> None:
    """The decoder that is asked for eyes alone learns them better than one that is not."""
    errors = []
    for weight in (0.0, 4.0):
        settings = RefineConfig(
            steps=40, heads=4, crop=8, sharpness=0.0, ringing=0.0, adversarial=0.0, eyes=weight,
            learning_rate=1e-2, widest=8,
        )  # fmt: skip
        generator = initial_generator(tiny.generator, 0)
        bank = OneEyed(Path(tiny.data))
        phase = RefinePhase(Models.of(generator), bank, replace(tiny, refine=settings))
        losses = [phase.step(index) for index in range(40)]
        assert all(("eyes" in terms) == (weight > 0.0) for terms in losses)
        views = bank.views(torch.Generator().manual_seed(99), 16)
        whole = draw_windows(torch.Generator(), views, 8, 8)
        images, _ = phase.show(whole, torch.Generator())
        apart = (images - views.images).abs()
        errors.append(float((apart[..., :8, :8]).mean().detach()))
    assert errors[1] < 0.9 * errors[0]


class OneEyed(HeadBank):
    """Grey pictures; the upper left quarter, an eye, is white."""

    def views(self, random: torch.Generator, heads: int) -> ViewBatch:
        views = super().views(random, heads)
        images, eyes = torch.full_like(views.images, -0.2), torch.zeros_like(views.eyes)
        images[..., :8, :8], eyes[..., :32, :32] = 0.8, 1.0
        return replace(views, images=images, eyes=eyes)


def test_views_of_another_version_are_refused_before_anything_is_made(
    tiny: FitConfig, tmp_path: Path
) -> None:
    write_spheres(tmp_path / "old")
    file = tmp_path / "old" / "views" / "shard-00000.npz"
    with np.load(file) as arrays:
        kept = {name: arrays[name] for name in arrays.files if name != "eyes"}
    np.savez(file, **kept)
    words = r"old.views.shard-00000.npz lacks eyes, since another version wrote it; delete it"
    with pytest.raises(InputError, match=words):
        HeadBank(tmp_path / "old").views(torch.Generator(), 2)
    config = replace(tiny, data=str(tmp_path / "old"))
    for number, heads in enumerate((HeadsConfig(), HeadsConfig("nowhere"))):
        run = RunDir(tmp_path / f"run{number}")
        run.write_config(to_json(replace(config, heads=heads)))
        with pytest.raises(InputError, match=words):
            drain(fit(run))
        assert run.latest() is None


def test_views_of_another_size_are_refused_before_anything_is_made(
    tiny: FitConfig, tmp_path: Path
) -> None:
    run = RunDir(tmp_path / "run")
    run.write_config(to_json(replace(tiny, generator=replace(tiny.generator, output_size=32))))
    with pytest.raises(InputError, match=r"pictures of 16² .*generator\.output_size is 32"):
        drain(fit(run))
    assert run.latest() is None


def test_batches_go_whole_to_another_device(tiny: FitConfig) -> None:
    """On torch's device without values: whatever stayed behind would be on the CPU."""
    bank = HeadBank(Path(tiny.data), device=torch.device("meta"))
    random = torch.Generator().manual_seed(0)
    for batch in (bank.views(random, 2), bank.points(random, 2, 8, 4), bank.held_out()):
        tensors = [value for value in vars(batch).values() if isinstance(value, torch.Tensor)]
        assert len(tensors) >= 5
        assert {value.device.type for value in tensors} == {"meta"}


def test_refining_alone_needs_no_surfaces(tmp_path: Path, tiny: FitConfig) -> None:
    """As when the shipped weights go on: the field is not trained any more."""
    data = tmp_path / "data"
    data.mkdir()
    (data / "views").symlink_to(Path(tiny.data) / "views", target_is_directory=True)
    before = ("points", "render", "decoder", "end_to_end")
    none = {name: replace(getattr(tiny, name), steps=0) for name in before}
    run = RunDir(tmp_path / "run")
    run.write_config(to_json(replace(tiny, data=str(data), **none)))
    drain(fit(run))
    file = run.latest("ema")
    assert file is not None
    assert load_checkpoint(file).metadata["step"] == "2"


def test_a_cache_takes_at_most_half_of_the_free_memory(
    tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = initial_generator(tiny.generator, 0).requires_grad_(False)
    map_bytes = 2 * 16 * 8**2
    assert FeatureCache(generator, map_bytes * 3.5e-9).capacity == 3
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=10 * map_bytes))
    assert FeatureCache(generator, 8.0).capacity == 5


@pytest.mark.parametrize("crop", [2, 6, 16])
def test_impossible_crops_are_refused(tiny: FitConfig, crop: int) -> None:
    with pytest.raises(InputError, match=r"refine\.crop"):
        replace(tiny, refine=replace(tiny.refine, crop=crop))
