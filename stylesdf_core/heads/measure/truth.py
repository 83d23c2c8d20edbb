"""The true head of a seed, rendered from the face model: pictures, silhouettes, surface, eyes."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.heads.person.anatomy import SCLERA
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.posing import HeadGeometry
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.model.latents.latents import seed_to_z
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD, OrbitCamera

FloatArray = npt.NDArray[np.float32]

_POSE_SEED = 7
_CHIN = 8  # Multi-PIE landmark
#: Cameras (azimuth, elevation) that together see a head from all sides.
_AROUND = ((0.0, 0.0), (1.3, 0.1), (-1.3, 0.1), (math.pi, 0.1), (0.0, 1.2), (0.0, -0.7))
_AROUND_FOV, _AROUND_SIZE = 8.0, 192  # all of the volume, samples 0.0015 apart
#: Angles on an eyeball, degrees: inner and outer edge of the iris's coloured ring, from the eye's
#: axis; radius of the area that a catchlight brightens.
_IRIS, _GLOW = (12.0, 23.0), 9.0


@dataclass(frozen=True)
class Head:
    """The true head of one seed.

    Attributes:
        height: distance from the chin (landmark 8) to the top of the bare skull, world units;
            about 0.165.
    """

    geometry: HeadGeometry
    height: float


@dataclass(frozen=True)
class TrueShape:
    """A head's shape as one camera sees it; S is the picture's edge.

    Attributes:
        coverage: (S, S), 1 where the pixel's centre sees the head, else 0.
        points: (N, 3) world, the points that the centres of the covered pixels see.
    """

    coverage: FloatArray
    points: FloatArray


@dataclass(frozen=True)
class TrueEye:
    """The pixels of a picture that show one eye, (S, S) bool each.

    Attributes:
        iris: the coloured ring without the area that the catchlight brightens.
        around_catchlight: the area of iris and pupil in which a catchlight counts, a pixel or two
            around its true place at 256².
    """

    iris: npt.NDArray[np.bool_]
    around_catchlight: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class TrueSurface:
    """The visible surface of a head as points (N, 3) and their unit normals (N, 3)."""

    points: FloatArray
    normals: FloatArray


class HeadTruth:
    """Renders true heads; usable only in the thread that made it, as its OpenGL context is.

    Args:
        facekit: a clone of ICT-FaceKit, or an .npz written from one.

    Raises:
        InputError: there is no such face model.
        GraphicsError: no OpenGL context can be made.
    """

    def __init__(self, facekit: Path) -> None:
        self._renderer = HeadRenderer(MorphableModel.load(facekit))

    def close(self) -> None:
        """Free the OpenGL context."""
        self._renderer.close()

    def head(self, seed: int) -> Head:
        """The head of the latent of ``seed``."""
        renderer = self._renderer
        geometry = renderer.shape(seed_to_z(seed))
        anatomy = renderer.anatomy
        heights = geometry.vertices[: len(anatomy.neutral), 1]  # the hair comes behind
        return Head(geometry, float(heights.max() - heights[anatomy.landmarks[_CHIN]]))

    def image(self, head: Head, camera: OrbitCamera, size: int) -> FloatArray:
        """Picture (size, size, 3) in [0, 1]."""
        pixels = self._renderer.picture(head.geometry, camera, size).image
        return pixels.astype(np.float32) / np.float32(255.0)

    def shape(self, head: Head, camera: OrbitCamera, size: int) -> TrueShape:
        """Silhouette and visible points at ``size``²."""
        seen = self._renderer.gbuffer(head.geometry, camera, size)
        return TrueShape(seen.mask.astype(np.float32), seen.position[seen.mask])

    def depth(self, head: Head, camera: OrbitCamera, size: int) -> FloatArray:
        """Planar depth (size, size) at the pixels' centres; infinite beside the head."""
        return self._renderer.gbuffer(head.geometry, camera, size).depth

    def unlit(self, head: Head) -> Head:
        """The same head without catchlights in its eyes."""
        look = head.geometry.appearance
        behind = replace(look, uniforms={**look.uniforms, "glint": (0.0, 0.0, -1.0)})
        return replace(head, geometry=replace(head.geometry, appearance=behind))

    def eyes(self, head: Head, camera: OrbitCamera, size: int) -> tuple[TrueEye, TrueEye]:
        """The left (+x) and the right eye at ``size``²."""
        seen = self._renderer.gbuffer(head.geometry, camera, size)
        eyeballs = seen.material == SCLERA
        glint = np.array(head.geometry.appearance.uniforms["glint"], np.float32)
        eyes = []
        for side, centre in zip((1.0, -1.0), self._renderer.anatomy.eye_centers, strict=True):
            outwards = seen.rest - centre
            outwards /= np.maximum(np.linalg.norm(outwards, axis=2, keepdims=True), 1e-6)
            here = eyeballs & (side * seen.rest[..., 0] > 0.0)
            from_axis = np.degrees(np.arccos(np.clip(outwards[..., 2], -1.0, 1.0)))
            cosine = outwards @ (glint / np.linalg.norm(glint))
            from_glint = np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0)))
            ring = (from_axis > _IRIS[0]) & (from_axis < _IRIS[1]) & (from_glint > _GLOW)
            lit = (from_glint < _GLOW) & (from_axis < _IRIS[1])
            eyes.append(TrueEye(here & ring, here & lit))
        return eyes[0], eyes[1]

    def surface(self, head: Head) -> TrueSurface:
        """The surface of a head that six cameras around it see."""
        points, normals = [], []
        for azimuth, elevation in _AROUND:
            camera = OrbitCamera(azimuth, elevation, _AROUND_FOV)
            seen = self._renderer.gbuffer(head.geometry, camera, _AROUND_SIZE)
            points.append(seen.position[seen.mask])
            normals.append(seen.normal[seen.mask])
        return TrueSurface(np.concatenate(points), np.concatenate(normals))


def evaluation_cameras(count: int) -> list[OrbitCamera]:
    """Poses as in training: normal, σ 0.3 and 0.15 rad, cut at 3σ, always the same."""
    rng = np.random.default_rng(_POSE_SEED)
    poses = np.clip(rng.standard_normal((count, 2)), -3.0, 3.0) * [AZIMUTH_STD, ELEVATION_STD]
    return [OrbitCamera(float(azimuth), float(elevation)) for azimuth, elevation in poses]
