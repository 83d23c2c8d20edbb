"""Simplified meshes, charts, textures and bases, against balls whose every value is known."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.mesh.assets.atlas import unwrap
from stylesdf_core.mesh.assets.fields import SurfaceFields, on_base
from stylesdf_core.mesh.assets.simplify import flat_sides, simplified, simplify
from stylesdf_core.mesh.assets.tangents import tangents, to_tangent_space
from stylesdf_core.mesh.assets.texels import draw, draw_charts, fill, nearest
from stylesdf_core.mesh.assets.visibility import project, view_mesh
from stylesdf_core.mesh.sdf_grid import ScalarField
from stylesdf_core.mesh.surface import SurfaceMesh, extract_surface, report, welded
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from tests.mesh.shapes import brim, head, opposed, wedge

RADIUS = 0.09


def sdf(points: np.ndarray) -> np.ndarray:
    return (np.linalg.norm(points, axis=1) - RADIUS).astype(np.float32)


def normals(points: np.ndarray) -> np.ndarray:
    return points / np.linalg.norm(points, axis=1, keepdims=True)


def colors(points: np.ndarray) -> np.ndarray:
    return (0.5 + 4.0 * points).astype(np.float32)


BALL = SurfaceFields(sdf, normals, colors)


@pytest.fixture(scope="module")
def ball() -> SurfaceMesh:
    return drain(extract_surface(sdf, resolution=48))


@pytest.fixture(scope="module")
def charted(ball: SurfaceMesh) -> SurfaceMesh:
    pytest.importorskip("xatlas")
    return drain(simplified(ball, BALL, triangles=1000, texture_edge=256, vertex_colors=True))


@pytest.mark.parametrize("triangles", [2000, 500, 100])
def test_a_simplified_ball_is_a_closed_ball(ball: SurfaceMesh, triangles: int) -> None:
    pytest.importorskip("fast_simplification")
    vertices, faces = simplify(ball.vertices, ball.faces, triangles)
    assert 0.9 * triangles < len(faces) <= triangles
    found = report(SurfaceMesh(vertices, faces, vertices))
    assert (found.watertight, found.euler) == (True, 2)
    assert np.abs(sdf(vertices)).max() < 0.05 * RADIUS


@pytest.mark.parametrize(("field", "resolution", "share"), [(head, 48, 0.0), (brim, 49, 0.98)])
def test_no_two_parts_of_a_simplified_surface_meet(
    field: ScalarField, resolution: int, share: float
) -> None:
    pytest.importorskip("fast_simplification")
    full = drain(extract_surface(field, resolution=resolution))
    triangles = max(100, int(share * len(full.faces)))
    vertices, faces = simplify(full.vertices, full.faces, triangles)
    found = report(SurfaceMesh(vertices, faces, vertices))
    assert (found.watertight, found.euler) == (True, 2)
    assert len(np.unique(vertices, axis=0)) == len(vertices)
    assert 0.9 * triangles < len(faces) <= triangles


def test_the_flat_cut_of_a_simplified_surface_stays_flat_and_sharp() -> None:
    pytest.importorskip("fast_simplification")

    def low(points: np.ndarray) -> np.ndarray:
        return sdf(points + np.float32([0, 0.07, 0]))

    cut = drain(extract_surface(low, resolution=48))
    fields = SurfaceFields(low, lambda points: normals(points + np.float32([0, 0.07, 0])), colors)
    mesh = drain(simplified(cut, fields, triangles=800, texture_edge=None, vertex_colors=True))
    assert flat_sides(mesh.vertices, mesh.faces) == [(1, np.float32(-0.12))]
    assert mesh.vertices[:, 1].min() == np.float32(-0.12)
    side = mesh.vertices[:, 1] == np.float32(-0.12)
    rim = np.hypot(*mesh.vertices[side][:, [0, 2]].T).max()
    assert rim == pytest.approx(np.sqrt(0.09**2 - 0.05**2), abs=5e-4)
    assert report(mesh).watertight
    skin = mesh.vertices[:, 1] > -0.116
    assert mesh.colors is not None
    assert np.allclose(mesh.colors[skin], colors(mesh.vertices[skin]), atol=1e-6)


def test_no_normal_of_a_simplified_mesh_points_against_its_triangles() -> None:
    pytest.importorskip("fast_simplification")

    def along_gradient(points: np.ndarray) -> np.ndarray:
        step = 1e-4 * np.eye(3, dtype=np.float32)
        return normals(np.stack([wedge(points + s) - wedge(points - s) for s in step], axis=1))

    full = drain(extract_surface(wedge, resolution=48))
    fields = SurfaceFields(wedge, along_gradient, colors)
    mesh = drain(simplified(full, fields, triangles=400, texture_edge=None, vertex_colors=False))
    assert opposed(mesh) == 0


def test_charts_lie_in_the_texture_and_do_not_overlap(charted: SurfaceMesh) -> None:
    assert charted.uv is not None
    assert charted.uv.min() >= 0.0
    assert charted.uv.max() <= 1.0
    texels = draw(charted.uv * 1024, charted.faces, 1024)
    assert len(np.unique(texels.pixel)) == len(texels)
    assert len(texels) > 0.4 * 1024**2
    closed = report(welded(charted))
    assert (closed.watertight, closed.euler) == (True, 2)
    assert len(charted.faces) == closed.triangles <= 1000


def test_charts_can_be_cancelled(ball: SurfaceMesh) -> None:
    pytest.importorskip("xatlas")
    operation = unwrap(ball.vertices, ball.faces, 256)
    assert next(operation).fraction < 1.0
    operation.close()  # ends the process, or this test waits for it


def test_each_pixel_centre_belongs_to_the_triangle_around_it() -> None:
    points = np.float32([[0, 0], [8, 0], [0, 8], [8, 8]])
    texels = draw(points, np.int32([[0, 1, 2], [1, 3, 2]]), 8)
    # Centres on the diagonal lie in both triangles.
    assert len(texels) == 64 + 8
    values = np.float32([[0, 0], [8, 0], [0, 8], [8, 8]])
    found = texels.interpolate(values, np.int32([[0, 1, 2], [1, 3, 2]]))
    assert np.allclose(found[:, 0], texels.pixel % 8 + 0.5, atol=1e-5)
    assert np.allclose(found[:, 1], texels.pixel // 8 + 0.5, atol=1e-5)


def test_a_border_takes_the_pixels_beside_it_along() -> None:
    points = np.float32([[2, 2], [6, 2], [2, 2.1]])  # thinner than a pixel: no centre lies inside
    faces = np.int32([[0, 1, 2]])
    assert len(draw(points, faces, 8)) == 0
    texels = draw_charts(points, faces, 8)
    assert set(range(18, 22)) <= set(texels.pixel.tolist())
    x = texels.interpolate(points, faces)[:, 0]
    assert np.abs(x - (texels.pixel % 8 + 0.5).clip(2, 6)).max() < 0.1


def test_the_nearest_of_two_triangles_is_seen() -> None:
    corners = np.float32([[0, 0], [16, 0], [0, 16]])
    near = np.concatenate([corners, [[1.0]] * 3], axis=1)
    far = np.concatenate([corners, [[2.0]] * 3], axis=1)
    faces = np.int32([[3, 4, 5], [0, 1, 2]])
    depth = nearest(np.concatenate([near, far]).astype(np.float32), faces, 8)
    assert depth[0, 0] == pytest.approx(1.0)
    tilted = np.float32([[0, 0, 1.0], [8, 0, 2.0], [0, 8, 1.0]])
    # Half way in the picture between depths 1 and 2 the depth is their harmonic mean.
    assert nearest(tilted, np.int32([[0, 1, 2]]), 8)[0, 3] == pytest.approx(
        16 / (16 - 3.5), rel=1e-5
    )
    assert np.isinf(nearest(tilted, np.int32([[0, 1, 2]]), 8)[7, 7])


def test_gaps_take_the_colour_of_what_lies_around_them() -> None:
    picture = np.zeros((8, 8, 1), np.uint8)
    covered = np.zeros((8, 8), np.bool_)
    covered[2, 2], covered[2, 3] = True, True
    picture[2, 2], picture[2, 3] = 10, 20
    fill(picture, covered)
    assert (picture[2, 2, 0], picture[2, 3, 0]) == (10, 20)
    assert set(np.unique(picture)) == {10, 15, 20}


def test_a_normal_map_gives_the_wanted_normals_back(charted: SurfaceMesh) -> None:
    assert charted.uv is not None
    frame = tangents(charted.vertices, charted.faces, charted.normals, charted.uv)
    assert np.allclose(np.linalg.norm(frame[:, :3], axis=1), 1.0, atol=1e-5)
    assert np.allclose((frame[:, :3] * charted.normals).sum(axis=1), 0.0, atol=1e-5)
    places = np.stack([charted.uv[:, 0], 1.0 - charted.uv[:, 1]], axis=1) * 64
    texels = draw(places, charted.faces, 64)
    wanted = normals(texels.interpolate(charted.vertices, charted.faces))
    mapped = to_tangent_space(wanted, texels, charted.faces, charted.normals, frame)
    normal = texels.interpolate(charted.normals, charted.faces)
    tangent = texels.interpolate(frame[:, :3], charted.faces)
    bitangent = frame[charted.faces[texels.face, 0], 3:] * np.cross(normal, tangent)
    shown = mapped[:, :1] * tangent + mapped[:, 1:2] * bitangent + mapped[:, 2:] * normal
    assert np.allclose(normals(shown), wanted, atol=1e-5)
    # u grows along the tangent, v along the bitangent.
    corners = charted.vertices[charted.faces[:, :2]]
    along = (corners[:, 1] - corners[:, 0]) * 1.0
    du, dv = (charted.uv[charted.faces[:, 1]] - charted.uv[charted.faces[:, 0]]).T
    at = charted.faces[:, 0]
    side = frame[at, 3:] * np.cross(charted.normals[at], frame[at, :3])
    for step, axis in ((du, frame[at, :3]), (dv, side)):
        assert np.corrcoef(step, (along * axis).sum(axis=1))[0, 1] > 0.98


def test_a_camera_sees_the_side_of_a_ball_that_faces_it(ball: SurfaceMesh) -> None:
    camera = OrbitCamera(azimuth=0.7, elevation=-0.2)
    view = view_mesh(ball, camera, 64)
    towards = camera.cam2world()[:, 2].astype(np.float32)
    rng = np.random.default_rng(0)
    points = RADIUS * normals(rng.standard_normal((2000, 3)).astype(np.float32))
    _, weights = view.weights(points, normals(points))
    cosine = normals(points) @ towards
    assert (weights[cosine < 0.05] == 0.0).all()
    assert (weights[cosine > 0.6] > 0.05).all()
    straight = RADIUS * towards[None]
    place, weight = view.weights(straight, towards[None])
    assert np.allclose(place, 0.5, atol=1e-6)
    assert weight[0] == pytest.approx(1.0)
    assert np.allclose(project(straight, camera)[:, 2], 1.0 - RADIUS, atol=1e-6)
    # A point of the front that something hides is not seen.
    assert view.weights(0.5 * straight, towards[None])[1][0] == 0.0


def test_a_base_closes_the_surface_with_a_flat_block_under_it() -> None:
    def bust(points: np.ndarray) -> np.ndarray:
        return np.hypot(points[:, 0] / 0.06, points[:, 2] / 0.04).astype(np.float32) - 1.0

    fields = on_base(SurfaceFields(bust, normals, colors))
    mesh = drain(extract_surface(fields.sdf, resolution=64, bounds=fields.bounds))
    found = report(mesh)
    assert (found.watertight, found.components) == (True, 1)
    assert found.bounds[0][1] == pytest.approx(-0.132)
    block = mesh.vertices[mesh.vertices[:, 1] < -0.12]
    assert np.allclose(np.ptp(block, axis=0)[[0, 2]], [0.132, 0.092], atol=0.006)
    under = np.float32([[0, -0.132, 0], [0.08, -0.126, 0]])
    assert np.allclose(fields.normals(under)[1], [1, 0, 0], atol=1e-3)
    assert np.allclose(fields.colors(under), 0.55)
    above = np.float32([[0.06, 0.0, 0.0]])
    assert np.allclose(fields.colors(above), colors(above))


def test_a_base_needs_a_surface_to_stand_under() -> None:
    with pytest.raises(InputError, match="reaches the bottom"):
        on_base(BALL)


@pytest.mark.parametrize("module", ["xatlas", "fast_simplification"])
def test_a_missing_library_is_one_sentence(
    ball: SurfaceMesh, monkeypatch: pytest.MonkeyPatch, module: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    edge = 512 if module == "xatlas" else None
    wanted = {"triangles": None if edge else 500, "texture_edge": edge}
    with pytest.raises(InputError, match=r"pip install 'stylesdf-studio\[asset\]'"):
        drain(simplified(ball, BALL, vertex_colors=True, **wanted))
