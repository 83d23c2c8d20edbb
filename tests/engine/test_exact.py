"""Pictures for files: within float32's rounding of the plain path, at any number of threads."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.decoder.baked_decoder import BakedDecoder
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.march.tiles import Tiles
from stylesdf_core.model.model import Model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.engine.test_engine import reference
from tests.models import tiny_generator, tiny_model

SCENE = Scene(identity=Identity(seed=5), camera=OrbitCamera(0.3, 0.1))


@pytest.fixture
def threads() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def published_widths(**changes: object) -> Model:
    """Random weights of the published layers' sizes, at half the published picture's edge."""
    changes = {"width": 256, "depth": 8, "thumb_size": 32, "channel_multiplier": 2} | changes
    return tiny_model(**changes)


@pytest.mark.parametrize("compiled", [True, False])
def test_a_file_s_pixels_are_the_plain_path_s_on_any_weights(
    compiled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not compiled:
        monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    engine = Engine(published_widths(output_size=128), "cpu", exact=True)
    volume, image = reference(engine, SCENE)
    np.testing.assert_allclose(engine.render(SCENE, "image").data, image, rtol=0.0, atol=1e-3)
    np.testing.assert_allclose(engine.render(SCENE, "volume").data, volume.rgb[0], atol=1e-4)


@pytest.mark.parametrize("view", ["image", "volume", "depth", "normals"])
def test_the_number_of_threads_changes_no_bit(view: str, threads: None) -> None:
    model, pictures = tiny_model(width=64, depth=3), []
    for count in (1, 2, 3):
        torch.set_num_threads(count)
        pictures.append(Engine(model, "cpu", exact=True).render(SCENE, view).data)  # type: ignore[arg-type]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    np.testing.assert_array_equal(pictures[0], pictures[2])


def test_strips_of_rows_make_the_whole_convolution() -> None:
    decoder = tiny_generator(thumb_size=32, output_size=128).decoder
    assert decoder is not None
    features = torch.randn(1, 24, 32, 32, generator=torch.Generator().manual_seed(0))
    styles = torch.randn(1, decoder.n_latent, 512, generator=torch.Generator().manual_seed(1))
    pictures = []
    for strips in (None, Tiles(torch.device("cpu"), 2)):
        baked = BakedDecoder(decoder, torch.float32, strips, exact=True)
        baked.bake(styles, list(decoder.fixed_noise()))
        pictures.append(baked(features))
    torch.testing.assert_close(*pictures, rtol=1e-4, atol=1e-5)
