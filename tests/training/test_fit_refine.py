from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.checkpoints import load_checkpoint
from stylesdf_core.config import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.fit import run_fit
from stylesdf_core.training.fit_config import FitConfig, RefineConfig
from stylesdf_core.training.fit_crops import MARGIN, windows_on
from stylesdf_core.training.fit_data import USED_LATENTS, HeadBank
from stylesdf_core.training.fit_init import initial_generator
from stylesdf_core.training.fit_refine import FeatureCache, RefinePhase
from stylesdf_core.training.fit_samples import render_views
from stylesdf_core.training.loop import Models
from stylesdf_core.training.run_dir import RunDir


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
    generator = initial_generator(tiny.generator(256), USED_LATENTS, 0).requires_grad_(False)
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
    generator = initial_generator(tiny.generator(256), USED_LATENTS, 0).requires_grad_(False)
    views = HeadBank(Path(tiny.data)).held_out()
    kept, none = FeatureCache(generator, 1.0), FeatureCache(generator, 0.0)
    for _ in range(2):
        for a, b in zip(kept.of(views), none.of(views), strict=True):
            assert torch.equal(a, b)


def test_refining_learns_the_pictures_and_moves_only_the_decoder(tiny: FitConfig) -> None:
    settings = RefineConfig(
        steps=60, heads=4, crop=8, detail_weight=1.0, learning_rate=1e-2, r1_every=2, widest=8
    )
    config = replace(tiny, refine=settings)
    generator = initial_generator(tiny.generator(256), USED_LATENTS, 0)
    before = {k: v.clone() for k, v in generator.state_dict().items()}
    phase = RefinePhase(Models.of(generator), HeadBank(Path(tiny.data)), config)
    losses = [phase.step(index) for index in range(60)]
    first = sum(float(loss["image"].detach()) for loss in losses[:5])
    assert sum(float(loss["image"].detach()) for loss in losses[-5:]) < 0.8 * first
    assert {"adversarial", "discriminator", "score_real", "detail"} <= set(losses[0])
    for key, value in generator.state_dict().items():
        assert torch.equal(value, before[key]) or key.startswith("decoder."), key


def test_batches_go_whole_to_another_device(tiny: FitConfig) -> None:
    """On torch's device without values: whatever stayed behind would be on the CPU."""
    bank = HeadBank(Path(tiny.data), device=torch.device("meta"))
    random = bank.random(0)
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
    drain(run_fit(run))
    file = run.latest("ema")
    assert file is not None
    assert load_checkpoint(file).metadata["step"] == "2"


@pytest.mark.parametrize("crop", [2, 6, 16])
def test_impossible_crops_are_refused(tiny: FitConfig, crop: int) -> None:
    with pytest.raises(InputError, match=r"refine\.crop"):
        replace(tiny, refine=replace(tiny.refine, crop=crop))
