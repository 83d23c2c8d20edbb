"""Textures of a ball whose colour at every point is known, from pictures and from the field."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import Picture
from stylesdf_core.engine.texturing import bake_textures
from stylesdf_core.mesh.assets.fields import SurfaceFields
from stylesdf_core.mesh.assets.simplify import simplified
from stylesdf_core.mesh.assets.texels import draw
from stylesdf_core.mesh.surface import SurfaceMesh, extract_surface
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene, View

RADIUS, EDGE, PIXELS = 0.09, 256, 128


def normals(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def true_colors(points: np.ndarray) -> np.ndarray:
    return (0.5 + 4.0 * RADIUS * normals(points)).astype(np.float32)


#: The field's own colours are grey, so that a texel tells where its colour comes from.
BALL = SurfaceFields(
    lambda points: (np.linalg.norm(points, axis=1) - RADIUS).astype(np.float32),
    normals,
    lambda points: np.full((len(points), 3), 0.25, np.float32),
)


def photograph(camera: OrbitCamera) -> np.ndarray:
    """A picture of the ball in its true colours, black beside it, (3, E, E) in [-1, 1]."""
    steps = (np.arange(PIXELS) + 0.5 - PIXELS / 2) / camera.focal(PIXELS)
    x, y = np.meshgrid(steps, -steps)
    rays = np.stack([x, y, -np.ones_like(x)], axis=-1).reshape(-1, 3)
    matrix = camera.cam2world()
    rays, origin = rays @ matrix[:, :3].T, matrix[:, 3]
    a, b, c = (rays**2).sum(1), rays @ origin, origin @ origin - RADIUS**2
    root = b * b - a * c
    hit = root > 0
    t = (-b - np.sqrt(np.maximum(root, 0.0))) / a
    found = np.where(hit[:, None], true_colors(origin + t[:, None] * rays), 0.0)
    return (2.0 * found.T.reshape(3, PIXELS, PIXELS) - 1.0).astype(np.float32)


class Photographer:
    """What an engine is to the baker: a model's poses, and pictures of scenes."""

    model = SimpleNamespace(poses=Poses())

    def render(self, scene: Scene, view: View) -> Picture:
        assert view == "image"
        return Picture("image", photograph(scene.camera), np.zeros((PIXELS, PIXELS), np.float32))


@pytest.fixture(scope="module")
def baked() -> SurfaceMesh:
    for library in ("xatlas", "fast_simplification"):
        pytest.importorskip(library)
    full = drain(extract_surface(BALL.sdf, resolution=48))
    mesh = drain(simplified(full, BALL, triangles=1500, texture_edge=EDGE, vertex_colors=False))
    engine = cast(Engine, Photographer())
    return drain(bake_textures(engine, Scene(), mesh, BALL, EDGE))


def texel_points(mesh: SurfaceMesh) -> tuple[Any, np.ndarray]:
    """The covered texels, and the points of the ball that lie behind them."""
    assert mesh.uv is not None
    places = np.stack([mesh.uv[:, 0], 1.0 - mesh.uv[:, 1]], axis=1) * EDGE
    texels = draw(places, mesh.faces, EDGE)
    return texels, RADIUS * normals(texels.interpolate(mesh.vertices, mesh.faces))


def test_texels_have_the_colours_of_the_pictures_that_see_them(baked: SurfaceMesh) -> None:
    assert baked.textures is not None
    texels, points = texel_points(baked)
    color = baked.textures.color.reshape(-1, 3)[texels.pixel] / 255.0
    seen = points[:, 2] > 0.7 * RADIUS
    assert seen.sum() > 3000
    assert np.abs(color - true_colors(points))[seen].max() < 0.03
    assert np.abs(color - true_colors(points))[seen].mean() < 0.008


def test_texels_that_no_picture_sees_have_the_field_s_colour(baked: SurfaceMesh) -> None:
    assert baked.textures is not None
    texels, points = texel_points(baked)
    color = baked.textures.color.reshape(-1, 3)[texels.pixel] / 255.0
    assert np.allclose(color[points[:, 2] < -0.8 * RADIUS], 0.25, atol=0.003)


def test_gaps_between_charts_hold_colours_of_charts(baked: SurfaceMesh) -> None:
    assert baked.textures is not None
    texels, _ = texel_points(baked)
    gaps = np.ones(EDGE * EDGE, np.bool_)
    gaps[texels.pixel] = False
    assert (baked.textures.color.reshape(-1, 3)[gaps].max(axis=1) > 40).all()


def test_the_normal_map_of_a_ball_turns_its_triangles_into_a_ball(baked: SurfaceMesh) -> None:
    from stylesdf_core.mesh.assets.tangents import tangents

    assert baked.textures is not None
    assert baked.uv is not None
    texels, points = texel_points(baked)
    frame = tangents(baked.vertices, baked.faces, baked.normals, baked.uv)
    mapped = baked.textures.normals.reshape(-1, 3)[texels.pixel] / 127.5 - 1.0
    normal = texels.interpolate(baked.normals, baked.faces)
    tangent = texels.interpolate(frame[:, :3], baked.faces)
    bitangent = frame[baked.faces[texels.face, 0], 3:] * np.cross(normal, tangent)
    shown = normals(mapped[:, :1] * tangent + mapped[:, 1:2] * bitangent + mapped[:, 2:] * normal)
    cosine = (shown * normals(points)).sum(axis=1).clip(-1.0, 1.0)
    assert np.degrees(np.arccos(cosine)).max() < 1.0  # 8 bits a channel are 0.5 degrees


def test_a_cut_has_the_colours_of_the_surface_beside_it() -> None:
    for library in ("xatlas", "fast_simplification"):
        pytest.importorskip(library)

    def colors(points: np.ndarray) -> np.ndarray:
        is_deep = np.linalg.norm(points, axis=1, keepdims=True) < 0.95 * RADIUS
        return np.where(is_deep, 1.0, np.full((1, 3), 0.25)).astype(np.float32)

    half = replace(BALL, colors=colors, bounds=((-0.12, -0.03, -0.12), (0.12, 0.12, 0.12)))
    full = drain(extract_surface(half.sdf, resolution=48, bounds=half.bounds))
    for edge in (EDGE, None):
        mesh = drain(
            simplified(full, half, triangles=1500, texture_edge=edge, vertex_colors=edge is None)
        )
        if edge is None:
            assert mesh.colors is not None
            assert np.allclose(mesh.colors, 0.25)
        else:
            mesh = drain(bake_textures(cast(Engine, Photographer()), Scene(), mesh, half, edge))
            assert mesh.textures is not None
            texels, _ = texel_points(mesh)
            x, y, z = texels.interpolate(mesh.vertices, mesh.faces).T
            in_cut = (y < -0.03 + 1e-5) & (np.hypot(x, z) < 0.08)
            color = mesh.textures.color.reshape(-1, 3)[texels.pixel][in_cut] / 255.0
            assert len(color) > 1000
            assert np.abs(color - 0.25).max() < 0.01
