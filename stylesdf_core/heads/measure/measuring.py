"""`measure`: compares a model's heads with the true heads of the same seeds, one by one.

No data set holds the head of a plain seed (see :func:`heads.latent.dataset_latent`), so the model
was not trained on these heads. ψ is 1 and noise is fixed; everything else is as in the studio.
:mod:`~stylesdf_core.heads.measure.figures` makes figures of the scores.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import pixels
from stylesdf_core.errors import EmptySurfaceError, InputError
from stylesdf_core.evaluation.measures.picture_sets import untruncated
from stylesdf_core.evaluation.metrics.flicker import ARC, OrbitFrame, flicker, orbit
from stylesdf_core.evaluation.metrics.frechet import SeededFeatures
from stylesdf_core.evaluation.metrics.image_metrics import as_tensor, blur, enlarge
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
from stylesdf_core.heads.measure.truth import Head, HeadTruth, evaluation_cameras
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.progress import Operation, Step, drain, run_steps
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import View

FloatArray = npt.NDArray[np.float32]

MESH_RESOLUTION = 128
#: Azimuths of the orbit's cameras, radians; the middle one is frontal.
ORBIT_AZIMUTHS = tuple(float(a) for a in np.linspace(-0.5, 0.5, 9))
#: Blur of the true pictures in which no eyes should be found: σ of a Gaussian, pixels at 256².
CONTROL_BLUR = 8.0
#: Shift, in pixels at 256², of the true pictures in which no catchlights should be found: skin
#: then lies where the catchlights would be.
CONTROL_SHIFT = 2
#: Edge of the true pictures for a model without decoder, whose image view is that large.
_IMAGE_SIZE = 256
_NORMALS_SIZE = 128
_FRONT = OrbitCamera()


@dataclass(frozen=True)
class HeadsProtocol:
    """How many heads are measured; their seeds begin with ``seed_start``.

    Attributes:
        views: heads rendered once each, from poses of the training distribution.
        frontal: heads rendered from the front, to look for eyes.
        orbits: heads rendered from nine cameras within ±0.5 rad.
        meshes: heads meshed at 128³.
        pictured: heads whose pictures are kept for the grids; 0 for no grids.
    """

    seed_start: int = 0
    views: int = 200
    frontal: int = 40
    orbits: int = 8
    meshes: int = 40
    pictured: int = 0

    def seeds(self, count: int) -> range:
        """The first ``count`` seeds."""
        return range(self.seed_start, self.seed_start + count)

    def __str__(self) -> str:
        last = self.seeds(max(self.views, self.frontal, self.orbits, self.meshes))[-1]
        return (
            f"{self.views} unseen heads from random poses, {self.frontal} from the front, "
            f"{self.orbits} orbited by ±0.5 rad in {len(ORBIT_AZIMUTHS)} frames, "
            f"{self.meshes} meshed at {MESH_RESOLUTION}³; seeds {self.seed_start} to {last}, "
            "truncation ψ 1."
        )


class HeadsMeasurement:
    """Measures one model; :meth:`run` fills the lists of scores.

    Attributes:
        size: edge of the compared pictures.
        megabytes: size of the weights file, read first, since a training run may delete the file.
        features, true_features: features of every view's decoded and true image, (480,) each.
        grids: rows of pictures, (H, W, 3) in [0, 1] each, by the name of their grid.

    Raises:
        InputError: the model does not make synthetic heads, or OpenCV is missing.
    """

    def __init__(self, engine: Engine, truth: HeadTruth, protocol: HeadsProtocol) -> None:
        self.engine, self.truth, self.protocol = engine, truth, protocol
        self.size = _image_size(engine)
        self.megabytes = engine.model.path.stat().st_size / 1e6
        self.views: list[ViewScore] = []
        self.eyes: list[EyeScore] = []
        self.irises: list[IrisScore] = []
        self.orbits: list[OrbitScore] = []
        self.flickers: list[FlickerScore] = []
        self.meshes: list[MeshScore] = []
        self.features: list[npt.NDArray[np.float64]] = []
        self.true_features: list[npt.NDArray[np.float64]] = []
        self.grids: dict[str, list[list[FloatArray]]] = {}
        self._detector = EyeDetector()

    def run(self) -> Operation[None]:
        """Measure all heads; yields Progress in pictures, roughly."""
        protocol = self.protocol
        yield from run_steps(
            [
                Step("comparing pictures", 1, protocol.views, self._views()),
                Step("looking for eyes", 1, protocol.frontal, self._eyes()),
                Step("orbiting", 6, protocol.orbits, self._orbits()),
                Step("looking for flicker", 16, protocol.orbits, self._flickers()),
                Step("comparing meshes", 3, protocol.meshes, self._meshes()),
            ]
        )

    def _heads(self, count: int) -> Iterator[tuple[int, Head]]:
        return ((seed, self.truth.head(seed)) for seed in self.protocol.seeds(count))

    def _picture(self, grid: str, row: list[FloatArray]) -> None:
        """Add a row of pictures to the grid of that name."""
        self.grids.setdefault(grid, []).append(row)

    def _views(self) -> Iterator[None]:
        cameras, extractor = evaluation_cameras(self.protocol.views), SeededFeatures()
        for (seed, head), camera in zip(self._heads(len(cameras)), cameras, strict=True):
            true_image = self.truth.image(head, camera, self.size)
            shape = self.truth.shape(head, camera, self.size)
            scene = untruncated(seed, camera)
            start = time.perf_counter()
            views = self.engine.render_views(scene, ("image", "volume", "depth"))
            seconds = time.perf_counter() - start
            direct = self.engine.direct(scene, self.size)
            pictures = views["image"], views["volume"], views["depth"], direct
            self.views.append(
                score_view(seed, *pictures, true_image, shape, camera, head.height, seconds)
            )
            image = pixels(views["image"])
            self.features.append(extractor(as_tensor(image))[0])
            self.true_features.append(extractor(as_tensor(true_image))[0])
            if len(self.views) <= self.protocol.pictured:
                enlarged = enlarge(pixels(views["volume"]), self.size)
                self._picture("unseen", [true_image, image, enlarged])
            yield

    def _eyes(self) -> Iterator[None]:
        edge = max(self.size, _IMAGE_SIZE)
        for seed, head in self._heads(self.protocol.frontal):
            image = pixels(self.engine.render(untruncated(seed, _FRONT), "image"))
            true_image = self.truth.image(head, _FRONT, self.size)
            control = blur(true_image, CONTROL_BLUR * self.size / 256.0)
            found = [self._detector.finds_both(face) for face in (image, true_image, control)]
            self.eyes.append(EyeScore(seed, *found))
            if self.protocol.pictured:
                self._picture("frontal", [true_image, image])
            if self.size < _IMAGE_SIZE:  # the irises of a smaller picture are a few pixels
                image, true_image = enlarge(image, edge), self.truth.image(head, _FRONT, edge)
            unlit = self.truth.image(self.truth.unlit(head), _FRONT, edge)
            unlit = np.roll(unlit, CONTROL_SHIFT * edge // 256, axis=0)
            eyes = self.truth.eyes(head, _FRONT, edge)
            self.irises += score_irises(seed, image, true_image, unlit, eyes)
            yield

    def _orbits(self) -> Iterator[None]:
        cameras = [OrbitCamera(azimuth) for azimuth in ORBIT_AZIMUTHS]
        for index, (seed, head) in enumerate(self._heads(self.protocol.orbits)):
            truths = [self.truth.shape(head, camera, self.size) for camera in cameras]
            pictured = index < self.protocol.pictured
            views: tuple[View, ...] = ("depth", "image") if pictured else ("depth",)
            frames = [self.engine.render_views(untruncated(seed, c), views) for c in cameras]
            depths = [frame["depth"] for frame in frames]
            self.orbits.append(score_orbit(seed, depths, truths, cameras, head.height))
            if pictured:
                self._picture("orbit", [pixels(frame["image"]) for frame in frames])
            yield

    def _flickers(self) -> Iterator[None]:
        for seed, head in self._heads(self.protocol.orbits):
            frames = orbit(self.engine, untruncated(seed, _FRONT))
            true_frames = [self._true_frame(head, OrbitCamera(azimuth)) for azimuth in ARC]
            values = flicker(frames.image), flicker(frames.floor), flicker(true_frames)
            self.flickers.append(FlickerScore(seed, *values))
            yield

    def _true_frame(self, head: Head, camera: OrbitCamera) -> OrbitFrame:
        depth = self.truth.depth(head, camera, self.size)
        covered = np.isfinite(depth)
        return OrbitFrame(
            self.truth.image(head, camera, self.size),
            np.where(covered, depth, np.float32(1.0)),
            covered.astype(np.float32),
            camera,
        )

    def _meshes(self) -> Iterator[None]:
        for seed, head in self._heads(self.protocol.meshes):
            scene = untruncated(seed, _FRONT)
            sdf, normals = self.engine.sdf(scene), self.engine.normals(scene)
            try:
                mesh = drain(extract_surface(sdf, resolution=MESH_RESOLUTION))
            except EmptySurfaceError:
                self.meshes.append(MeshScore.of_nothing(seed))
            else:
                surface = self.truth.surface(head)
                self.meshes.append(score_mesh(seed, mesh, sdf, normals, surface, head.height))
            if len(self.meshes) <= self.protocol.pictured:
                sides = [replace(scene, camera=OrbitCamera(azimuth)) for azimuth in (0.0, 0.9)]
                pictures = [self.engine.render(side, "normals", _NORMALS_SIZE) for side in sides]
                self._picture("normals", [picture.display() for picture in pictures])
            yield


def _image_size(engine: Engine) -> int:
    """Edge of the compared pictures.

    Raises:
        InputError: the volume render's edge does not divide the picture's.
    """
    config = engine.config
    size = config.output_size if config.has_image else _IMAGE_SIZE
    if config.z_dim != 256 or size % config.thumb_size:
        raise InputError(
            f"{engine.model.name} is no model of the synthetic heads: such a model has a z of 256 "
            f"numbers and a volume render whose edge divides {_IMAGE_SIZE}."
        )
    return size
