"""Faces found, identity, pose and landmarks across a head's views, by dlib (extra `judges`).

Each head is seen from five azimuths at ψ 0.8. Four questions: is a face found; how far are the
embeddings of the head's views from that of its front, and of different heads' fronts from each
other; which azimuth and elevation do the landmarks show; and how far does a landmark of the front,
carried to another view by depth, lie from the landmark found there?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import map_coordinates
from scipy.spatial.distance import pdist

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.rows import Columns
from stylesdf_core.evaluation.metrics.flicker import project
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.judges.dlib_judge import dlib_judge
from stylesdf_core.judges.face import FoundFace
from stylesdf_core.judges.finding import find_faces
from stylesdf_core.judges.generic_face import FIRST
from stylesdf_core.judges.photo import Photo
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

FloatArray = npt.NDArray[np.floating]

#: Azimuths of the views, radians; the front is the reference.
AZIMUTHS = (-0.5, -0.25, 0.0, 0.25, 0.5)
FRONT = AZIMUTHS.index(0.0)
_PSI = 0.8
_EMBEDDING = 128


@dataclass(frozen=True)
class JudgedViews:
    """The figures of a model's heads.

    Attributes:
        seed_start: seed of the first head.
    """

    engine: Engine
    seed_start: int

    def measure(self, things: Sequence[int]) -> Columns:
        """Rows of heads, NaN where no single face is found.

        Columns ``embedding`` (B, 5, 128), ``angle_error`` (B, 5, 2) in radians, and
        ``landmark_error`` (B, 5), the mean distance in shares of the picture's edge.
        """
        rows = [self._of(self.seed_start + n) for n in things]
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}

    def _of(self, seed: int) -> dict[str, npt.NDArray[np.float32]]:
        count = len(AZIMUTHS)
        embedding = np.full((count, _EMBEDDING), np.nan, np.float32)
        angle_error = np.full((count, 2), np.nan, np.float32)
        landmark_error = np.full(count, np.nan, np.float32)
        found: list[FoundFace | None] = []
        fov = self.engine.model.poses.fov
        cameras = [OrbitCamera(azimuth, fov=fov) for azimuth in AZIMUTHS]
        front: FloatArray = np.zeros(0)
        size = 0
        for index, camera in enumerate(cameras):
            scene = Scene(identity=Identity(seed), truncation_psi=_PSI, camera=camera)
            views = self.engine.render_views(scene, ("image", "depth"))
            photo = Photo.of(views["image"].to_uint8())
            size = photo.size[0]
            faces = find_faces(photo, dlib_judge())
            face = faces[0] if len(faces) == 1 else None
            found.append(face)
            if face is None or face.landmarks is None:
                continue
            embedding[index] = dlib_judge().embedding(photo, face)
            pose = face.pose
            angle_error[index] = pose.azimuth - camera.azimuth, pose.elevation - camera.elevation
            if index == FRONT:
                front = _in_space(face.landmarks[FIRST:], views["depth"].data[0], camera, size)
        if len(front):
            for index, (camera, face) in enumerate(zip(cameras, found, strict=True)):
                if face is None or face.landmarks is None or index == FRONT:
                    continue
                rows, columns, _ = project(front.astype(np.float32), camera, size)
                there = np.stack([columns, rows], axis=-1) + 0.5
                miss = np.hypot(*(there - face.landmarks[FIRST:]).T)
                landmark_error[index] = miss.mean() / size
        return {
            "embedding": embedding, "angle_error": angle_error, "landmark_error": landmark_error,
        }  # fmt: skip


def identity_figures(embedding: FloatArray) -> list[Figure]:
    """Shares of faces found and distances of embeddings (N, 5, 128)."""
    heads, views = embedding.shape[:2]
    seen = np.asarray(np.isfinite(embedding).all(axis=-1))
    front = embedding[:, FRONT]
    away = np.linalg.norm(embedding - front[:, None], axis=-1)
    away[:, FRONT] = np.nan
    near = away[:, [FRONT - 1, FRONT + 1]]
    fronts = front[seen[:, FRONT]].astype(np.float64)
    different = pdist(fronts) if len(fronts) > 1 else np.zeros(0)
    limits = ", ".join(f"{azimuth:+.2g}" for azimuth in AZIMUTHS)
    return [
        Figure(
            "faces_found",
            "faces found by dlib",
            100.0 * float(seen.mean()),
            "%",
            digits=1,
            detail=f"{int(seen.sum())} of {heads * views} pictures, {heads} heads at {limits} rad",
            better="higher",
        ),
        Figure(
            "identity_same",
            "identity distance to the front, same head",
            _mean(away),
            digits=3,
            detail=f"dlib's embeddings; at ±{AZIMUTHS[FRONT + 1]:.2g} rad {_mean(near):.3f}",
            better="lower",
        ),
        Figure(
            "identity_different",
            "identity distance of different heads",
            _mean(different),
            digits=3,
            detail=f"fronts of {len(fronts)} heads; people differ by 0.6 and more",
            better="higher",
        ),
    ]


def pose_figures(angle_error: FloatArray, landmark_error: FloatArray) -> list[Figure]:
    """Errors of shown angles (N, 5, 2), and of landmarks carried by depth (N, 5)."""
    figures = []
    for axis, name in enumerate(("azimuth", "elevation")):
        errors = angle_error[..., axis]
        errors = errors[np.isfinite(errors)]
        median = float(np.median(np.abs(errors))) if len(errors) else float("nan")
        figures.append(
            Figure(
                f"{name}_error",
                f"{name} shown by landmarks, median error",
                median,
                "rad",
                digits=3,
                detail=f"bias {_mean(errors):+.3f} rad; dlib's landmarks, {len(errors)} pictures",
                better="lower",
            )
        )
    figures.append(
        Figure(
            "landmark_error",
            "landmarks of the front in other views, mean error",
            100.0 * _mean(landmark_error),
            "% of the edge",
            detail="carried by depth, against dlib's landmarks in those views",
            better="lower",
        )
    )
    return figures


def _in_space(
    landmarks: FloatArray, depth: npt.NDArray[np.float32], camera: OrbitCamera, size: int
) -> FloatArray:
    """World positions (N, 3) of landmarks (N, 2) in a picture of ``size``²."""
    points = back_project(depth, camera)
    places = landmarks.T[::-1] * (len(depth) / size) - 0.5
    axes = [map_coordinates(points[..., a], places, order=1, mode="nearest") for a in range(3)]
    return np.stack(axes, axis=-1)


def _mean(values: FloatArray) -> float:
    values = values[np.isfinite(values)]
    return float(values.mean()) if values.size else float("nan")
