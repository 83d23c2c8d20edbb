"""The mesh preview against analytic pictures: same camera as the volume render, to a pixel."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator

import numpy as np
import pytest

from stylesdf_core.errors import GraphicsError
from stylesdf_core.mesh import preview as preview_module
from stylesdf_core.mesh.preview import STUDIO_BACKGROUND, MeshPreview
from stylesdf_core.mesh.surface import SurfaceMesh, extract_surface
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera

RADIUS = 0.08
CENTRE = np.array([0.01, -0.015, 0.02])
COLOR = np.float32([0.8, 0.45, 0.2])
CAMERAS = [
    OrbitCamera(),
    OrbitCamera(azimuth=0.7, elevation=-0.4),
    OrbitCamera(azimuth=-2.5, elevation=1.2, fov=9.0, pan_x=0.03, pan_y=-0.02),
]


def ball(points: np.ndarray, centre: np.ndarray = CENTRE, radius: float = RADIUS) -> np.ndarray:
    return np.linalg.norm(points - centre.astype(np.float32), axis=1) - np.float32(radius)


@pytest.fixture(scope="module")
def mesh() -> SurfaceMesh:
    return drain(
        extract_surface(ball, resolution=64, colors=lambda points: np.full_like(points, COLOR))
    )


@pytest.fixture(scope="module")
def preview(mesh: SurfaceMesh) -> Iterator[MeshPreview]:
    with MeshPreview() as preview:
        try:
            preview.submit(mesh, OrbitCamera(), 32).result()
        except GraphicsError as error:
            pytest.skip(f"no OpenGL here: {error}")
        yield preview


def pixel_rays(camera: OrbitCamera, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Origin (3,) and directions (H, W, 3) with planar t, as the volume render casts them."""
    pose = camera.cam2world()
    offset = (np.arange(size) + 0.5 - size / 2) / camera.focal(size)
    x, y = np.meshgrid(offset, -offset)
    return pose[:, 3], np.stack([x, y, -np.ones_like(x)], axis=-1) @ pose[:, :3].T


def hit_sphere(camera: OrbitCamera, size: int) -> np.ndarray:
    """Planar depth (H, W) of the first intersection; inf where the ray misses."""
    origin, directions = pixel_rays(camera, size)
    a = (directions**2).sum(axis=-1)
    half_b = directions @ (origin - CENTRE)
    discriminant = half_b**2 - a * (((origin - CENTRE) ** 2).sum() - RADIUS**2)
    root = np.sqrt(np.maximum(discriminant, 0.0))
    return np.where(discriminant > 0.0, (-half_b - root) / a, np.inf)


@pytest.mark.parametrize("camera", CAMERAS)
def test_silhouette_and_depth_are_the_volume_render_s(
    preview: MeshPreview, mesh: SurfaceMesh, camera: OrbitCamera
) -> None:
    picture = preview.submit(mesh, camera, 128).result()
    depth = hit_sphere(camera, 128)
    expected, found = np.isfinite(depth), picture.coverage > 0.5
    assert (expected & found).sum() / (expected | found).sum() > 0.98
    for axis in (0, 1):  # no shift: the edges lie within a pixel of where they belong
        assert np.abs(edges(expected.any(axis=axis)) - edges(found.any(axis=axis))).max() <= 1
    both = expected & found & np.isfinite(picture.depth)
    assert np.median(np.abs(picture.depth[both] - depth[both])) < 1e-3  # of a sample off centre
    assert np.isinf(picture.depth[picture.coverage == 0.0]).all()


def edges(line: np.ndarray) -> np.ndarray:
    return np.flatnonzero(line)[[0, -1]]


@pytest.mark.parametrize("camera", CAMERAS)
def test_known_points_fall_on_their_pixels(preview: MeshPreview, camera: OrbitCamera) -> None:
    """Small octahedra at known places; their pictures' centres against the projection."""
    size = 256
    pose = camera.cam2world()
    for place in ([0.05, 0.02, 0.03], [-0.04, 0.06, -0.02], [0.0, -0.07, 0.0]):
        local = (np.asarray(place) - pose[:, 3]) @ pose[:, :3]
        column = size / 2 + camera.focal(size) * local[0] / -local[2]
        row = size / 2 - camera.focal(size) * local[1] / -local[2]
        coverage = preview.submit(octahedron(place), camera, size).result().coverage
        rows, columns = np.indices(coverage.shape) + 0.5
        assert (coverage * columns).sum() / coverage.sum() == pytest.approx(column, abs=0.3)
        assert (coverage * rows).sum() / coverage.sum() == pytest.approx(row, abs=0.3)


def octahedron(place: list[float]) -> SurfaceMesh:
    axes = np.concatenate([np.eye(3), -np.eye(3)]).astype(np.float32)
    faces = [
        (0, 1, 2), (1, 3, 2), (3, 4, 2), (4, 0, 2), (1, 0, 5), (3, 1, 5), (4, 3, 5), (0, 4, 5),
    ]  # fmt: skip
    return SurfaceMesh(np.float32(place) + 0.006 * axes, np.int32(faces), axes)


def test_vertex_colours_match_and_background_shows(preview: MeshPreview, mesh: SurfaceMesh) -> None:
    camera = OrbitCamera(pan_x=float(CENTRE[0]), pan_y=float(CENTRE[1]))
    picture = preview.submit(mesh, camera, 128).result()
    assert picture.pixels.dtype == np.float32
    assert np.abs(picture.pixels[64, 64] - COLOR).max() < 4 / 255
    covered = picture.pixels[picture.coverage == 1.0]
    assert (covered[:, 0] > 0.82 * COLOR[0]).all()  # the rim is shaded only softly
    assert np.allclose(picture.pixels[0, 0], STUDIO_BACKGROUND, atol=0.5 / 255)
    assert picture.coverage[0, 0] == 0.0


def test_clay_is_grey_and_lit_from_the_upper_left(preview: MeshPreview, mesh: SurfaceMesh) -> None:
    camera = OrbitCamera(pan_x=float(CENTRE[0]), pan_y=float(CENTRE[1]))
    pixels = preview.submit(mesh, camera, 128, vertex_colors=False).result().pixels
    assert pixels[45, 45].mean() > pixels[83, 83].mean() + 0.1
    assert np.ptp(pixels[64, 64]) < 0.1
    assert 0.4 < pixels[64, 64].mean() < 0.9
    plain = SurfaceMesh(mesh.vertices, mesh.faces, mesh.normals)
    assert np.array_equal(preview.submit(plain, camera, 128).result().pixels, pixels)


def test_wireframe_darkens_edges_and_keeps_the_silhouette(
    preview: MeshPreview, mesh: SurfaceMesh
) -> None:
    filled = preview.submit(mesh, OrbitCamera(), 256, vertex_colors=False).result()
    lines = preview.submit(mesh, OrbitCamera(), 256, vertex_colors=False, wireframe=True).result()
    inside = filled.coverage == 1.0
    darker = filled.pixels.mean(axis=-1) - lines.pixels.mean(axis=-1) > 0.05
    assert 0.2 < darker[inside].mean() < 0.95
    grown = (lines.coverage > 0.5) & (filled.coverage == 0.0)
    assert grown.sum() < 0.01 * inside.sum()


def test_sizes_may_change_and_a_mesh_is_uploaded_once(
    preview: MeshPreview, mesh: SurfaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[SurfaceMesh] = []
    make = preview_module._make_model
    monkeypatch.setattr(
        preview_module, "_make_model", lambda *args: made.append(args[1]) or make(*args)
    )
    other = octahedron([0.0, 0.0, 0.0])
    preview.submit(other, OrbitCamera(), 64).result()
    made.clear()
    first = preview.submit(mesh, OrbitCamera(), 64).result()
    for size in (100, 333, 64):
        again = preview.submit(mesh, OrbitCamera(), size).result()
        assert again.pixels.shape == (size, size, 3)
        assert again.coverage.shape == again.depth.shape == (size, size)
    assert np.array_equal(again.pixels, first.pixels)
    assert made == [mesh]


@pytest.mark.usefixtures("preview")  # skips without OpenGL
def test_closing_a_preview_leaves_the_others_their_contexts(mesh: SurfaceMesh) -> None:
    with MeshPreview() as first:
        before = first.submit(mesh, OrbitCamera(), 64).result()
        with MeshPreview() as second:
            second.submit(mesh, OrbitCamera(), 32).result()
        after = first.submit(mesh, OrbitCamera(), 64).result()
    assert np.array_equal(before.pixels, after.pixels)


def test_no_opengl_is_an_answer_that_says_why_and_is_tried_again(
    mesh: SurfaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts = []

    def refuse(purpose: str) -> None:
        attempts.append(purpose)
        raise OSError("no such device")

    monkeypatch.setattr(preview_module, "standalone_context", refuse)
    now = [100.0]
    monkeypatch.setattr(preview_module.time, "monotonic", lambda: now[0])
    with MeshPreview() as preview:
        for _ in range(3):
            with pytest.raises(GraphicsError, match="no such device"):
                preview.submit(mesh, OrbitCamera(), 32).result()
        assert len(attempts) == 1  # a drag does not try sixty times a second
        now[0] += preview_module.RETRY_SECONDS
        with pytest.raises(GraphicsError):
            preview.submit(mesh, OrbitCamera(), 32).result()
        assert len(attempts) == 2


def test_failure_while_drawing_does_not_end_the_thread(
    mesh: SurfaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[str] = []

    class Flaky:
        def __init__(self) -> None:
            opened.append("open")

        def draw(self, request: object) -> str:
            if len(opened) == 1:
                raise RuntimeError("context lost")
            return "picture"

        def close(self) -> None:
            opened.append("close")

    monkeypatch.setattr(preview_module, "_Studio", Flaky)
    with MeshPreview() as preview:
        with pytest.raises(GraphicsError, match="context lost"):
            preview.submit(mesh, OrbitCamera(), 32).result()
        assert preview.submit(mesh, OrbitCamera(), 32).result() == "picture"
    assert opened == ["open", "close", "open", "close"]


def test_cancelled_requests_are_skipped_and_close_joins(
    mesh: SurfaceMesh, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[float] = []
    busy = threading.Event()

    class Recorder:
        def draw(self, request: preview_module._Request) -> str:
            busy.wait(10)
            drawn.append(request.camera.azimuth)
            return "picture"

        def close(self) -> None:
            drawn.append(math.inf)

    monkeypatch.setattr(preview_module, "_Studio", Recorder)
    preview = MeshPreview()
    _, second, _ = (preview.submit(mesh, OrbitCamera(azimuth=a), 32) for a in (1.0, 2.0, 3.0))
    assert second.cancel()
    busy.set()
    preview.close()
    preview.close()
    assert drawn == [1.0, 3.0, math.inf]
    with pytest.raises(RuntimeError):
        preview.submit(mesh, OrbitCamera(), 32)


def test_size_is_checked(mesh: SurfaceMesh) -> None:
    with MeshPreview() as preview, pytest.raises(ValueError, match="size"):
        preview.submit(mesh, OrbitCamera(), 8)
