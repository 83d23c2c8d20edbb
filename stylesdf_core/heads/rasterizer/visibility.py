"""Visibility of each skin vertex of the neutral head, computed once, for soft shadows.

From a vertex's visibility the shaders compute the share of light that reaches the vertex, for any
direction of the light.
"""

from __future__ import annotations

import moderngl
import numpy as np
import numpy.typing as npt

from stylesdf_core.heads.person.posing import Float32, Triangles, vertex_normals
from stylesdf_core.heads.rasterizer import shaders

_DIRECTIONS = 96
#: Edge of a depth map, pixels.
_SIZE = 192
#: Radius of a sphere around the whole head, world units.
_RADIUS = 0.2
#: World units by which a vertex is lifted off the surface for the test, and by which the lifted
#: vertex may lie behind the depth map.
_LIFT, _TOLERANCE = 0.0012, 0.004
#: Value of the constant spherical harmonic.
HARMONIC_0 = 0.282095


def bake_visibility(context: moderngl.Context, vertices: Float32, triangles: Triangles) -> Float32:
    """Visibility of vertices (V, 3) as real spherical harmonics up to order 2, (V, 9).

    Depth maps from many directions decide which vertices are hidden. Directions below a vertex's
    own horizon count as seen: the shading's cosine darkens them. (Precomputed radiance transfer,
    Sloan et al. 2002, with the cosine left out.)
    """
    normals = vertex_normals(vertices, triangles)
    program = context.program(shaders.DEPTH_VERTEX, shaders.DEPTH_FRAGMENT)
    projection = program["projection"]
    assert isinstance(projection, moderngl.Uniform)
    array = context.vertex_array(
        program,
        [(context.buffer(vertices.tobytes()), "3f", "position")],
        context.buffer(triangles.tobytes()),
    )
    target = context.framebuffer(
        [context.texture((_SIZE, _SIZE), 1, dtype="f4")], context.depth_renderbuffer((_SIZE, _SIZE))
    )
    context.enable(moderngl.DEPTH_TEST)
    coefficients = np.zeros((len(vertices), 9))
    for direction in _sphere(_DIRECTIONS):
        matrix = np.eye(4)
        matrix[:3, :3] = _look_along(direction) / _RADIUS
        projection.write(matrix.T.astype(np.float32).tobytes())
        target.use()
        target.clear(1.0, depth=1.0)
        array.render()
        depth = np.frombuffer(target.read(components=1, dtype="f4"), np.float32)
        clip = (vertices + _LIFT * normals) @ matrix[:3, :3].T
        pixel = np.clip(((clip[:, :2] + 1.0) * 0.5 * _SIZE).astype(int), 0, _SIZE - 1)
        hit = depth.reshape(_SIZE, _SIZE)[pixel[:, 1], pixel[:, 0]]
        visible = (clip[:, 2] <= hit + _TOLERANCE / _RADIUS) | (normals @ direction < 0.02)
        coefficients += visible[:, None] * _harmonics(direction)
    target.release()
    array.release()
    return (coefficients * (4.0 * np.pi / _DIRECTIONS)).astype(np.float32)


def _look_along(direction: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Rotation (3, 3) whose rows are right, up and back of a camera that looks at the origin."""
    helper = [1.0, 0.0, 0.0] if abs(direction[1]) > 0.9 else [0.0, 1.0, 0.0]
    right = np.cross(helper, direction)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(direction, right), -direction])


def _sphere(count: int) -> npt.NDArray[np.float64]:
    """``count`` evenly spread unit vectors (a Fibonacci spiral)."""
    i = np.arange(count) + 0.5
    y = 1.0 - 2.0 * i / count
    angle = np.pi * (1.0 + np.sqrt(5.0)) * i
    r = np.sqrt(1.0 - y**2)
    return np.stack([r * np.cos(angle), y, r * np.sin(angle)], axis=1)


def _harmonics(d: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The nine real spherical harmonics up to order 2, in the shader's order."""
    x, y, z = d
    linear = [0.488603 * y, 0.488603 * z, 0.488603 * x]
    quadratic = [
        1.092548 * x * y,
        1.092548 * y * z,
        0.315392 * (3.0 * z * z - 1.0),
        1.092548 * x * z,
        0.546274 * (x * x - y * y),
    ]
    return np.array([HARMONIC_0, *linear, *quadratic])
