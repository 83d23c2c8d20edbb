"""The parts of a fit: the march against the plain render, similarities, offsets in a scene."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.errors import InputError
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.march import soft_render
from stylesdf_core.inversion.matte import on_own_background
from stylesdf_core.inversion.picture import Lattice, PhotoView, Similarity
from stylesdf_core.inversion.tuning import Tuning
from stylesdf_core.inversion.unknowns import Unknowns
from stylesdf_core.inversion.windows import Window
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets, encoded
from stylesdf_core.scene.scene import Identity, Morph, Scene
from tests.models import tiny_model

MODEL = tiny_model()
GENERATOR = MODEL.generator
CONFIG = GENERATOR.config


def fitted_scene() -> Scene:
    random = np.random.default_rng(3)
    field = 0.1 * random.standard_normal((CONFIG.film_layers, CONFIG.z_dim))
    decoder = 0.1 * random.standard_normal((CONFIG.n_latent, 512))
    offsets = StyleOffsets(*(encoded(x.astype(np.float32)) for x in (field, decoder)))
    return Scene(identity=Identity(seed=5, offsets=offsets), truncation_psi=1.0)


def a_picture(camera: OrbitCamera) -> torch.Tensor:
    scene = Scene(identity=Identity(seed=1), camera=camera)
    return torch.from_numpy(Engine(MODEL, "cpu").render(scene, "image").data)


def test_the_soft_render_is_the_plain_volume_render() -> None:
    unknowns = Unknowns(MODEL, GENERATOR, [PhotoView.framed(torch.zeros(3, 16, 16), (0.2, 0.1))])
    rays = unknowns.rays(0, Lattice(16))
    field = BakedField(GENERATOR.field, unknowns.field_styles(0))
    rgb = soft_render(field, GENERATOR.sigma, rays, CONFIG.samples, 0.03)
    camera = OrbitCamera(0.2, 0.1)
    plain = GENERATOR.volume_render(
        unknowns.field_styles(0),
        torch.from_numpy(camera.cam2world().astype(np.float32))[None],
        camera.focal(16),
        RenderOptions(),
        resolution=16,
        trained_fov=None,
    )
    difference = (rgb.T.reshape(3, 16, 16) - plain.rgb[0]).detach()
    assert float(difference.abs().max()) < 0.03


def test_gradients_reach_pose_framing_and_styles() -> None:
    unknowns = Unknowns(MODEL, GENERATOR, [PhotoView.framed(torch.zeros(3, 16, 16))])
    field = BakedField(GENERATOR.field, unknowns.field_styles(0))
    rgb = soft_render(field, GENERATOR.sigma, unknowns.rays(0, Lattice(8)), 24, 0.03)
    rgb.square().sum().backward()
    for tensor in (unknowns.z, unknowns.angles, unknowns.framing, unknowns.field):
        assert tensor.grad is not None
        assert bool(tensor.grad.abs().sum() > 0.0)


def test_a_similarity_and_its_inverse_cancel() -> None:
    first, second = Similarity(0.2, -0.1, 0.3, 0.4), Similarity(-0.3, 0.2, -0.1, 0.2)
    neutral = first.inverse().after(first)
    numbers = (neutral.x, neutral.y, neutral.growth, neutral.roll)
    assert numbers == pytest.approx((0.0, 0.0, 0.0, 0.0), abs=1e-12)
    both = second.after(first)
    point = complex(0.7, 0.1)
    one = first.factor * point + complex(first.x, first.y)
    assert both.factor * point + complex(both.x, both.y) == pytest.approx(
        second.factor * one + complex(second.x, second.y)
    )


def test_a_framed_picture_is_compared_as_it_is() -> None:
    picture = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0)) * 2 - 1
    seen = PhotoView.framed(picture).picture(32)
    assert float((seen[:3] - picture).abs().max()) < 0.05
    assert bool((seen[3] == 1.0).all())


def test_a_correction_moves_the_picture_that_is_compared() -> None:
    picture = torch.zeros(3, 32, 32)
    picture[:, 16:20, 16:20] = 1.0
    moved = PhotoView.framed(picture).reframed(Similarity(x=0.25)).picture(32)
    assert float((moved[:3] - picture.roll(4, dims=2)).abs().max()) < 0.1


def test_lattices_share_out_the_pixels() -> None:
    pixels = torch.arange(36.0).view(1, 6, 6)
    parts = [Lattice(6, 2, left, top) for left in (0, 1) for top in (0, 1)]
    assert sorted(torch.cat([part.of(pixels).flatten() for part in parts]).tolist()) == list(
        range(36)
    )
    x, y = Lattice(6, 2, 1, 0).points(torch.device("cpu"))
    assert (float(x[0]), float(y[0])) == pytest.approx((-0.5, -5 / 6))


@pytest.mark.parametrize("scale", [1, 4])
def test_a_window_is_compared_up_to_the_borders_of_the_picture(scale: int) -> None:
    pixels = torch.arange((40 * scale) ** 2).view(1, 40 * scale, 40 * scale)
    upper, lower, whole = Window(0, 5, 32, 40), Window(8, 0, 32, 40), Window(0, 0, 40, 40)
    for window, rows, columns in (
        (upper, (0, 29), (8, 34)),  # 3 pixels of the feature map less wherever the picture goes on
        (lower, (11, 40), (0, 29)),
        (whole, (0, 40), (0, 40)),
    ):
        part = pixels[:, scale * rows[0] : scale * rows[1], scale * columns[0] : scale * columns[1]]
        assert torch.equal(window.inner(window.of(pixels)), part)


def test_a_fit_finds_the_pose_of_the_models_own_picture() -> None:
    view = PhotoView.framed(a_picture(OrbitCamera(0.25, 0.0)), (0.1, 0.0))
    fit = Fit(MODEL, GENERATOR, [view], effort=0.3, framed=True)
    shares = [progress.fraction for progress in fit.run()]
    assert shares == sorted(shares)
    scene = fit.unknowns.scene("heads")
    assert scene.camera.azimuth == pytest.approx(0.25, abs=0.1)
    assert scene.identity.z is not None
    assert Scene.from_json(scene.to_json()) == scene


def test_a_fit_ends_in_time() -> None:
    fit = Fit(MODEL, GENERATOR, [PhotoView.framed(a_picture(OrbitCamera()))], seconds=0.01)
    assert len(list(fit.run())) <= 6


def test_photographs_of_one_person_share_all_but_pose_and_light() -> None:
    light = LatentDirection("sun", "Sun", "light", 7)
    model = replace(MODEL, named=(light,))
    views = [PhotoView.framed(a_picture(OrbitCamera(angle))) for angle in (0.2, -0.2)]
    unknowns = Unknowns(model, GENERATOR, views)
    with torch.no_grad():
        unknowns.light[1] += 1.0
    first, second = (unknowns.z_of(photo)[0] for photo in (0, 1))
    assert (first - second).nonzero().flatten().tolist() == [7]
    fit = Fit(model, GENERATOR, views, effort=0.02)
    drain(fit.run())
    one, other = (fit.unknowns.scene("heads", photo) for photo in (0, 1))
    assert one.camera != other.camera
    assert one.identity.offsets == other.identity.offsets


def test_offsets_are_scaled_by_truncation_and_survive_a_session() -> None:
    scene = fitted_scene()
    assert Scene.from_json(scene.to_json()) == scene
    mapper = Engine(MODEL, "cpu").mapper
    plain = replace(scene, identity=Identity(seed=5))
    offset = scene.identity.offsets.of_field(CONFIG.film_layers, CONFIG.z_dim)
    for psi in (1.0, 0.5, 0.0):
        with_offsets, without = (
            mapper.styles(replace(face, truncation_psi=psi)) for face in (scene, plain)
        )
        difference = (with_offsets.w - without.w[:, None])[0].numpy()
        np.testing.assert_allclose(difference, psi * offset, atol=2e-5)
        assert with_offsets.decoder is not None
        assert without.decoder is not None


def test_a_morph_leaves_the_offsets_behind() -> None:
    scene = replace(fitted_scene(), morph=Morph(seed=9, amount=1.0))
    styles = Engine(MODEL, "cpu").mapper.styles(scene)
    assert float((styles.w - styles.w[:, :1]).abs().max()) < 1e-6


def test_offsets_of_another_model_are_refused() -> None:
    scene = fitted_scene()
    other = tiny_model(depth=3)
    with pytest.raises(InputError, match="fitted with another model"):
        Engine(other, "cpu").mapper.styles(scene)


@pytest.mark.parametrize("text", ["?", "AA==", encoded(np.array([math.inf], np.float32))])
def test_damaged_offsets_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="offsets"):
        StyleOffsets(field=text)


def test_the_head_is_put_on_the_models_background() -> None:
    y, x = torch.meshgrid(torch.linspace(-1, 1, 80), torch.linspace(-1, 1, 80), indexing="ij")
    inside = (x.square() + y.square()).sqrt() < 0.5
    square = torch.where(inside, 0.4, -0.8).expand(3, 80, 80)
    view = PhotoView(torch.cat([square, torch.ones(1, 80, 80)]))
    background = torch.tensor([0.7, 0.7, 0.7])
    small = torch.linspace(-1, 1, 16)
    y, x = torch.meshgrid(small, small, indexing="ij")
    coverage = ((x.square() + y.square()).sqrt() < 0.62).float()
    matted = on_own_background(view, coverage, background)
    corners = matted.square[:3, ::79, ::79]
    assert float((corners - 0.7).abs().max()) < 0.02
    assert float((matted.square[:3, 40, 40] - 0.4).abs().max()) < 0.02
    assert on_own_background(matted, coverage, background) is matted
    plain = replace(view, square=torch.cat([torch.full((3, 80, 80), -1.0), view.square[3:]]))
    assert bool(on_own_background(plain, coverage, background).square.isfinite().all())


def test_before_its_first_step_a_tuning_shows_the_engine_s_picture() -> None:
    engine = Engine(MODEL, "cpu", exact=True)
    scene = fitted_scene()
    view = PhotoView.framed(a_picture(OrbitCamera()))
    tuning = Tuning(engine, [scene], [view])
    steps = tuning.run()
    while not tuning.is_ready:
        next(steps)
    steps.close()
    assert not any(change.any() for change in tuning.changes.values())
    own = 0.5 * engine.render(scene, "image").data + 0.5
    assert np.abs(tuning.picture() - own.transpose(1, 2, 0).clip(0, 1)).max() < 0.03
