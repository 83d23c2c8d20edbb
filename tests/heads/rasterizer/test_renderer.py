"""Pictures and G-buffers agree with the camera, with each other, and with their latents."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy.spatial import cKDTree

from stylesdf_core.heads.fit.bank import EYE_RADIUS
from stylesdf_core.heads.person.anatomy import FACE, HAIR, SCLERA
from stylesdf_core.heads.person.latent import ATTRIBUTES, DIMENSIONS, LATENT_DIM, dataset_latent
from stylesdf_core.heads.rasterizer.renderer import BACKGROUND, HeadRenderer
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera

CAMERA = OrbitCamera(azimuth=0.4, elevation=-0.2, fov=5.0, pan_x=0.01, pan_y=-0.02)
SIZE = 96


def _z(**attributes: float) -> np.ndarray:
    z = np.zeros(LATENT_DIM, np.float32)
    for name, value in attributes.items():
        z[DIMENSIONS[name]] = value
    return z


def _luminance(renderer: HeadRenderer, z: np.ndarray, material: int) -> float:
    view = renderer.gbuffer(renderer.shape(z), OrbitCamera(), SIZE)
    return float(view.rgb[view.material == material].mean())


def test_pixels_lie_on_the_camera_s_rays(renderer: HeadRenderer) -> None:
    view = renderer.gbuffer(renderer.shape(dataset_latent(0, 0)), CAMERA, SIZE)
    matrix = CAMERA.cam2world()
    centres = np.arange(SIZE) + 0.5 - SIZE / 2
    x, y = np.meshgrid(centres, -centres)
    directions = np.stack([x, y, np.full_like(x, -CAMERA.focal(SIZE))], axis=-1)
    directions = directions / CAMERA.focal(SIZE) @ matrix[:, :3].T
    expected = matrix[:, 3] + view.depth[..., None] * directions
    assert 0.2 < view.mask.mean() < 0.9
    assert np.abs(expected - view.position)[view.mask].max() < 2e-5


def test_vertices_project_where_the_camera_says(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(_z())
    view = renderer.gbuffer(geometry, CAMERA, 256)
    matrix = CAMERA.cam2world()
    tip = geometry.vertices[renderer.anatomy.landmarks[[30, 8, 27]]]  # nose, chin, nose bridge
    local = (tip - matrix[:, 3]) @ matrix[:, :3]
    column = 128 - local[:, 0] / local[:, 2] * CAMERA.focal(256)
    row = 128 + local[:, 1] / local[:, 2] * CAMERA.focal(256)
    seen = view.position[row.astype(int), column.astype(int)]
    assert np.linalg.norm(seen - tip, axis=1).max() < 1.5 * 0.21 / 256


def test_surface_is_the_mesh(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(dataset_latent(0, 1))
    view = renderer.gbuffer(geometry, OrbitCamera(), SIZE)
    distance, _ = cKDTree(geometry.vertices).query(view.position[view.mask])
    assert np.max(distance) < 0.006
    assert np.allclose(np.linalg.norm(geometry.normals, axis=1), 1.0, atol=1e-5)
    assert np.allclose(np.linalg.norm(view.normal[view.mask], axis=1), 1.0, atol=1e-4)
    assert (view.normal[view.mask] @ [0.0, 0.0, 1.0]).mean() > 0.5
    assert (np.abs(view.position) < VOLUME_RADIUS + 1e-5).all()
    for material in (FACE, SCLERA, HAIR):
        assert (view.material == material).any()


def test_pixels_hold_their_place_on_the_neutral_head_and_the_strands(
    renderer: HeadRenderer,
) -> None:
    geometry = renderer.shape(_z())
    view = renderer.gbuffer(geometry, OrbitCamera(azimuth=0.3), SIZE)
    skin, hair = view.material == FACE, view.material == HAIR
    distance, _ = cKDTree(renderer.anatomy.neutral).query(view.rest[skin])
    assert np.median(distance) < 0.15  # cm, within a triangle
    assert (view.strands[skin] == 0.0).mean() > 0.9  # but for roots that hair grows from
    assert (np.abs(view.strands) <= 1.0).all()
    assert view.strands[hair].std(axis=0).min() > 0.4
    assert not view.rest[~view.mask].any()
    assert not view.strands[~view.mask].any()
    # What the shader makes of them: lighter where the waves are high.
    wave = view.strands[hair] @ np.array([0.50, 0.36, 0.26])
    assert np.corrcoef(wave, view.rgb[hair].mean(axis=1))[0, 1] > 0.3


def test_triangles_face_outwards(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(_z())
    plain = renderer.gbuffer(geometry, OrbitCamera(azimuth=0.5), SIZE)
    culled = renderer.gbuffer(geometry, OrbitCamera(azimuth=0.5), SIZE, cull=True)
    assert not plain.back_facing.any()
    assert np.array_equal(plain.rgb, culled.rgb)
    from_below = renderer.gbuffer(geometry, OrbitCamera(elevation=-0.9, fov=8.0), SIZE)
    assert from_below.back_facing.any()


def test_background_and_picture_agree_with_the_gbuffer(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(dataset_latent(0, 2))
    view = renderer.gbuffer(geometry, CAMERA, SIZE)
    picture = renderer.picture(geometry, CAMERA, SIZE, supersample=1).image
    assert picture.shape == (SIZE, SIZE, 3)
    assert np.abs(picture / 255.0 - view.rgb).max() < 0.01
    assert np.allclose(view.rgb[~view.mask], BACKGROUND)
    assert np.isinf(view.depth[~view.mask]).all()
    smooth = renderer.picture(geometry, CAMERA, SIZE, supersample=2).image.astype(int)
    assert np.median(np.abs(smooth - picture)) <= 2


def test_shares_of_a_pixel_count_the_samples_that_hit(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(dataset_latent(0, 3))
    picture = renderer.picture(geometry, CAMERA, SIZE)
    smooth = renderer.picture(geometry, CAMERA, SIZE, supersample=2)
    assert np.array_equal(picture.image, smooth.image)
    samples = renderer.gbuffer(geometry, CAMERA, 2 * SIZE)
    eyeballs = samples.material == SCLERA
    for share, hits in ((picture.covered, samples.mask), (picture.eyes, eyeballs)):
        expected = hits.reshape(SIZE, 2, SIZE, 2).mean(axis=(1, 3))
        np.testing.assert_allclose(share, expected, atol=1e-6)
        assert ((share > 0.0) & (share < 1.0)).any()


def test_catchlights_are_where_a_head_says(renderer: HeadRenderer) -> None:
    """The brightest spot of an open, dark eye lies where the head's ``glint`` points."""
    for azimuth in (-1.0, 1.0):
        z = np.zeros(LATENT_DIM, np.float32)
        z[DIMENSIONS["eye_openness"]] = 2.0
        z[DIMENSIONS["iris"]] = -2.0  # dark, so that nothing but the light is bright in it
        z[DIMENSIONS["light_azimuth"]] = azimuth
        geometry = renderer.shape(z)
        view = renderer.gbuffer(geometry, OrbitCamera(fov=2.0), 512)
        glint = np.array(geometry.appearance.uniforms["glint"])
        glint /= np.linalg.norm(glint)
        for side, centre in zip((1.0, -1.0), renderer.anatomy.eye_centers, strict=True):
            direction = view.rest - centre
            direction /= np.linalg.norm(direction, axis=2, keepdims=True)
            iris = (view.material == SCLERA) & (side * view.rest[..., 0] > 0.0)
            iris &= direction[..., 2] > np.cos(np.radians(24.0))
            reach = np.linalg.norm(view.rest - centre, axis=2)[iris]
            assert np.median(reach) == pytest.approx(10.0 * EYE_RADIUS, rel=0.03)
            brightest = iris & (view.rgb.min(axis=2) > 0.9 * view.rgb.min(axis=2)[iris].max())
            found = direction[brightest].mean(axis=0)
            apart = np.degrees(np.arccos(found @ glint / np.linalg.norm(found)))
            assert apart < 2.0, "of its 8 degrees"


def test_same_latent_same_pixels(renderer: HeadRenderer) -> None:
    first = renderer.picture(renderer.shape(dataset_latent(0, 3)), CAMERA, 64).image
    renderer.picture(renderer.shape(dataset_latent(0, 4)), CAMERA, 64)
    again = renderer.picture(renderer.shape(dataset_latent(0, 3)), CAMERA, 64).image
    assert np.array_equal(first, again)


def test_colour_does_not_depend_on_the_view(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(dataset_latent(0, 7))
    front = renderer.gbuffer(geometry, OrbitCamera(azimuth=0.0), 192)
    side = renderer.gbuffer(geometry, OrbitCamera(azimuth=0.35), 192)
    near, index = cKDTree(front.position[front.mask]).query(side.position[side.mask])
    close = np.asarray(near) < 3e-4
    assert close.sum() > 500
    difference = np.abs(front.rgb[front.mask][index] - side.rgb[side.mask])[close]
    assert np.median(difference) < 0.01
    assert np.quantile(difference, 0.95) < 0.06


@pytest.mark.parametrize("attribute", ATTRIBUTES, ids=lambda attribute: attribute.name)
def test_every_attribute_is_visible(renderer: HeadRenderer, attribute) -> None:
    camera = OrbitCamera(azimuth=2.4 if attribute.name == "nape" else 0.5)
    low, high = (
        renderer.picture(renderer.shape(_z(**{attribute.name: value})), camera, 64).image.astype(
            int
        )
        for value in (attribute.minimum, attribute.maximum)
    )
    assert (np.abs(low - high).max(axis=2) > 8).sum() >= 8


def test_ignored_numbers_change_nothing(renderer: HeadRenderer) -> None:
    z = dataset_latent(0, 5)
    other = z.copy()
    other[40 + len(ATTRIBUTES) :] += 1.0
    assert np.array_equal(renderer.shape(z).vertices, renderer.shape(other).vertices)


def test_tones_follow_their_attributes(renderer: HeadRenderer) -> None:
    skin = [_luminance(renderer, _z(skin=v), FACE) for v in (-2.0, 0.0, 2.0)]
    hair = [_luminance(renderer, _z(hair_lightness=v), HAIR) for v in (-2.0, 0.0, 2.0)]
    assert skin[0] > skin[1] > skin[2]
    assert hair[0] < hair[1] < hair[2]


def test_light_comes_from_its_side(renderer: HeadRenderer) -> None:
    half = SIZE // 2
    for value, sign in ((-2.5, 1.0), (2.5, -1.0)):
        geometry = renderer.shape(_z(light_azimuth=value))
        view = renderer.gbuffer(geometry, OrbitCamera(), SIZE)
        face = np.where(view.material == FACE, view.rgb.mean(axis=2), np.nan)
        assert sign * (np.nanmean(face[:, :half]) - np.nanmean(face[:, half:])) > 0.02


def test_a_renderer_belongs_to_the_thread_that_made_it(renderer: HeadRenderer) -> None:
    geometry = renderer.shape(dataset_latent(0, 8))
    with ThreadPoolExecutor(1) as pool, pytest.raises(RuntimeError, match="thread that made it"):
        pool.submit(renderer.picture, geometry, OrbitCamera(), 32).result()
