"""Tangent frames and normal maps, as glTF and Blender read them (MikkTSpace, Mikkelsen 2008).

A normal map stores the normals of the full surface in the frame (tangent, bitangent, normal) that
a renderer interpolates over the triangles of the simplified mesh. It is right only if the baker
uses the renderer's frames. MikkTSpace defines them: a vertex's tangent is the mean of the u
directions of its triangles, each projected into the vertex's tangent plane and weighted by the
triangle's angle at the vertex; the bitangent is cross(normal, tangent) times a sign.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from stylesdf_core.mesh.assets.texels import Texels
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import FaceArray

Float64Array = npt.NDArray[np.float64]


def tangents(
    vertices: FloatArray, faces: FaceArray, normals: FloatArray, uv: FloatArray
) -> FloatArray:
    """Tangents (V, 4) of a mesh cut along its charts: unit vectors, and the bitangents' signs."""
    p, t = vertices[faces].astype(np.float64), uv[faces].astype(np.float64)
    p1, p2 = p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]
    t1, t2 = t[:, 1] - t[:, 0], t[:, 2] - t[:, 0]
    area = t1[:, 0] * t2[:, 1] - t1[:, 1] * t2[:, 0]
    along_u = (t2[:, 1:] * p1 - t1[:, 1:] * p2) * np.sign(area)[:, None]  # (F, 3), any length
    total, sign = np.zeros((len(vertices), 3)), np.zeros(len(vertices))
    for corner in range(3):
        at = faces[:, corner]
        normal = normals[at].astype(np.float64)
        ahead = _in_plane(p[:, (corner + 1) % 3] - p[:, corner], normal)
        behind = _in_plane(p[:, (corner + 2) % 3] - p[:, corner], normal)
        angle = np.arccos(np.clip((ahead * behind).sum(axis=1), -1.0, 1.0))
        np.add.at(total, at, angle[:, None] * _in_plane(along_u, normal))
        np.add.at(sign, at, angle * np.sign(area))
    unit = _in_plane(total, normals.astype(np.float64))
    lost = ~unit.any(axis=1)  # vertices whose triangles have no area in the texture
    unit[lost] = _in_plane(
        np.eye(3)[np.abs(normals[lost]).argmin(axis=1)], normals[lost].astype(np.float64)
    )
    signs = np.where(sign < 0.0, -1.0, 1.0)
    return np.concatenate([unit, signs[:, None]], axis=1).astype(np.float32)


def _in_plane(vectors: Float64Array, normals: Float64Array) -> Float64Array:
    """Unit vectors of the vectors' parts across the normals; zero where nothing is left."""
    across = vectors - (vectors * normals).sum(axis=1, keepdims=True) * normals
    length = np.linalg.norm(across, axis=1, keepdims=True)
    unit: Float64Array = np.where(length > 1e-20, across / np.maximum(length, 1e-20), 0.0)
    return unit


def to_tangent_space(
    wanted: FloatArray, texels: Texels, faces: FaceArray, normals: FloatArray, frame: FloatArray
) -> FloatArray:
    """World normals (N, 3) at texels as a normal map's values, (N, 3) unit vectors.

    Args:
        wanted: unit normals of the full surface.
        normals: (V, 3) at the mesh's vertices.
        frame: the mesh's :func:`tangents`.
    """
    # A renderer interpolates normal and tangent without normalising them, and so does this.
    normal = texels.interpolate(normals, faces)
    tangent = texels.interpolate(frame[:, :3], faces)
    bitangent = frame[faces[texels.face, 0], 3:] * np.cross(normal, tangent)
    # Solve x·tangent + y·bitangent + z·normal = wanted by Cramer's rule, up to a positive factor.
    mapped = np.stack(
        [
            (wanted * np.cross(bitangent, normal)).sum(axis=1),
            (wanted * np.cross(normal, tangent)).sum(axis=1),
            (wanted * np.cross(tangent, bitangent)).sum(axis=1),
        ],
        axis=1,
    )
    determinant = (tangent * np.cross(bitangent, normal)).sum(axis=1, keepdims=True)
    mapped *= np.sign(determinant)
    mapped /= np.maximum(np.linalg.norm(mapped, axis=1, keepdims=True), 1e-20)
    result: FloatArray = mapped.astype(np.float32, copy=False)
    return result
