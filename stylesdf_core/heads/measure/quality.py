"""The protocol: which heads are looked at, from where, and what is made of their scores.

Plain seeds are heads that no data set holds (see :func:`heads.latent.dataset_latent`), so every
seed is unseen. Nothing is truncated (ψ 1), noise is fixed, everything else as in the studio.
"""

from __future__ import annotations

import math
import time
from collections.abc import Generator
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import pixels
from stylesdf_core.errors import EmptySurfaceError, InputError
from stylesdf_core.evaluation.flicker import ARC, OrbitFrame, flicker, orbit
from stylesdf_core.evaluation.frechet import SeededFeatures
from stylesdf_core.evaluation.image_metrics import as_tensor, blur, enlarge
from stylesdf_core.heads.measure.eyes import EyeDetector
from stylesdf_core.heads.measure.irises import IrisScore, score_irises
from stylesdf_core.heads.measure.scores import (
    EyeScore,
    FlickerScore,
    MeshScore,
    OrbitScore,
    ViewScore,
    score_mesh,
    score_orbit,
    score_view,
)
from stylesdf_core.heads.measure.truth import HeadTruth, evaluation_cameras
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.progress import Operation, Progress, drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene, View

FloatArray = npt.NDArray[np.float32]

MESH_RESOLUTION = 128
#: Cameras of the orbit, radians; the middle one is frontal.
ORBIT_AZIMUTHS = tuple(float(a) for a in np.linspace(-0.5, 0.5, 9))
#: What the control loses its eyes by: σ of a Gaussian, pixels at 256².
CONTROL_BLUR = 8.0
#: How much lower the control of catchlights is, pixels at 256²: skin comes where they would be.
UNLIT_LOWER = 2
#: Size of the truth for models without a decoder, whose image view is that large.
_IMAGE_SIZE = 256
_NORMALS_SIZE = 128


@dataclass(frozen=True)
class Protocol:
    """How much is looked at; heads are the seeds from ``seed_start`` on.

    Attributes:
        views: heads rendered once each, from poses of the training distribution.
        frontal: of them, seen from the front for their eyes.
        orbits: of them, seen from nine cameras within ±0.5 rad.
        meshes: of them, meshed at 128³.
        shown: of them, kept as pictures for the grids.
    """

    seed_start: int = 0
    views: int = 200
    frontal: int = 40
    orbits: int = 8
    meshes: int = 40
    shown: int = 0

    def seeds(self, count: int) -> range:
        """The first ``count`` seeds."""
        return range(self.seed_start, self.seed_start + count)

    def __str__(self) -> str:
        last = self.seed_start + max(self.views, self.frontal, self.orbits, self.meshes) - 1
        return (
            f"{self.views} unseen heads from random poses, {self.frontal} from the front, "
            f"{self.orbits} orbited by ±0.5 rad in {len(ORBIT_AZIMUTHS)} frames, "
            f"{self.meshes} meshed at {MESH_RESOLUTION}³; seeds {self.seed_start} to {last}, "
            "truncation ψ 1."
        )


@dataclass
class Measurement:
    """All scores, and rows of pictures, (H, W, 3) in [0, 1] each, by the grid they are for.

    Attributes:
        megabytes: size of the weights file; taken first, since a run may delete it meanwhile.
        features, true_features: of every view's decoded and true image, (480,) each.
    """

    megabytes: float
    views: list[ViewScore] = field(default_factory=list)
    eyes: list[EyeScore] = field(default_factory=list)
    irises: list[IrisScore] = field(default_factory=list)
    orbits: list[OrbitScore] = field(default_factory=list)
    meshes: list[MeshScore] = field(default_factory=list)
    flickers: list[FlickerScore] = field(default_factory=list)
    features: list[npt.NDArray[np.float64]] = field(default_factory=list)
    true_features: list[npt.NDArray[np.float64]] = field(default_factory=list)
    grids: dict[str, list[list[FloatArray]]] = field(default_factory=dict)

    def show(self, grid: str, row: list[FloatArray]) -> None:
        """Add a row of pictures to the grid of that name."""
        self.grids.setdefault(grid, []).append(row)


def measure(engine: Engine, truth: HeadTruth, protocol: Protocol) -> Operation[Measurement]:
    """Look at all heads; yields Progress in pictures, roughly.

    Raises:
        InputError: the model's picture sizes do not fit, or OpenCV is missing.
    """
    size = image_size(engine)
    detector = EyeDetector() if protocol.frontal else None
    result = Measurement(engine.model.path.stat().st_size / 1e6)
    parts: list[tuple[float, Generator[None, None, None]]] = [
        (1.0, _views(engine, truth, protocol, size, result)),
        (6.0, _orbits(engine, truth, protocol, size, result)),
        (16.0, _flickers(engine, truth, protocol, size, result)),
        (3.0, _meshes(engine, truth, protocol, result)),
    ]
    counts = [protocol.views, protocol.orbits, protocol.orbits, protocol.meshes]
    messages = ["comparing pictures", "orbiting", "looking for flicker", "comparing meshes"]
    if detector is not None:
        parts.insert(1, (1.0, _eyes(engine, truth, protocol, size, detector, result)))
        counts.insert(1, protocol.frontal)
        messages.insert(1, "looking for eyes")
    total = sum(weight * count for (weight, _), count in zip(parts, counts, strict=True))
    done = 0.0
    yield Progress(0, total, messages[0])
    for (weight, part), message in zip(parts, messages, strict=True):
        for _ in part:
            done += weight
            yield Progress(done, total, message)
    return result


def image_size(engine: Engine) -> int:
    """Edge of the pictures that are compared.

    Raises:
        InputError: the volume render's pixels are no whole number of the picture's.
    """
    config = engine.config
    size = config.output_size if config.has_decoder else _IMAGE_SIZE
    if config.z_dim != 256 or size % config.thumb_size:
        raise InputError(
            f"{engine.model.name} is no model of the synthetic heads: that has a z of 256 numbers "
            f"and a volume render whose edge divides {_IMAGE_SIZE}."
        )
    return size


def _scene(seed: int, camera: OrbitCamera) -> Scene:
    return Scene(identity=Identity(seed), truncation_psi=1.0, camera=camera)


def _views(
    engine: Engine, truth: HeadTruth, protocol: Protocol, size: int, result: Measurement
) -> Generator[None, None, None]:
    cameras = evaluation_cameras(protocol.views)
    extractor = SeededFeatures()
    for seed, camera in zip(protocol.seeds(protocol.views), cameras, strict=True):
        head = truth.head(seed)
        true_image, shape = truth.image(head, camera, size), truth.shape(head, camera, size)
        start = time.perf_counter()
        pictures = engine.render_views(_scene(seed, camera), ("image", "volume", "depth"))
        seconds = time.perf_counter() - start
        image, volume, depth = (pictures[view] for view in ("image", "volume", "depth"))
        result.views.append(
            score_view(seed, image, volume, depth, true_image, shape, camera, head.height, seconds)
        )
        for shown, features in (
            (pixels(image), result.features),
            (true_image, result.true_features),
        ):
            features.append(extractor(as_tensor(shown))[0])
        if len(result.views) <= protocol.shown:
            enlarged = enlarge(pixels(volume), size)
            result.show("unseen", [true_image, pixels(image), enlarged])
        yield


def _eyes(
    engine: Engine,
    truth: HeadTruth,
    protocol: Protocol,
    size: int,
    detector: EyeDetector,
    result: Measurement,
) -> Generator[None, None, None]:
    front, edge = OrbitCamera(), max(size, _IMAGE_SIZE)
    for seed in protocol.seeds(protocol.frontal):
        image = pixels(engine.render_views(_scene(seed, front), ("image",))["image"])
        head = truth.head(seed)
        true_image = truth.image(head, front, size)
        control = blur(true_image, CONTROL_BLUR * size / 256.0)
        found = [detector.finds_both(picture) for picture in (image, true_image, control)]
        result.eyes.append(EyeScore(seed, *found))
        if protocol.shown:
            result.show("frontal", [true_image, image])
        if size < _IMAGE_SIZE:  # a smaller picture's irises are a few pixels
            image, true_image = enlarge(image, edge), truth.image(head, front, edge)
        unlit = np.roll(truth.image(truth.unlit(head), front, edge), UNLIT_LOWER * edge // 256, 0)
        eyes = truth.eyes(head, front, edge)
        result.irises += score_irises(seed, image, true_image, unlit, eyes)
        yield


def _orbits(
    engine: Engine, truth: HeadTruth, protocol: Protocol, size: int, result: Measurement
) -> Generator[None, None, None]:
    cameras = [OrbitCamera(azimuth) for azimuth in ORBIT_AZIMUTHS]
    for seed in protocol.seeds(protocol.orbits):
        head = truth.head(seed)
        truths = [truth.shape(head, camera, size) for camera in cameras]
        shown = len(result.orbits) < protocol.shown
        views: tuple[View, ...] = ("depth", "image") if shown else ("depth",)
        frames = [engine.render_views(_scene(seed, camera), views) for camera in cameras]
        depths = [frame["depth"] for frame in frames]
        result.orbits.append(score_orbit(seed, depths, truths, cameras, head.height))
        if shown:
            result.show("orbit", [pixels(frame["image"]) for frame in frames])
        yield


def _flickers(
    engine: Engine, truth: HeadTruth, protocol: Protocol, size: int, result: Measurement
) -> Generator[None, None, None]:
    for seed in protocol.seeds(protocol.orbits):
        head = truth.head(seed)
        true_frames = []
        for azimuth in ARC:
            camera = OrbitCamera(azimuth)
            depth = truth.depth(head, camera, size)
            covered = np.isfinite(depth)
            frame = OrbitFrame(
                truth.image(head, camera, size),
                np.where(covered, depth, np.float32(1.0)),
                covered.astype(np.float32),
                camera,
            )
            true_frames.append(frame)
        turned = orbit(engine, _scene(seed, OrbitCamera()))
        result.flickers.append(
            FlickerScore(seed, flicker(turned.image), flicker(turned.floor), flicker(true_frames))
        )
        yield


def _meshes(
    engine: Engine, truth: HeadTruth, protocol: Protocol, result: Measurement
) -> Generator[None, None, None]:
    front = OrbitCamera()
    for seed in protocol.seeds(protocol.meshes):
        scene = _scene(seed, front)
        head = truth.head(seed)
        sdf, normals = engine.sdf(scene), engine.normals(scene)
        try:
            mesh = drain(extract_surface(sdf, resolution=MESH_RESOLUTION))
        except EmptySurfaceError:
            result.meshes.append(MeshScore(seed, 0, 0, 0.0, False, 180.0, math.inf, math.inf))
        else:
            surface = truth.surface(head)
            result.meshes.append(score_mesh(seed, mesh, sdf, normals, surface, head.height))
        if len(result.meshes) <= protocol.shown:
            sides = [replace(scene, camera=OrbitCamera(azimuth)) for azimuth in (0.0, 0.9)]
            row = [engine.render(side, "normals", _NORMALS_SIZE).display() for side in sides]
            result.show("normals", row)
        yield
