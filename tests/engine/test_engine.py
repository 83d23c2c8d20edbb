"""The engine against the plain modules, which define what is right."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

from stylesdf_core.engine.decoder.baked_decoder import BakedDecoder
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import volume_level
from stylesdf_core.engine.passes import passes
from stylesdf_core.engine.picture import Picture, _for_screen, eight_bit, pixels
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.model.networks.generator import VolumeRender
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.scene.scene import ENGINE_VIEWS, Identity, Mixing, Morph, Scene, View
from tests.models import tiny_model

SCENES = [
    Scene(),
    Scene(identity=Identity(seed=5), truncation_psi=1.0, camera=OrbitCamera(0.8, -0.3, 9.0)),
    Scene(
        mixing=Mixing(seed=9, strengths=(0.0, 0.2, 0.5, 1.0, 1.0, 0.3)),
        camera=OrbitCamera(-0.2, 0.4, 3.0, 0.02, -0.03),
        options=RenderOptions(samples=12, noise="random", noise_seed=3),
    ),
    Scene(options=RenderOptions(noise="none", force_background=False, static_viewdirs=False)),
]


def reference(engine: Engine, scene: Scene) -> tuple[VolumeRender, np.ndarray]:
    """The same scene through the plain modules."""
    generator, styles = engine.generator, engine.mapper.styles(scene)
    matrix = torch.from_numpy(scene.camera.cam2world()).float()[None]
    with torch.inference_mode():
        focal = scene.camera.focal(generator.config.thumb_size)
        volume = generator.volume_render(styles.w, matrix, focal, scene.options)
        assert styles.decoder is not None
        image = generator.decode(volume.features, styles.decoder, scene.options)
    return volume, image[0].numpy()


@pytest.mark.parametrize("field", ["sdf", "density"])
@pytest.mark.parametrize("scene", SCENES)
def test_same_pixels_as_the_plain_path(scene: Scene, field: str) -> None:
    engine = Engine(tiny_model(field=field), "cpu", exact=True)
    volume, image = reference(engine, scene)
    drawn = engine.render(scene, "volume")
    np.testing.assert_allclose(drawn.data, volume.rgb[0], atol=5e-3)
    # what is skipped weighs up to 1e-4 a sample
    np.testing.assert_allclose(drawn.background, volume.mask[0, 0], atol=1e-3)
    np.testing.assert_allclose(engine.render(scene, "image").data, image, atol=2e-2)
    depth = engine.render(scene, "depth").data
    solid = volume.mask[0, 0].numpy() < 0.9
    np.testing.assert_allclose(depth[0][solid], volume.depth[0, 0].numpy()[solid], atol=1e-4)


@pytest.mark.parametrize("scene", SCENES)
def test_sixteen_bits_cost_less_than_half_a_grey_step(scene: Scene) -> None:
    model = tiny_model()
    fast = BakedDecoder(model.generator.decoder, torch.bfloat16)  # type: ignore[arg-type]
    engine = Engine(model, "cpu", exact=True)
    volume, image = reference(engine, scene)
    with torch.no_grad():
        fast.bake(engine.mapper.styles(scene).decoder, model.generator.noise_maps(scene.options))  # type: ignore[arg-type]
        decoded = fast(volume.features.clone())[0].numpy()
    # a photograph's pixels in [−1, 1] have a standard deviation of about a half
    error = np.sqrt(np.square(decoded - image).mean()) * 0.5 / image.std()
    assert 0.0 < error < 0.5 * 2.0 / 255.0


@pytest.mark.parametrize("view", ENGINE_VIEWS)
def test_last_pass_equals_the_one_shot_render(view: View) -> None:
    engine = Engine(tiny_model(thumb_size=64, output_size=128), "cpu")
    *_, last = passes(engine, Scene(), view)
    assert last.final
    np.testing.assert_array_equal(last.picture.data, engine.render(Scene(), view).data)


def test_an_image_is_decoded_from_what_moved_before_it_is_from_all() -> None:
    engine = Engine(tiny_model(thumb_size=32, output_size=64), "cpu")
    draft, decoded, exact = passes(engine, Scene(), "image", first=volume_level(32))
    assert [f.picture.view for f in (draft, decoded, exact)] == ["volume", "image", "image"]
    assert [f.resolution for f in (draft, decoded, exact)] == [32, 64, 64]
    assert [f.pass_count for f in (draft, decoded, exact)] == [3, 3, 3]
    assert psnr(decoded.picture.display(), exact.picture.display()) > 40.0
    coarse, volume, again = passes(engine, Scene(), "image", first=volume_level(16))
    assert [f.picture.view for f in (coarse, volume, again)] == ["volume", "volume", "image"]
    assert [f.resolution for f in (coarse, volume, again)] == [16, 32, 64]
    np.testing.assert_array_equal(again.picture.data, exact.picture.data)


def test_caches_never_go_stale() -> None:
    """One engine through many changes draws what a fresh engine draws."""
    model = tiny_model()
    engine = Engine(model, "cpu")
    source = np.random.default_rng(0)
    scene = Scene()
    for _ in range(30):
        change = int(source.integers(7))
        value = float(source.uniform(0, 1))
        if change == 0:
            scene = replace(scene, identity=Identity(int(source.integers(4))))
        elif change == 1:
            scene = replace(scene, truncation_psi=round(value, 1))
        elif change == 2:
            scene = replace(scene, mixing=Mixing(int(source.integers(4)), int(source.integers(6))))
        elif change == 3:
            scene = replace(scene, camera=OrbitCamera(value, 0.3 * value))
        elif change == 4:
            scene = replace(scene, options=RenderOptions(noise="random", noise_seed=int(9 * value)))
        elif change == 5:
            scene = replace(scene, morph=Morph(int(source.integers(4)), round(value, 1)))
        else:
            scene = replace(scene, options=RenderOptions(samples=8 + int(8 * value)))
        fresh = Engine(model, "cpu")
        for view in ("image", "normals"):
            np.testing.assert_array_equal(
                engine.render(scene, view).data,  # type: ignore[arg-type]
                fresh.render(scene, view).data,  # type: ignore[arg-type]
            )


def test_psi_one_is_the_seed_itself_and_zero_the_mean() -> None:
    engine = Engine(tiny_model(), "cpu")
    one, other = (Scene(identity=Identity(seed), truncation_psi=0.0) for seed in (1, 2))
    torch.testing.assert_close(engine.mapper.styles(one).w, engine.mapper.styles(other).w)
    torch.testing.assert_close(engine.mapper.styles(one).w, engine.model.means.renderer)
    full = engine.mapper.styles(Scene(identity=Identity(1), truncation_psi=1.0)).w
    z = torch.from_numpy(engine.mapper.z(Identity(1)))[None]
    torch.testing.assert_close(full, engine.generator.mapping(z), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("space", ["z", "w"])
def test_morph_ends_at_both_identities_with_edits_kept(space: str) -> None:
    model = replace(tiny_model(), named=(LatentDirection("smile", "Smile", "face", 3),))
    engine = Engine(model, "cpu")
    one, other = (Identity(seed, edits=(("smile", 2.0),)) for seed in (1, 2))

    def w(amount: float) -> torch.Tensor:
        morph = Morph(2, amount, space)  # type: ignore[arg-type]
        return engine.mapper.styles(Scene(identity=one, morph=morph)).w

    torch.testing.assert_close(w(0.0), engine.mapper.styles(Scene(identity=one)).w)
    torch.testing.assert_close(
        w(1.0), engine.mapper.styles(Scene(identity=other)).w, atol=1e-4, rtol=1e-3
    )
    assert not torch.allclose(w(0.5), w(0.0), atol=1e-3)


def test_mixing_changes_colours_but_not_the_surface() -> None:
    engine = Engine(tiny_model(), "cpu")
    plain, mixed = Scene(), Scene(mixing=Mixing(seed=4, crossover=0))
    np.testing.assert_array_equal(
        engine.render(plain, "depth").data, engine.render(mixed, "depth").data
    )
    assert np.abs(engine.render(plain, "image").data - engine.render(mixed, "image").data).max() > 0


def test_normals_are_the_gradient_at_the_drawn_depth() -> None:
    engine = Engine(tiny_model(), "cpu")
    scene = Scene(camera=OrbitCamera(0.3, 0.1))
    picture, depth = (engine.render(scene, view, 32).data for view in ("normals", "depth"))
    matrix = torch.from_numpy(scene.camera.cam2world()).float()[None]
    rays = make_rays(matrix, scene.camera.focal(32), 32)
    points = rays.origins[0].numpy() + rays.directions[0].numpy() * depth[0][..., None]
    expected = engine.normals(scene)(points.reshape(-1, 3)).reshape(32, 32, 3)
    np.testing.assert_allclose(np.moveaxis(picture, 0, -1), expected, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(picture, axis=0), 1.0, atol=1e-4)


def test_renderer_only_model_shows_its_volume_render_and_says_so() -> None:
    engine = Engine(tiny_model(output_size=16), "cpu")
    *_, last = passes(engine, Scene(), "image")
    assert "no decoder" in last.note
    assert last.picture.size == 256


def test_point_functions() -> None:
    engine = Engine(tiny_model(), "cpu")
    points = np.random.default_rng(1).uniform(-0.1, 0.1, (5000, 3)).astype(np.float32)
    sdf = engine.sdf(Scene())(points)
    w = engine.mapper.styles(Scene()).w
    plain = engine.generator.field.scalar(torch.from_numpy(points)[None], w)[0, :, 0]
    np.testing.assert_allclose(sdf, plain.numpy(), atol=1e-5)
    colours = engine.colors(Scene())(points)
    assert colours.shape == (5000, 3)
    assert 0 <= colours.min() <= colours.max() <= 1
    normals = engine.normals(Scene())(points)
    step = 1e-3
    ahead = engine.sdf(Scene())(points + step * normals)
    assert np.mean(ahead > sdf) > 0.99


def test_wrong_scenes_are_named() -> None:
    engine = Engine(tiny_model(), "cpu")
    with pytest.raises(InputError, match=r"3 numbers; model tiny needs 256"):
        engine.mapper.z(Identity(z=(0.0, 1.0, 2.0)))
    with pytest.raises(InputError, match="no latent direction 'smirk'"):
        engine.mapper.z(Identity(edits=(("smirk", 1.0),)))
    with pytest.raises(InputError, match="Crossover 99"):
        engine.mapper.styles(Scene(mixing=Mixing(seed=1, crossover=99)))
    with pytest.raises(InputError, match="There is no device 'tpu'"):
        Engine(tiny_model(), "tpu")


def test_a_model_is_drawn_with_the_samples_it_was_trained_with() -> None:
    engine = Engine(tiny_model(samples=8), "cpu", exact=True)
    own = engine.render(Scene(), "volume").data
    assert np.array_equal(own, engine.render(of_samples(8), "volume").data)
    assert not np.allclose(own, engine.render(of_samples(24), "volume").data, atol=1e-3)
    volume, _ = reference(engine, Scene())
    np.testing.assert_allclose(own, volume.rgb[0], atol=5e-3)


def of_samples(count: int) -> Scene:
    return Scene(options=RenderOptions(samples=count))


def test_several_rays_a_pixel_give_the_mean_of_their_features() -> None:
    engine, scene = Engine(tiny_model(), "cpu", exact=True), Scene()
    thumb = engine.config.thumb_size
    image = engine.render(scene, "image", rays=2)
    assert image.data.shape == engine.render(scene, "image").data.shape
    fine = engine.render_volume(scene, 2 * thumb, features=True)
    expected = engine.picture(scene, "image", fine.reduced(thumb))
    np.testing.assert_array_equal(image.data, expected.data)
    assert np.abs(image.data - engine.render(scene, "image").data).max() > 1e-4


def test_the_engine_starts_without_scipy() -> None:
    """Importing scipy.ndimage takes a seventh of that time; no first face needs it."""
    code = "import sys, stylesdf_core.engine.engine; print('scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_picture_s_grey_levels_are_those_of_its_colours() -> None:
    """``np.rint`` rounds halves to even: one pixel of two files of one face differed."""
    halves = np.float32((np.arange(255) + 0.5) / 255.0)
    colours = np.broadcast_to(2.0 * halves - 1.0, (3, 1, 255)).astype(np.float32)
    drawn = Picture("image", colours, np.zeros((1, 255), np.float32))
    np.testing.assert_array_equal(eight_bit(pixels(drawn)), drawn.to_uint8())
    np.testing.assert_array_equal(eight_bit(np.arange(256) / 255.0), np.arange(256))


def test_a_gpus_pixels_for_the_screen_are_those_of_the_picture() -> None:
    image = torch.linspace(-1.5, 1.5, 3 * 4 * 4).view(3, 4, 4)
    np.testing.assert_array_equal(
        _for_screen(image).numpy(), Picture.decoded(image).display(), strict=True
    )
