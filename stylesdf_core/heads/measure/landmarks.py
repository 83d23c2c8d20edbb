"""``assets/landmarks/heads.json``: where the landmarks of a model that makes heads are.

The face model knows its landmarks exactly; their best linear function of z is off by 0.0002 to
0.0006 world units, where heads differ by 0.0013 to 0.0022. A judge sees some landmarks elsewhere;
the median difference in pictures is added to the mean.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.files import write_text
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.latent import ATTRIBUTES, IDENTITY_MODES, LATENT_DIM
from stylesdf_core.heads.person.posing import HeadPoser
from stylesdf_core.judges.dlib_judge import dlib_judge
from stylesdf_core.judges.finding import find_faces
from stylesdf_core.judges.generic_face import FIRST
from stylesdf_core.judges.photo import Photo
from stylesdf_core.model.landmarks import landmarks_text
from stylesdf_core.scene.scene import Identity, Scene

Float64 = npt.NDArray[np.float64]

_NUMBERS = IDENTITY_MODES + len(ATTRIBUTES)
_SEED = 5


def write_landmarks(path: Path, facekit: Path, engine: Engine, heads: int = 400) -> None:
    """Measure and write the landmarks of ``engine``'s model.

    Args:
        facekit: a clone of ICT-FaceKit, or an .npz written from one.
        heads: true heads of the regression; a third as many pictures are judged.

    Raises:
        InputError: there is no such face model, or the extra `judges` is not installed.
    """
    points = true_landmarks(HeadPoser(MorphableModel.load(facekit)), heads)
    points[0, :, :2] += _seen_elsewhere(engine, points, heads // 3)
    write_text(path, landmarks_text(points))


def true_landmarks(poser: HeadPoser, heads: int) -> Float64:
    """Mean and slopes (1 + D, 51, 3) of the landmarks of the face model's heads, world."""
    latents = _latents(heads)
    numbers = poser.anatomy.landmarks[FIRST:]
    truth = np.stack([poser.pose(z).vertices[numbers] for z in latents])
    solved = np.linalg.lstsq(_rows(latents), truth.reshape(heads, -1), rcond=None)[0]
    return np.asarray(solved, np.float64).reshape(1 + _NUMBERS, -1, 3)


def _seen_elsewhere(engine: Engine, points: Float64, heads: int) -> Float64:
    """From the landmarks to where a judge sees them from the front, median, (51, 2) world."""
    judge, camera = dlib_judge(), engine.model.poses.front
    matrix, shifts = camera.cam2world(), []
    latents = _latents(heads)
    for z, row in zip(latents, _rows(latents), strict=True):
        scene = Scene(identity=Identity(z=tuple(z.tolist())), truncation_psi=1.0, camera=camera)
        picture = engine.render(scene, "image").to_uint8()
        faces = find_faces(Photo.of(picture), judge)
        if faces and faces[0].landmarks is not None:
            seen = faces[0].landmarks[FIRST:] * (2.0 / len(picture)) - 1.0
            x, y, depth = ((np.tensordot(row, points, 1) - matrix[:, 3]) @ matrix[:, :3]).T
            scale = -depth / camera.focal(2)
            shifts.append(np.stack([seen[:, 0] * scale - x, -seen[:, 1] * scale - y], axis=-1))
    return np.asarray(np.median(shifts, axis=0))


def _latents(heads: int) -> npt.NDArray[np.float32]:
    latents = np.zeros((heads, LATENT_DIM), np.float32)
    latents[:, :_NUMBERS] = np.random.default_rng(_SEED).standard_normal((heads, _NUMBERS))
    return latents


def _rows(latents: npt.NDArray[np.float32]) -> Float64:
    """1 and the numbers of each z that have an effect, (N, 1 + D)."""
    ones = np.ones((len(latents), 1))
    return np.concatenate([ones, latents[:, :_NUMBERS].astype(np.float64)], axis=1)
