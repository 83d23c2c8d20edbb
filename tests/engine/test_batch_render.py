"""Volume renders for training, against the networks' own modules."""

from __future__ import annotations

import pytest
import torch

from stylesdf_core.engine.batch_render import batch_render
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import load_model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world
from tests.models import tiny_generator


@pytest.mark.parametrize("forced", [True, False])
@pytest.mark.parametrize("static", [True, False])
@pytest.mark.parametrize("model", ["sdf", "density", "heads-gan"])
def test_renders_are_those_of_the_generator(model: str, static: bool, forced: bool) -> None:
    shipped = model not in ("sdf", "density")
    generator: Generator = load_model(model).generator if shipped else tiny_generator(field=model)
    source, edge = torch.Generator().manual_seed(3), generator.config.thumb_size
    w = generator.mapping(torch.randn(2, generator.config.z_dim, generator=source))
    cameras = cam2world(torch.tensor([0.3, -0.5]), torch.tensor([0.1, -0.2]))
    jitter = torch.rand(2, edge, edge, 1, generator=source)
    options = RenderOptions(static_viewdirs=static, force_background=forced)
    focal = focal_length(6.0, edge)
    drawn = batch_render(generator, w, cameras, focal, options, jitter)
    with torch.no_grad():
        expected = generator.volume_render(
            w, cameras, focal, options, jitter=jitter, trained_fov=None
        )
    torch.testing.assert_close(drawn.rgb, expected.rgb, rtol=0.0, atol=2e-4)
    torch.testing.assert_close(drawn.features, expected.features, rtol=0.0, atol=5e-4)
    assert not drawn.features.requires_grad
