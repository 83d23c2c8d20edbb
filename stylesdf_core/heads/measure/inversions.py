"""Heads fitted to single pictures of unseen heads, compared with the heads themselves.

The unseen heads are true heads of the face model or, without face model, heads that the measured
model itself makes of seeds; the latter says how well the fit finds what the model can make, and
nothing of heads that the model cannot make.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import eight_bit, pixels
from stylesdf_core.evaluation.measures.picture_sets import untruncated
from stylesdf_core.evaluation.metrics.image_metrics import as_tensor, psnr, shrink
from stylesdf_core.evaluation.reports.report import Figure, QualityReport
from stylesdf_core.heads.measure.scores import median_distance, surface_points
from stylesdf_core.heads.measure.truth import HeadTruth
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene

FloatArray = npt.NDArray[np.float32]

#: Largest azimuth and elevation of the pictures, radians; uniform between.
_AZIMUTH, _ELEVATION = 0.6, 0.25
#: Turns of the novel views, radians.
TURNS = (-0.5, 0.5)
_POSE_SEED = 20
#: Height of a head that a model makes, world units.
_HEIGHT = 0.165


class UnseenHeads(Protocol):
    """Pictures and surfaces of heads that a fit has not seen."""

    def image(self, seed: int, camera: OrbitCamera, size: int) -> FloatArray:
        """Picture (size, size, 3) in [0, 1]."""

    def points(self, seed: int, camera: OrbitCamera) -> FloatArray:
        """The surface's points that a camera sees, (N, 3) world."""

    def height(self, seed: int) -> float:
        """From chin to skull, world units."""


@dataclass(frozen=True)
class TrueHeads:
    """The true heads of seeds, which no data set holds."""

    truth: HeadTruth

    def image(self, seed: int, camera: OrbitCamera, size: int) -> FloatArray:
        """As :meth:`UnseenHeads.image`."""
        return self.truth.image(self.truth.head(seed), camera, size)

    def points(self, seed: int, camera: OrbitCamera) -> FloatArray:
        """As :meth:`UnseenHeads.points`."""
        return self.truth.shape(self.truth.head(seed), camera, 256).points

    def height(self, seed: int) -> float:
        """As :meth:`UnseenHeads.height`."""
        return self.truth.head(seed).height

    def __str__(self) -> str:
        return "true heads of the face model, which no data set holds"


@dataclass(frozen=True)
class OwnHeads:
    """The heads that the measured model makes of seeds, ψ 1."""

    engine: Engine

    def image(self, seed: int, camera: OrbitCamera, size: int) -> FloatArray:
        """As :meth:`UnseenHeads.image`; the model's own size only."""
        image = pixels(self.engine.render(untruncated(seed, camera), "image"))
        if len(image) != size:
            raise ValueError(f"the model's pictures have {len(image)} pixels, not {size}")
        return image

    def points(self, seed: int, camera: OrbitCamera) -> FloatArray:
        """As :meth:`UnseenHeads.points`."""
        return surface_points(self.engine.render(untruncated(seed, camera), "depth", 128), camera)

    def height(self, seed: int) -> float:
        """As :meth:`UnseenHeads.height`; the same of all heads."""
        return _HEIGHT

    def __str__(self) -> str:
        return "the model's own pictures of seeds, so heads that it can make"


@dataclass(frozen=True)
class InversionScore:
    """One fitted head.

    Attributes:
        azimuth, elevation: of the picture, radians.
        pose_error: angle between the true and the fitted direction of view, radians.
        psnr_thumb, psnr_image: of the given view, volume render and image, dB.
        psnr_novel: of the image from ±0.5 rad beside the given view, mean, dB.
        depth_error: median distance of the given view's depth map to the surface, share of the
            head's height.
        identity: distance of the faces' embeddings in the frontal view; NaN where not measured.
        seconds: of the fit.
        processor_seconds: of all cores together.
    """

    seed: int
    azimuth: float
    elevation: float
    pose_error: float
    psnr_thumb: float
    psnr_image: float
    psnr_novel: float
    depth_error: float
    identity: float
    seconds: float
    processor_seconds: float


class InversionMeasurement:
    """Fits heads one by one; :meth:`run` fills the lists.

    Attributes:
        rows: for each head true picture, fitted picture, and both turned, (H, W, 3) in [0, 1].
    """

    def __init__(
        self, engine: Engine, heads: UnseenHeads, seeds: Sequence[int], seconds: float | None
    ) -> None:
        self._engine, self._heads, self._seeds, self._seconds = engine, heads, seeds, seconds
        self.scores: list[InversionScore] = []
        self.rows: list[list[FloatArray]] = []
        self._embed = _Embedding()

    def run(self) -> Iterator[float]:
        """Fit and compare all heads; yields the share that is done."""
        random = np.random.default_rng(_POSE_SEED)
        for index, seed in enumerate(self._seeds):
            azimuth, elevation = random.uniform(-1.0, 1.0, 2) * (_AZIMUTH, _ELEVATION)
            fov = self._engine.model.poses.fov
            for share in self._measure(seed, OrbitCamera(float(azimuth), float(elevation), fov)):
                yield (index + share) / len(self._seeds)

    def _measure(self, seed: int, camera: OrbitCamera) -> Iterator[float]:
        engine, size = self._engine, _image_size(self._engine)
        truth = self._heads.image(seed, camera, size)
        picture = as_tensor(truth)[0].to(engine.device)
        fit = Fit(
            engine.model,
            engine.generator,
            [PhotoView.framed(picture)],
            seconds=self._seconds or math.inf,
            framed=True,
        )
        start, processor = time.monotonic(), time.process_time()
        for progress in fit.run():
            yield progress.fraction
        seconds, processor = time.monotonic() - start, time.process_time() - processor
        scene = fit.unknowns.scene(Scene().model)
        views = engine.render_views(scene, ("image", "volume", "depth"))
        image, thumb = pixels(views["image"]), pixels(views["volume"])
        novel, row = [], [truth, image]
        for turn in TURNS:
            turned = replace(camera, azimuth=camera.azimuth + turn)
            pair = self._heads.image(seed, turned, size), self._seen(scene, turned)
            novel.append(psnr(pair[1], pair[0]))
            row += pair
        points, true_points = (
            surface_points(views["depth"], scene.camera),
            self._heads.points(seed, camera),
        )
        front = OrbitCamera(fov=camera.fov)
        identity = self._embed.distance(
            self._heads.image(seed, front, size), self._seen(scene, front)
        )
        self.rows.append(row)
        self.scores.append(
            InversionScore(
                seed=seed,
                azimuth=camera.azimuth,
                elevation=camera.elevation,
                pose_error=_angle_between(camera, scene.camera),
                psnr_thumb=psnr(thumb, shrink(truth, len(thumb))),
                psnr_image=psnr(image, truth),
                psnr_novel=float(np.mean(novel)),
                depth_error=median_distance(points, true_points) / self._heads.height(seed),
                identity=identity,
                seconds=seconds,
                processor_seconds=processor,
            )
        )

    def _seen(self, scene: Scene, camera: OrbitCamera) -> FloatArray:
        return pixels(self._engine.render(replace(scene, camera=camera), "image"))

    def report(self) -> QualityReport:
        """Figures with the targets of single pictures of the shipped model."""
        config = self._engine.config
        column = {name: [asdict(s)[name] for s in self.scores] for name in asdict(self.scores[0])}
        identities = [value for value in column["identity"] if math.isfinite(value)]
        thumb, image = config.thumb_size, _image_size(self._engine)

        def figure(
            key: str, title: str, unit: str = "", scale: float = 1.0, digits: int = 2, **bounds: Any
        ) -> Figure:
            values = np.array(column[key]) * scale
            spread = f"from {values.min():.{digits}f} to {values.max():.{digits}f}"
            median = float(np.median(values))
            return Figure(key, title, median, unit, digits, detail=spread, **bounds)

        figures = (
            figure("pose_error", "direction of view, median", "rad", digits=3, high=0.03),
            figure("psnr_thumb", f"PSNR of the given view, {thumb}², median", "dB", low=28.0),
            figure("psnr_image", f"PSNR of the given view, {image}², median", "dB", low=26.0),
            figure("psnr_novel", "PSNR ±0.5 rad beside it, median", "dB", low=25.0),
            figure("depth_error", "depth map to surface, median", "% of head height", 100, high=2),
            Figure(
                "identity",
                "distance of the faces' embeddings, median",
                float(np.median(identities)) if identities else math.nan,
                high=0.3,
                detail=f"dlib; {len(identities)} of {len(self.scores)} pairs have faces",
            ),
            figure("seconds", "time for a fit, median", "s", digits=0, high=60),
            figure("processor_seconds", "processor time for a fit, median", "s", digits=0),
        )
        limit = "" if self._seconds is None else f", at most {self._seconds:g} s a fit"
        protocol = (
            f"{len(self.scores)} heads, one picture each, azimuth within ±{_AZIMUTH}, elevation "
            f"within ±{_ELEVATION} rad{limit}; {self._heads}; seeds "
            f"{self._seeds[0]} to {self._seeds[-1]}."
        )
        scores = {"fits": [asdict(score) for score in self.scores]}
        return QualityReport(self._engine.model.name, protocol, figures, scores)


class _Embedding:
    """Distances of faces by dlib; NaN without the extra ``judges``."""

    def __init__(self) -> None:
        from stylesdf_core.judges.dlib_judge import dlib_judge, has_dlib

        self._judge = dlib_judge() if has_dlib() else None

    def distance(self, first: FloatArray, second: FloatArray) -> float:
        """Between the largest faces of two pictures (H, W, 3) in [0, 1]; NaN without faces."""
        from stylesdf_core.judges.finding import find_faces
        from stylesdf_core.judges.photo import Photo

        if self._judge is None:
            return math.nan
        vectors = []
        for picture in (first, second):
            photo = Photo.of(eight_bit(picture))
            faces = find_faces(photo, self._judge)
            if not faces:
                return math.nan
            vectors.append(self._judge.embedding(photo, faces[0]))
        return float(np.linalg.norm(vectors[0] - vectors[1]))


def _image_size(engine: Engine) -> int:
    return engine.config.output_size if engine.config.has_image else 256


def _angle_between(first: OrbitCamera, second: OrbitCamera) -> float:
    """Between two cameras' axes, radians."""
    axes = [camera.cam2world()[:, 2] for camera in (first, second)]
    return math.acos(min(1.0, max(-1.0, float(axes[0] @ axes[1]))))
