"""Figures and their targets from the scores of single heads."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.flicker import ARC
from stylesdf_core.evaluation.frechet import (
    FEATURES,
    SHORT,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)
from stylesdf_core.evaluation.report import Figure, QualityReport
from stylesdf_core.heads.measure.irises import IrisScore, color_differences
from stylesdf_core.heads.measure.quality import ORBIT_AZIMUTHS, Measurement, Protocol, image_size
from stylesdf_core.heads.measure.scores import (
    EyeScore,
    FlickerScore,
    MeshScore,
    OrbitScore,
    ViewScore,
)


def summarise(engine: Engine, protocol: Protocol, measurement: Measurement) -> QualityReport:
    """Means, counts and worst cases of all scores."""
    figures: list[Figure] = []
    if measurement.views:
        figures += _view_figures(measurement.views, engine.config.thumb_size, image_size(engine))
    if measurement.eyes:
        figures += _eye_figures(measurement.eyes)
    if measurement.irises:
        figures += _iris_figures(measurement.irises)
    if len(measurement.features) > 1:
        figures.append(_frechet_figure(measurement, image_size(engine)))
    if measurement.flickers:
        figures.append(_flicker_figure(measurement.flickers, engine.config.thumb_size))
    if measurement.meshes:
        figures += _mesh_figures(measurement.meshes)
    if measurement.orbits:
        figures += _orbit_figures(measurement.orbits)
    figures.append(Figure("megabytes", "weights file", measurement.megabytes, "MB", high=15.0))
    scores = {
        kind: [dataclasses.asdict(score) for score in getattr(measurement, kind)]
        for kind in ("views", "eyes", "irises", "orbits", "flickers", "meshes")
    }
    return QualityReport(engine.model.name, str(protocol), tuple(figures), scores)


def _view_figures(scores: Sequence[ViewScore], thumb: int, edge: int) -> list[Figure]:
    def mean(name: str) -> float:
        return float(np.mean([getattr(score, name) for score in scores]))

    def worst(name: str, *, low: bool, form: str, scale: float = 1.0) -> str:
        pick = min if low else max
        score = pick(scores, key=lambda s: float(getattr(s, name)))
        return f"worst {scale * float(getattr(score, name)):{form}} (seed {score.seed})"

    image, enlarged = mean("psnr_image"), mean("psnr_enlarged")
    ratio = mean("sharpness") / max(mean("true_sharpness"), 1e-12)
    seconds = float(np.median([score.seconds for score in scores]))
    return [
        Figure(
            "psnr_thumb",
            f"PSNR, volume render {thumb}²",
            mean("psnr_thumb"),
            "dB",
            low=26.0,
            detail=worst("psnr_thumb", low=True, form=".1f"),
        ),
        Figure(
            "psnr_image",
            f"PSNR, image {edge}²",
            image,
            "dB",
            low=25.0,
            detail=worst("psnr_image", low=True, form=".1f"),
        ),
        Figure(
            "psnr_gain",
            f"PSNR gained over the enlarged {thumb}²",
            image - enlarged,
            "dB",
            low=0.01,
            detail=f"bicubically enlarged: {enlarged:.2f} dB",
        ),
        Figure(
            "laplacian_ratio",
            f"sharpness {edge}², of the truth's",
            ratio,
            low=0.7,
            high=1.3,
            detail="mean absolute Laplacian of the luma",
        ),
        Figure(
            "silhouette_iou",
            "silhouette IoU",
            mean("iou"),
            digits=3,
            low=0.96,
            detail=worst("iou", low=True, form=".3f"),
        ),
        Figure(
            "depth_error",
            "depth map to true surface, median",
            100.0 * mean("depth_error"),
            "% of head height",
            high=1.5,
            detail=worst("depth_error", low=False, form=".2f", scale=100.0),
        ),
        Figure("seconds", f"time for one {edge}² image, median", seconds, "s", better="lower"),
    ]


def _eye_figures(scores: Sequence[EyeScore]) -> list[Figure]:
    count = len(scores)
    found, truth, blurred = (
        sum(getattr(score, who) for score in scores) for who in ("model", "truth", "blurred")
    )
    return [
        Figure(
            "eyes",
            "both eyes found from the front",
            float(found),
            f"of {count}",
            digits=0,
            low=float(math.ceil(0.9 * count)),
            detail=f"truth {truth}, truth without features (blurred) {blurred}",
        )
    ]


def _iris_figures(scores: Sequence[IrisScore]) -> list[Figure]:
    """Of open eyes from the front; catchlights of those where the truth has one."""
    lit = [score for score in scores if score.lit]
    shown, unlit = (
        sum(score.shows(getattr(score, name)) for score in lit) for name in ("catchlight", "unlit")
    )
    apart, mean_apart = color_differences(scores)
    return [
        Figure(
            "catchlights",
            "catchlights at least half as bright as the truth's",
            float(shown) if lit else math.nan,
            f"of {len(lit)}",
            digits=0,
            better="higher",
            detail=f"open eyes: {len(scores)}; truth without them, 2 pixels lower {unlit}",
        ),
        Figure(
            "iris_color",
            "irises' colour to the truth's, median",
            float(np.median(apart)),
            "ΔE",
            digits=1,
            better="lower",
            detail=f"CIE 1976; were all irises the mean one: {np.median(mean_apart):.1f}",
        ),
    ]


def _frechet_figure(measurement: Measurement, edge: int) -> Figure:
    """Both sets show the same heads from the same cameras: a perfect model is at 0."""
    short = SeededFeatures().short
    model, truth = (
        Gaussian.of(short(np.stack(features)))
        for features in (measurement.features, measurement.true_features)
    )
    return Figure(
        "frechet",
        f"Fréchet distance ({FEATURES}, {SHORT} numbers), image {edge}²",
        frechet_distance(model, truth),
        better="lower",
        detail="to the true pictures of the same heads; a random network's, no FID",
    )


def _flicker_figure(scores: Sequence[FlickerScore], thumb: int) -> Figure:
    def mean(name: str) -> float:
        values = np.array([getattr(score, name) for score in scores])
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else math.nan

    def told(value: float) -> str:
        return f"{value:.2f}" if math.isfinite(value) else "not measured"

    return Figure(
        "flicker",
        "flicker while orbiting",
        mean("image"),
        "grey levels",
        better="lower",
        detail=f"truth {told(mean('truth'))}, {thumb}² enlarged {told(mean('floor'))}; mean "
        f"|difference| of {len(ARC)} frames an identity after reprojection",
    )


def _mesh_figures(scores: Sequence[MeshScore]) -> list[Figure]:
    count = len(scores)
    whole = sum(score.largest >= 0.995 for score in scores)
    worst = min(scores, key=lambda score: score.largest)
    angles = [score.angle for score in scores]
    return [
        Figure(
            "gradient_error",
            "mean |‖∇d‖ − 1| near the surface",
            float(np.mean([score.gradient_error for score in scores])),
            digits=3,
            high=0.1,
            detail="within 0.005 of it, 3 % of head height",
        ),
        Figure(
            "largest_component",
            "largest component's triangles, worst mesh",
            100.0 * worst.largest,
            "%",
            low=99.5,
            detail=f"{whole} of {count} meshes have 99.5 %"
            + ("" if whole == count else f"; worst is seed {worst.seed}"),
        ),
        Figure(
            "watertight",
            "largest components that are watertight",
            float(sum(score.watertight for score in scores)),
            f"of {count}",
            digits=0,
            low=float(count),
        ),
        Figure(
            "normal_angle",
            "mesh normals to the truth's, median angle",
            float(np.mean(angles)),
            "°",
            digits=1,
            high=15.0,
            detail=f"worst mesh {max(angles):.1f}°",
        ),
        Figure(
            "mesh_distance",
            "mesh to true surface, median",
            100.0 * float(np.mean([score.distance for score in scores])),
            "% of head height",
            better="lower",
        ),
    ]


def _orbit_figures(scores: Sequence[OrbitScore]) -> list[Figure]:
    frames = len(scores) * len(ORBIT_AZIMUTHS)
    return [
        Figure(
            "floating_parts",
            "floating parts while orbiting",
            float(sum(score.floating for score in scores)),
            f"in {frames} frames",
            digits=0,
            high=0.0,
            detail=f"truth {sum(score.true_floating for score in scores)}",
        ),
        Figure(
            "stray_points",
            "points 5 % of head height off while orbiting",
            100.0 * float(np.mean([score.stray for score in scores])),
            "%",
            high=1.0,
            detail=f"a second face would be; worst {100 * max(s.stray for s in scores):.2f} %",
        ),
        Figure(
            "orbit_iou",
            "silhouette IoU while orbiting, worst frame",
            min(score.iou for score in scores),
            digits=3,
            better="higher",
        ),
        Figure(
            "view_consistency",
            "depth at ±0.5 rad to frontal depth, median",
            100.0 * float(np.mean([score.consistency for score in scores])),
            "% of head height",
            better="lower",
        ),
    ]
