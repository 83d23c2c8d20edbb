"""From a latent to the mesh of one head, in world units; plain NumPy, no OpenGL.

:class:`HeadPoser` holds the neutral mesh of all heads; :meth:`HeadPoser.pose` adds a latent's
identity modes, expressions and hair, for the renderer to draw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from stylesdf_core.heads.person.anatomy import analyse
from stylesdf_core.heads.person.appearance import Appearance, appearance
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.hair import HairShell
from stylesdf_core.heads.person.latent import (
    IDENTITY_MODES,
    attribute_values,
    identity_coefficients,
)
from stylesdf_core.rendering.camera import METRES_PER_UNIT

Float32 = npt.NDArray[np.float32]
Triangles = npt.NDArray[np.int32]

#: World frame: this point (cm, neutral head) is the origin, and half the height of a picture of 6°
#: half field of view, 0.105 world units, is 14.3 cm, which leaves room above the hair.
FRAME_ORIGIN = np.array([0.0, 1.9, 1.5], np.float32)
FRAME_SCALE = 0.01 / METRES_PER_UNIT


@dataclass(frozen=True)
class HeadGeometry:
    """A posed head: the vertices of skin, eyes and mouth come first, the hair's shell last.

    Attributes:
        vertices, normals: (N, 3) float32, world units; normals are unit and point outwards.
        hair: (N, 2) signed distances, cm, into the hair and into the area where hair grows.
        lids: (2, 2, 4) coefficients of cubics, the pitch of a lid's edge over the yaw, both in
            radians from the eye's centre; by eye (left, right) and lid (upper, lower).
        appearance: expression, hair, colours and light.
    """

    vertices: Float32
    normals: Float32
    hair: Float32
    lids: Float32
    appearance: Appearance


class HeadPoser:
    """The drawn parts of a morphable model, ready to be posed.

    Attributes:
        anatomy: the neutral mesh's fields.
        rest: (N, 3) neutral vertices, cm; the vertices of the hair's shell come last.
        triangles: (T, 3) int32, counter-clockwise from outside.
    """

    def __init__(self, model: MorphableModel) -> None:
        self.anatomy = analyse(model)
        self._shell = HairShell(self.anatomy)
        used = self.anatomy.used
        modes = model.identity[:IDENTITY_MODES][:, used].astype(np.float32)
        self._identity = modes.reshape(len(modes), -1)
        self._expressions = {
            name: shape[used].astype(np.float32)
            for name, shape in zip(model.expression_names, model.expression, strict=True)
        }
        self.rest: Float32 = np.concatenate([self.anatomy.neutral, self._shell.rest])
        self.triangles: Triangles = np.concatenate(
            [self.anatomy.triangles, self._shell.triangles + len(used)]
        ).astype(np.int32)
        self._face_to_vertex = _face_to_vertex(self.triangles, len(self.rest))

    def pose(self, z: Float32) -> HeadGeometry:
        """The head of latent ``z`` (256,)."""
        look = appearance(attribute_values(z))
        coefficients = identity_coefficients(z)[: len(self._identity)]
        offsets = (coefficients @ self._identity).reshape(-1, 3)
        for name, weight in look.expressions.items():
            if weight > 1e-3 and name in self._expressions:
                offsets += np.float32(weight) * self._expressions[name]
        skin = self.anatomy.neutral + offsets
        shell = self._shell.pose(offsets, look.hair)
        vertices = to_world(np.concatenate([skin, shell]))
        return HeadGeometry(
            vertices=vertices,
            normals=vertex_normals(vertices, self.triangles, self._face_to_vertex),
            hair=self._shell.margins(look.hair),
            lids=self._lids(skin),
            appearance=look,
        )

    def _lids(self, skin: Float32) -> Float32:
        """``lids`` of :class:`HeadGeometry`, so that shadows and lashes follow the eyelids."""
        lids = np.zeros((2, 2, 4), np.float32)
        landmarks = skin[self.anatomy.landmarks]
        for eye, first in ((0, 42), (1, 36)):  # landmarks 42 to 47 are the eye at +x
            sclera = self.anatomy.eyes[eye]
            moved = (skin[sclera] - self.anatomy.neutral[sclera]).mean(axis=0)
            direction = landmarks[first : first + 6] - (self.anatomy.eye_centers[eye] + moved)
            direction /= np.linalg.norm(direction, axis=1, keepdims=True)
            yaw = np.arctan2(direction[:, 0], direction[:, 2])
            pitch = np.arcsin(direction[:, 1])
            for lid, corners in ((0, [0, 1, 2, 3]), (1, [3, 4, 5, 0])):
                powers = np.vander(yaw[corners], 4, increasing=True)
                lids[eye, lid] = np.linalg.solve(powers, pitch[corners])
        return lids


def to_world(points: Float32) -> Float32:
    """World coordinates of points (N, 3) given in the morphable model's cm."""
    return np.asarray((points - FRAME_ORIGIN) * np.float32(FRAME_SCALE), np.float32)


def _face_to_vertex(triangles: Triangles, vertices: int) -> sparse.csr_array:
    """Sparse (V, T) matrix that sums the triangles' values at their corners."""
    rows = triangles.ravel()
    columns = np.repeat(np.arange(len(triangles)), 3)
    ones = np.ones(len(rows), np.float32)
    return sparse.csr_array((ones, (rows, columns)), shape=(vertices, len(triangles)))


def vertex_normals(
    vertices: Float32, triangles: Triangles, operator: sparse.csr_array | None = None
) -> Float32:
    """Unit normals (V, 3), weighted by area.

    Args:
        operator: the mesh's :func:`_face_to_vertex`, if it is at hand.
    """
    if operator is None:
        operator = _face_to_vertex(triangles, len(vertices))
    a, b, c = (vertices[triangles[:, i]] for i in range(3))
    normals = np.asarray(operator @ np.cross(b - a, c - a), np.float32)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    return np.asarray(normals / np.maximum(length, 1e-20), np.float32)
