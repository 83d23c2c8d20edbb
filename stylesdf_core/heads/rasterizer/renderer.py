"""Draws heads with OpenGL: pictures, and G-buffers, the ground truth of each pixel.

A :class:`HeadRenderer` poses heads (``heads/person/posing.py``), uploads their vertices, and
runs the shaders. On Linux its context comes from EGL, which needs no window.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

import moderngl
import numpy as np
import numpy.typing as npt

from stylesdf_core.heads.person.anatomy import HAIR
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.person.posing import Float32, HeadGeometry, HeadPoser, to_world
from stylesdf_core.heads.rasterizer import shaders
from stylesdf_core.heads.rasterizer.visibility import HARMONIC_0, bake_visibility
from stylesdf_core.rendering.camera import FAR, NEAR, VOLUME_RADIUS, OrbitCamera
from stylesdf_core.system.opengl import standalone_context

#: The colour behind every head, sRGB in [0, 1].
BACKGROUND = (0.80, 0.82, 0.85)
#: Version of hair, colours and light; data sets and models of another version do not compare.
LOOKS = 1
_GL_CLIP_DISTANCE0 = 0x3000
_CLIP_PLANES = 5
#: Textures of a G-buffer: colour, place, normal, rest and strands.
_LAYERS = 5
#: Tangents of yaw and pitch: both eyes converge on a viewer at arm's length.
_GAZE = np.array([[-0.02, 0.0], [0.02, 0.0]], np.float32)


@dataclass(frozen=True)
class GBuffer:
    """Properties of the surface point at each pixel's centre of one view; rows run downwards.

    Attributes:
        rgb: (H, W, 3) float32, sRGB in [0, 1], background included.
        depth: (H, W) planar t, world units; inf on the background.
        position, normal: (H, W, 3), world; zero on the background.
        mask: (H, W), False on the background.
        back_facing: (H, W), True where the mesh is seen from inside (through the cut neck).
        material: (H, W), one of ``anatomy.FACE`` … ``anatomy.HAIR``; 255 on the background.
        rest: (H, W, 3), the same point on the neutral head, cm; zero on the background.
        strands: (H, W, 3), the hair's three waves of light and dark, from coarse to fine, −1 to 1;
            zero off the scalp.
    """

    rgb: Float32
    depth: Float32
    position: Float32
    normal: Float32
    mask: npt.NDArray[np.bool_]
    back_facing: npt.NDArray[np.bool_]
    material: npt.NDArray[np.uint8]
    rest: Float32
    strands: Float32


@dataclass(frozen=True)
class HeadPicture:
    """A picture of a head.

    Attributes:
        image: (S, S, 3) uint8, sRGB, background included.
        covered: (S, S) float32, share of each pixel that shows the head.
        eyes: (S, S) float32, share of each pixel that shows an eyeball.
    """

    image: npt.NDArray[np.uint8]
    covered: Float32
    eyes: Float32


@dataclass(frozen=True)
class _Pipeline:
    """A shader program with its vertices, and its framebuffers by size.

    Attributes:
        attachments: makes the colour attachments of a framebuffer of a given size.
    """

    program: moderngl.Program
    array: moderngl.VertexArray
    attachments: Callable[[int], list[moderngl.Texture | moderngl.Renderbuffer]]
    targets: dict[int, moderngl.Framebuffer]


class HeadRenderer:
    """Owns one OpenGL context; use it in the thread that made it, one per process.

    Attributes:
        anatomy: the neutral mesh's fields.
        triangles: (T, 3) int32 into a geometry's vertices, counter-clockwise from outside.

    Raises:
        GraphicsError: no OpenGL context can be made on this machine.
        InputError: ``model`` is not ICT-FaceKit light.
    """

    def __init__(self, model: MorphableModel) -> None:
        self._thread = threading.get_ident()
        self._poser = HeadPoser(model)
        self.anatomy, self.triangles = self._poser.anatomy, self._poser.triangles
        self._context = context = standalone_context("Rendering heads")
        self._moving = context.buffer(reserve=len(self._poser.rest) * 8 * 4, dynamic=True)
        self._static = context.buffer(self._static_attributes().tobytes())
        self._indices = context.buffer(self.triangles.tobytes())
        self._uploaded: HeadGeometry | None = None
        self._pictures = self._pipeline(
            shaders.FRAGMENT, lambda size: [context.renderbuffer((size, size), 4)]
        )
        self._gbuffers = self._pipeline(
            shaders.FRAGMENT.replace("#version 330", "#version 330\n#define GBUFFER"),
            lambda size: [context.texture((size, size), 4, dtype="f4") for _ in range(_LAYERS)],
        )

    def close(self) -> None:
        """Free the OpenGL context."""
        self._context.release()

    def shape(self, z: Float32) -> HeadGeometry:
        """Pose the head of latent ``z`` (256,)."""
        return self._poser.pose(z)

    def picture(
        self, geometry: HeadGeometry, camera: OrbitCamera, size: int, *, supersample: int = 2
    ) -> HeadPicture:
        """A picture of ``size``² whose pixels are the means of ``supersample``² samples."""
        full = size * supersample
        with self._current():
            target = self._draw(self._pictures, geometry, camera, full)
            data = target.read(components=4, alignment=1)
        samples = np.frombuffer(data, np.uint8).reshape(full, full, 4)[::-1]
        blocks = samples.reshape(size, supersample, size, supersample, 4)
        count = supersample**2
        sums = blocks[..., :3].sum(axis=(1, 3), dtype=np.uint16)
        alpha = blocks[..., 3]  # 255 on the head, half of that on eyeballs, 0 on the background
        covered, eyes = (
            hits.mean(axis=(1, 3), dtype=np.float32)
            for hits in (alpha > 0, (alpha > 0) & (alpha < 255))
        )
        return HeadPicture(np.asarray((sums + count // 2) // count, np.uint8), covered, eyes)

    def gbuffer(
        self, geometry: HeadGeometry, camera: OrbitCamera, size: int, *, cull: bool = False
    ) -> GBuffer:
        """The G-buffer of a head at ``size``².

        Args:
            cull: skip triangles that are seen from inside, which takes a third less time; only for
                cameras that cannot look into the cut neck.
        """
        with self._current():
            target = self._draw(self._gbuffers, geometry, camera, size, cull=cull)
            layers = [target.read(components=4, attachment=i, dtype="f4") for i in range(_LAYERS)]
        color, place, facing, rest, strands = (
            np.frombuffer(layer, np.float32).reshape(size, size, 4)[::-1] for layer in layers
        )
        mask = color[..., 3] > 0.5
        hit = mask[..., None]
        zero = np.float32(0.0)
        return GBuffer(
            rgb=np.where(hit, color[..., :3], np.array(BACKGROUND, np.float32)),
            depth=np.where(mask, place[..., 3], np.float32(np.inf)),
            position=np.where(hit, place[..., :3], zero),
            normal=np.where(hit, facing[..., :3], zero),
            mask=mask,
            back_facing=mask & (color[..., 3] < 0.8),
            material=np.where(mask, facing[..., 3] - 0.5, 255.0).astype(np.uint8),
            rest=np.where(hit, rest[..., :3], zero),
            strands=np.where(hit, strands[..., :3], zero),
        )

    def _current(self) -> moderngl.Context:
        """The renderer's context, for a ``with``, since this thread may own other contexts."""
        if threading.get_ident() != self._thread:
            raise RuntimeError("a HeadRenderer belongs to the thread that made it")
        return self._context

    def _pipeline(
        self,
        fragment: str,
        attachments: Callable[[int], list[moderngl.Texture | moderngl.Renderbuffer]],
    ) -> _Pipeline:
        program = self._context.program(shaders.VERTEX, fragment)
        _uniform(program, "volume_radius").value = VOLUME_RADIUS
        _uniform(program, "gaze").write(_GAZE.tobytes())
        static = ("rest", "material", "field_a", "field_b", "field_c", "sky_a", "sky_b", "sky_c")
        content = [
            (self._moving, "3f 3f 2f", "position", "normal", "hair"),
            (self._static, "3f 1f 4f 4f 4f 3f 3f 3f", *static),
        ]
        array = self._context.vertex_array(program, content, self._indices)
        return _Pipeline(program, array, attachments, {})

    def _static_attributes(self) -> Float32:
        a = self.anatomy
        count = len(a.neutral)
        table = np.zeros((len(self._poser.rest), 25), np.float32)
        table[:, :3] = self._poser.rest
        table[:count, 3] = a.material
        table[count:, 3] = HAIR
        table[:count, 4:16] = np.stack([*a.fields.values(), np.sign(a.neutral[:, 0])], axis=1)
        for vertices, centre in zip(a.eyes, a.eye_centers, strict=True):
            direction = a.neutral[vertices] - centre
            table[vertices, 4:7] = direction / np.linalg.norm(direction, axis=1, keepdims=True)
        table[:count, 16:25] = bake_visibility(self._context, to_world(a.neutral), a.triangles)
        table[count:, 16] = 1.0 / HARMONIC_0  # hair sees everything
        return table

    def _draw(
        self,
        pipeline: _Pipeline,
        geometry: HeadGeometry,
        camera: OrbitCamera,
        size: int,
        *,
        cull: bool = False,
    ) -> moderngl.Framebuffer:
        """Draw a head at ``size``² into the pipeline's framebuffer of that size."""
        context, program = self._context, pipeline.program
        if size not in pipeline.targets:
            depth = context.depth_renderbuffer((size, size))
            pipeline.targets[size] = context.framebuffer(pipeline.attachments(size), depth)
        target = pipeline.targets[size]
        target.use()
        target.clear(*BACKGROUND, 0.0)
        if geometry is not self._uploaded:
            self._upload(geometry)
        _uniform(program, "projection").write(projection(camera).T.astype(np.float32).tobytes())
        if pipeline is self._gbuffers:
            matrix = camera.cam2world()
            _uniform(program, "camera_position").value = tuple(matrix[:, 3])
            _uniform(program, "camera_forward").value = tuple(-matrix[:, 2])
        context.enable(moderngl.DEPTH_TEST)
        for plane in range(_CLIP_PLANES):
            context.enable_direct(_GL_CLIP_DISTANCE0 + plane)
        if cull:
            context.enable(moderngl.CULL_FACE)
        pipeline.array.render()
        context.disable(moderngl.CULL_FACE)
        return target

    def _upload(self, geometry: HeadGeometry) -> None:
        self._uploaded = geometry
        table = np.concatenate([geometry.vertices, geometry.normals, geometry.hair], axis=1)
        self._moving.write(table.astype(np.float32).tobytes())
        for program in (self._pictures.program, self._gbuffers.program):
            for name, value in geometry.appearance.uniforms.items():
                _uniform(program, name).value = value
            _uniform(program, "upper_lid").write(geometry.lids[:, 0].tobytes())
            _uniform(program, "lower_lid").write(geometry.lids[:, 1].tobytes())


def projection(camera: OrbitCamera) -> npt.NDArray[np.float64]:
    """World-to-clip matrix (4, 4) of a square picture; frames as in ``rendering.camera``."""
    matrix = camera.cam2world()
    world2cam = np.eye(4)
    world2cam[:3, :3] = matrix[:, :3].T
    world2cam[:3, 3] = -matrix[:, :3].T @ matrix[:, 3]
    clip = np.zeros((4, 4))
    clip[0, 0] = clip[1, 1] = camera.focal(2)  # 1 / tan(fov)
    clip[2, 2] = -(FAR + NEAR) / (FAR - NEAR)
    clip[2, 3] = -2.0 * FAR * NEAR / (FAR - NEAR)
    clip[3, 2] = -1.0
    return np.asarray(clip @ world2cam)


def _uniform(program: moderngl.Program, name: str) -> moderngl.Uniform:
    uniform = program[name]
    assert isinstance(uniform, moderngl.Uniform)
    return uniform
