"""Figures with their targets, and one report, from the scores of single heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from stylesdf_core.evaluation.flicker import ARC
from stylesdf_core.evaluation.frechet import (
    FEATURES,
    SHORT,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)
from stylesdf_core.evaluation.image_metrics import sharpness_ratio
from stylesdf_core.evaluation.report import Figure, QualityReport
from stylesdf_core.heads.measure.irises import IrisScore, color_differences
from stylesdf_core.heads.measure.measuring import ORBIT_AZIMUTHS, HeadsMeasurement
from stylesdf_core.heads.measure.scores import (
    EyeScore,
    FlickerScore,
    MeshScore,
    OrbitScore,
    ViewScore,
)


def summarise(measured: HeadsMeasurement) -> QualityReport:
    """Means, counts and worst cases of all scores; kinds without scores are left out."""
    thumb, edge = measured.engine.config.thumb_size, measured.size
    figures: list[Figure] = []
    if measured.views:
        figures += _view_figures(measured.views, thumb, edge)
    if measured.eyes:
        figures.append(_eye_figure(measured.eyes))
    if measured.irises:
        figures += _iris_figures(measured.irises)
    if len(measured.features) > 1:
        figures.append(_frechet_figure(measured))
    if measured.flickers:
        figures.append(_flicker_figure(measured.flickers, thumb))
    if measured.meshes:
        figures += _mesh_figures(measured.meshes)
    if measured.orbits:
        figures += _orbit_figures(measured.orbits)
    figures.append(Figure("megabytes", "weights file", measured.megabytes, "MB", high=15.0))
    kinds = ("views", "eyes", "irises", "orbits", "flickers", "meshes")
    scores = {kind: [asdict(score) for score in getattr(measured, kind)] for kind in kinds}
    name, protocol = measured.engine.model.name, str(measured.protocol)
    return QualityReport(name, protocol, tuple(figures), scores)


def _column(scores: Iterable[Any], name: str) -> list[float]:
    return [float(getattr(score, name)) for score in scores]


def _mean(scores: Iterable[Any], name: str) -> float:
    return float(np.mean(_column(scores, name)))


def _view_figures(scores: Sequence[ViewScore], thumb: int, edge: int) -> list[Figure]:
    def worst(name: str, pick: Callable[..., ViewScore], form: str, scale: float = 1.0) -> str:
        score = pick(scores, key=lambda score: float(getattr(score, name)))
        return f"worst {scale * float(getattr(score, name)):{form}} (seed {score.seed})"

    image, enlarged = _mean(scores, "psnr_image"), _mean(scores, "psnr_enlarged")
    sharpness = _column(scores, "sharpness"), _column(scores, "true_sharpness")
    seconds = float(np.median(_column(scores, "seconds")))
    return [
        Figure(
            "psnr_thumb",
            f"PSNR, volume render {thumb}²",
            _mean(scores, "psnr_thumb"),
            "dB",
            low=26.0,
            detail=worst("psnr_thumb", min, ".1f"),
        ),
        Figure(
            "psnr_image",
            f"PSNR, image {edge}²",
            image,
            "dB",
            low=25.0,
            detail=worst("psnr_image", min, ".1f"),
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
            sharpness_ratio(*sharpness),
            low=0.7,
            high=1.3,
            detail="mean absolute Laplacian of the luma",
        ),
        Figure(
            "silhouette_iou",
            "silhouette IoU",
            _mean(scores, "iou"),
            digits=3,
            low=0.96,
            detail=worst("iou", min, ".3f"),
        ),
        Figure(
            "depth_error",
            "depth map to true surface, median",
            100.0 * _mean(scores, "depth_error"),
            "% of head height",
            high=1.5,
            detail=worst("depth_error", max, ".2f", scale=100.0),
        ),
        Figure("seconds", f"time for one {edge}² image, median", seconds, "s", better="lower"),
    ]


def _eye_figure(scores: Sequence[EyeScore]) -> Figure:
    model, truth, blurred = (
        sum(_column(scores, pictures)) for pictures in ("model", "truth", "blurred")
    )
    return Figure(
        "eyes",
        "both eyes found from the front",
        model,
        f"of {len(scores)}",
        digits=0,
        low=float(math.ceil(0.9 * len(scores))),
        detail=f"truth {truth:.0f}, truth without features (blurred) {blurred:.0f}",
    )


def _iris_figures(scores: Sequence[IrisScore]) -> list[Figure]:
    """Of open eyes from the front; catchlights are counted where the truth has one."""
    lit = [score for score in scores if score.lit]
    bright, unlit = (
        sum(score.is_bright(getattr(score, name)) for score in lit)
        for name in ("catchlight", "unlit")
    )
    differences, mean_differences = color_differences(scores)
    return [
        Figure(
            "catchlights",
            "catchlights at least half as bright as the truth's",
            float(bright) if lit else math.nan,
            f"of {len(lit)}",
            digits=0,
            better="higher",
            detail=f"open eyes: {len(scores)}; truth without them, 2 pixels lower {unlit}",
        ),
        Figure(
            "iris_color",
            "irises' colour to the truth's, median",
            float(np.median(differences)),
            "ΔE",
            digits=1,
            better="lower",
            detail=f"CIE 1976; were all irises the mean one: {np.median(mean_differences):.1f}",
        ),
    ]


def _frechet_figure(measured: HeadsMeasurement) -> Figure:
    """Both sets show the same heads from the same cameras, so a perfect model is at 0."""
    short = SeededFeatures().short
    model, truth = (
        Gaussian.of(short(np.stack(features)))
        for features in (measured.features, measured.true_features)
    )
    return Figure(
        "frechet",
        f"Fréchet distance ({FEATURES}, {SHORT} numbers), image {measured.size}²",
        frechet_distance(model, truth),
        better="lower",
        detail="to the true pictures of the same heads; a random network's, no FID",
    )


def _flicker_figure(scores: Sequence[FlickerScore], thumb: int) -> Figure:
    def mean(name: str) -> float:
        finite = [value for value in _column(scores, name) if math.isfinite(value)]
        return float(np.mean(finite)) if finite else math.nan

    truth, floor = (
        f"{mean(name):.2f}" if math.isfinite(mean(name)) else "not measured"
        for name in ("truth", "floor")
    )
    return Figure(
        "flicker",
        "flicker while orbiting",
        mean("image"),
        "grey levels",
        better="lower",
        detail=f"truth {truth}, {thumb}² enlarged {floor}; mean "
        f"|difference| of {len(ARC)} frames an identity after reprojection",
    )


def _mesh_figures(scores: Sequence[MeshScore]) -> list[Figure]:
    count = len(scores)
    whole = sum(score.largest >= 0.995 for score in scores)
    worst = min(scores, key=lambda score: score.largest)
    return [
        Figure(
            "gradient_error",
            "mean |‖∇d‖ − 1| near the surface",
            _mean(scores, "gradient_error"),
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
            sum(_column(scores, "watertight")),
            f"of {count}",
            digits=0,
            low=float(count),
        ),
        Figure(
            "normal_angle",
            "mesh normals to the truth's, median angle",
            _mean(scores, "angle"),
            "°",
            digits=1,
            high=15.0,
            detail=f"worst mesh {max(_column(scores, 'angle')):.1f}°",
        ),
        Figure(
            "mesh_distance",
            "mesh to true surface, median",
            100.0 * _mean(scores, "distance"),
            "% of head height",
            better="lower",
        ),
    ]


def _orbit_figures(scores: Sequence[OrbitScore]) -> list[Figure]:
    return [
        Figure(
            "floating_parts",
            "floating parts while orbiting",
            sum(_column(scores, "floating")),
            f"in {len(scores) * len(ORBIT_AZIMUTHS)} frames",
            digits=0,
            high=0.0,
            detail=f"truth {sum(score.true_floating for score in scores)}",
        ),
        Figure(
            "stray_points",
            "points 5 % of head height off while orbiting",
            100.0 * _mean(scores, "stray"),
            "%",
            high=1.0,
            detail="such as those of a second face; worst "
            f"{100.0 * max(_column(scores, 'stray')):.2f} %",
        ),
        Figure(
            "orbit_iou",
            "silhouette IoU while orbiting, worst frame",
            min(_column(scores, "iou")),
            digits=3,
            better="higher",
        ),
        Figure(
            "view_consistency",
            "depth at ±0.5 rad to frontal depth, median",
            100.0 * _mean(scores, "consistency"),
            "% of head height",
            better="lower",
        ),
    ]
