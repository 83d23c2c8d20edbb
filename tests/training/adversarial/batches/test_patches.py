"""Training through patches: rays and pixels of parts of pictures, of any scale."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from stylesdf_core.data.images import shrink
from stylesdf_core.engine.batch_render import batch_render
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.model.model import load_model
from stylesdf_core.model.networks.discriminators import VolumeDiscriminator
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world, make_rays
from stylesdf_core.scene.scene import Scene
from stylesdf_core.training.adversarial.batches.patches import cut_patches, draw_patches
from stylesdf_core.training.adversarial.config.patches import PatchConfig
from stylesdf_core.training.adversarial.config.stages import RendererConfig
from stylesdf_core.training.adversarial.phases.phase import Purpose
from stylesdf_core.training.adversarial.phases.snapshots import from_patches
from stylesdf_core.training.loop import train_run
from tests.models import tiny_generator
from tests.training.adversarial.stage_phases import (
    THUMB,
    VOLUME,
    assert_same_gradients,
    double_precision,
    gradients,
    phase_of,
    start,
    state,
)

WHOLE_PICTURE = torch.tensor([[0.0, 0.0, 1.0]])
CAMERA = cam2world(torch.tensor([0.3]), torch.tensor([-0.1]))


@pytest.fixture
def direct(renderer: RendererConfig) -> RendererConfig:
    """Pictures of 16², patches of 8²; after four steps, the patches are of any scale."""
    return replace(renderer, output="direct", patch=PatchConfig(image_size=16, anneal_steps=2))


# --- where patches lie ----------------------------------------------------------------------------


def test_patches_lie_inside_the_picture_and_become_smaller() -> None:
    config = PatchConfig(image_size=256, anneal_steps=100)
    scales = [config.scale_at(step, 64) for step in (0, 50, 100, 5000)]
    assert scales == pytest.approx([1.0, 0.5, 0.25, 0.25])
    assert replace(config, least_scale=0.4).scale_at(200, 64) == 0.4
    assert replace(config, anneal_steps=0).scale_at(0, 64) == 0.25
    patches = draw_patches(torch.Generator().manual_seed(0), 1000, 0.25)
    x, y, scale = patches.unbind(dim=1)
    assert 0.25 <= float(scale.min()) < 0.26
    assert 0.99 < float(scale.max()) <= 1.0
    assert float((x.abs() + scale).max()) <= 1.0 + 1e-6
    assert float((y.abs() + scale).max()) <= 1.0 + 1e-6
    first = draw_patches(torch.Generator().manual_seed(0), 5, 1.0)
    torch.testing.assert_close(first, WHOLE_PICTURE.expand(5, 3))


@pytest.mark.parametrize("static", [True, False])
def test_a_patch_at_full_scale_is_the_plain_picture_s_rays(static: bool) -> None:
    plain = make_rays(CAMERA, 80.0, 16, static_viewdirs=static)
    patch = make_rays(CAMERA, 80.0, 16, static_viewdirs=static, patches=WHOLE_PICTURE)
    for one, other in zip(vars(plain).values(), vars(patch).values(), strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-7)


def test_a_patch_s_rays_are_those_of_a_larger_picture() -> None:
    """A quarter of the picture: rows 8 to 15, columns 0 to 7 of 16²."""
    large = make_rays(CAMERA, 160.0, 16)
    patch = make_rays(CAMERA, 80.0, 8, patches=torch.tensor([[-0.5, 0.5, 0.5]]))
    torch.testing.assert_close(patch.directions, large.directions[:, 8:, :8], rtol=0, atol=1e-6)
    torch.testing.assert_close(patch.viewdirs, large.viewdirs[:, 8:, :8], rtol=0, atol=1e-6)


def test_patches_make_up_a_large_picture() -> None:
    generator = tiny_generator(output_size=32, decoder="direct")
    with torch.no_grad():
        w = generator.mapping(torch.randn(1, 256, generator=torch.Generator().manual_seed(1)))
        options, fov = RenderOptions(force_background=False), 6.0
        whole = generator.volume_render(
            w, CAMERA, focal_length(fov, 32), options, resolution=32, trained_fov=None
        )
        tiled = from_patches(generator, w, CAMERA, focal_length(fov, 16), options)
        torch.testing.assert_close(tiled, whole.rgb, rtol=0, atol=1e-4)
        place = torch.tensor([[0.2, -0.3, 0.4]])
        plain = generator.volume_render(
            w, CAMERA, focal_length(fov, 16), options, trained_fov=None, patches=place
        )
        jitter = torch.zeros(1, 16, 16, 1)
        drawn = batch_render(
            generator, w, CAMERA, focal_length(fov, 16), options, jitter, patches=place
        )
        torch.testing.assert_close(drawn.rgb, plain.rgb, rtol=0, atol=5e-4)


def test_real_patches_are_cut_from_the_images() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 32, 32, 3), dtype=np.uint8)
    places = torch.tensor([[0.0, 0.0, 1.0], [-0.5, 0.5, 0.5]])
    whole, quarter = cut_patches(images, places, 16)
    np.testing.assert_array_equal(whole, shrink(images[0], 16))
    np.testing.assert_array_equal(quarter, images[1, 16:, :16])


# --- what the discriminator sees ------------------------------------------------------------------


def test_the_discriminator_tells_where_a_patch_lies() -> None:
    torch.manual_seed(0)
    judge = VolumeDiscriminator(16, 16)
    images = torch.rand(1, 3, 16, 16)
    plain, whole = judge(images), judge(images, WHOLE_PICTURE)
    torch.testing.assert_close(plain.logits, whole.logits)
    for place in ((0.5, 0.0, 0.5), (0.0, 0.5, 0.5), (0.0, 0.0, 0.5)):
        other = judge(images, torch.tensor([place]))
        assert not torch.allclose(other.logits, plain.logits, atol=1e-4)
    both = judge(images.expand(2, -1, -1, -1), torch.tensor([[0.0, 0.0, 1.0], [0.5, 0.0, 0.5]]))
    torch.testing.assert_close(both.logits[:1], plain.logits)


# --- steps ----------------------------------------------------------------------------------------


def test_gradients_flow_and_do_not_depend_on_chunks(direct: RendererConfig) -> None:
    with double_precision():
        phase = phase_of(direct)
        fakes = phase._draw(Purpose.GENERATOR, 2, 4)
        assert fakes.patches is not None
        assert float(fakes.patches[:, 2].min()) < 0.99
        expected = gradients(phase, 2)
        whole = gradients(phase_of(replace(direct, chunk=4)), 2)
        plain = gradients(phase_of(replace(direct, output="volume")), 2)
    assert_same_gradients(whole, expected)
    for part in ("mapping", "field.trunk", "field.view_layer", "field.rgb_head", "field.scalar"):
        found = [value for key, value in expected.items() if f"generator.{part}" in key]
        assert found
        assert all(float(value.abs().max()) > 0.0 for value in found)
    assert any(not torch.allclose(plain[key], value) for key, value in expected.items())


def test_at_full_scale_a_step_is_the_paper_s(direct: RendererConfig) -> None:
    """Pictures no larger than two patches, seen whole at the first step."""
    with double_precision():
        early = replace(direct, patch=PatchConfig(image_size=16, anneal_steps=10**9))
        phase, plain = phase_of(early), phase_of(replace(direct, output="volume"))
        found = {k: v for k, v in gradients(phase, 0).items() if "generator" in k}
        expected = {k: v for k, v in gradients(plain, 0).items() if "generator" in k}
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=1e-4, atol=1e-6)


def test_geometry_on_some_rays_of_a_patch(direct: RendererConfig) -> None:
    with double_precision():
        config = replace(direct, volume=replace(VOLUME, geometry_rays=5, normal_smoothness=0.1))
        found = gradients(phase_of(config), 2)
    assert all(bool(torch.isfinite(value).all()) for value in found.values())


def test_a_resumed_run_is_bit_equal_and_shows_the_direct_view(
    tmp_path: Path, direct: RendererConfig
) -> None:
    whole = start(tmp_path / "whole", direct)
    result = drain(train_run(whole))
    parts, finished = start(tmp_path / "parts", direct), False
    while not finished:
        operation = train_run(parts)
        while not next(operation).message.startswith(("sphere", "renderer")):
            pass
        parts.request_stop()
        finished = drain(operation).finished
    for part in ("live", "ema", "networks", "optimizers"):
        assert_equal(state(whole)[part], state(parts)[part])
    generator = load_checkpoint(result.weights).generator
    assert generator.config == replace(THUMB, output_size=16, decoder="direct")
    assert generator.decoder is None
    model = load_model(str(result.weights))
    picture = Engine(model, "cpu").render(Scene(), "image")
    assert picture.view == "direct"
    assert picture.size == 16


def assert_equal(one: Any, other: Any) -> None:
    """Equality of nested dictionaries of tensors, bit for bit."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key, value in one.items():
            assert_equal(value, other[key])
    elif isinstance(one, torch.Tensor):
        assert torch.equal(one, other)
    else:
        assert one == other


def test_a_step_holds_no_more_than_a_step_on_whole_thumbs(direct: RendererConfig) -> None:
    """The rays of a step, and with them its memory, do not grow with the images."""
    for size in (16, 64):
        images, patch = replace(direct.images, upscale=True), PatchConfig(image_size=size)
        config = replace(direct, images=images, patch=replace(patch, anneal_steps=0))
        with double_precision():
            phase = phase_of(config)
            fakes = phase._draw(Purpose.GENERATOR, 0, 4)
            shown, _ = phase._show(fakes)
        assert phase.models.live.config.output_size == size
        assert fakes.jitter.shape == (4, 8, 8, 1)
        assert shown.shape == (4, 3, 8, 8)


# --- mistakes -------------------------------------------------------------------------------------


def test_sizes_that_do_not_fit_are_named(direct: RendererConfig) -> None:
    with pytest.raises(InputError, match=r"patch\.image_size \(8\) must exceed generator\.thumb"):
        replace(direct, patch=PatchConfig(image_size=8))
    with pytest.raises(InputError, match="output_size 24 must be thumb_size"):
        replace(direct, patch=PatchConfig(image_size=24))
    with pytest.raises(InputError, match=r"patch\.least_scale must lie in"):
        PatchConfig(least_scale=1.5)
    generator = GeneratorConfig(thumb_size=8, output_size=16, decoder="direct")
    with pytest.raises(InputError, match="trains no decoder"):
        replace(direct, output="volume", generator=generator)
