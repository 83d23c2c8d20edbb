"""The report of ``measure``: figures with their targets, from the scores of single heads."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from typing import Any, TypeAlias

import numpy as np

from stylesdf_core.evaluation.metrics.flicker import ARC
from stylesdf_core.evaluation.metrics.frechet import (
    FEATURES,
    SHORT,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)
from stylesdf_core.evaluation.metrics.image_metrics import sharpness_ratio
from stylesdf_core.evaluation.reports.report import Figure, QualityReport
from stylesdf_core.heads.measure.irises import IrisScore, color_differences
from stylesdf_core.heads.measure.measuring import ORBIT_AZIMUTHS, HeadsMeasurement
from stylesdf_core.heads.measure.scores import (
    EyeScore,
    FlickerScore,
    MeshScore,
    OrbitScore,
    ViewScore,
)

_NOT_YET, _HEIGHT = math.nan, "% of head height"
#: Every figure with its target, not yet measured, in the order of the table. Braces in a title
#: stand for the edge of the image or of the volume render (thumb), pixels.
FIGURES = (
    Figure("psnr_thumb", "PSNR, volume render {thumb}²", _NOT_YET, "dB", low=26.0),
    Figure("psnr_image", "PSNR, image {image}²", _NOT_YET, "dB", low=25.0),
    Figure("psnr_direct", "PSNR, direct view {image}²", _NOT_YET, "dB", better="higher"),
    Figure("psnr_gain", "PSNR gained over the enlarged {thumb}²", _NOT_YET, "dB", low=0.01),
    Figure("laplacian_ratio", "sharpness {image}², of the truth's", _NOT_YET, low=0.7, high=1.3),
    Figure("silhouette_iou", "silhouette IoU", _NOT_YET, "", 3, low=0.96),
    Figure("depth_error", "depth map to true surface, median", _NOT_YET, _HEIGHT, high=1.5),
    Figure("seconds", "time for one {image}² image, median", _NOT_YET, "s", better="lower"),
    Figure("eyes", "both eyes found from the front", _NOT_YET, digits=0),
    Figure(
        "catchlights",
        "catchlights at least half as bright as the truth's",
        _NOT_YET,
        digits=0,
        better="higher",
    ),
    Figure(
        "iris_color", "irises' colour to the truth's, median", _NOT_YET, "ΔE", 1, better="lower"
    ),
    Figure(  # both sets show the same heads from the same cameras: a perfect model is at 0
        "frechet",
        f"Fréchet distance ({FEATURES}, {SHORT} numbers), image {{image}}²",
        _NOT_YET,
        better="lower",
    ),
    Figure("flicker", "flicker while orbiting", _NOT_YET, "grey levels", better="lower"),
    Figure("gradient_error", "mean |‖∇d‖ − 1| near the surface", _NOT_YET, "", 3, high=0.1),
    Figure(
        "largest_component", "largest component's triangles, worst mesh", _NOT_YET, "%", low=99.5
    ),
    Figure("watertight", "largest components that are watertight", _NOT_YET, digits=0),
    Figure(
        "normal_angle", "mesh normals to the truth's, median angle", _NOT_YET, "°", 1, high=15.0
    ),
    Figure("mesh_distance", "mesh to true surface, median", _NOT_YET, _HEIGHT, better="lower"),
    Figure("mesh_outside", "mesh outside the true surface, median", _NOT_YET, _HEIGHT),
    Figure("dents", "surface in dents that the truth lacks", _NOT_YET, "%", better="lower"),
    Figure("floating_parts", "floating parts while orbiting", _NOT_YET, digits=0, high=0.0),
    Figure("stray_points", "points 5 % of head height off while orbiting", _NOT_YET, "%", high=1.0),
    Figure(
        "orbit_iou", "silhouette IoU while orbiting, worst frame", _NOT_YET, "", 3, better="higher"
    ),
    Figure(
        "view_consistency",
        "depth at ±0.5 rad to frontal depth, median",
        _NOT_YET,
        _HEIGHT,
        better="lower",
    ),
    Figure("megabytes", "weights file", _NOT_YET, "MB", high=15.0),
)

#: Measured fields of figures, by the figure's key; see :func:`_found`.
Changes: TypeAlias = dict[str, dict[str, Any]]


def summarise(measured: HeadsMeasurement) -> QualityReport:
    """Means, counts and worst cases of all scores; figures without scores are left out."""
    config = measured.engine.config
    changes: Changes = {"megabytes": _found(measured.megabytes)}
    if measured.views:
        changes |= _of_views(measured.views)
    if measured.eyes:
        changes |= _of_eyes(measured.eyes)
    if measured.irises:
        changes |= _of_irises(measured.irises)
    if len(measured.features) > 1:
        changes["frechet"] = _frechet(measured)
    if measured.flickers:
        changes["flicker"] = _flicker(measured.flickers, config.thumb_size)
    if measured.meshes:
        changes |= _of_meshes(measured.meshes)
    if measured.orbits:
        changes |= _of_orbits(measured.orbits)
    figures = [
        replace(
            figure,
            title=figure.title.format(image=measured.size, thumb=config.thumb_size),
            **changes[figure.key],
        )
        for figure in FIGURES
        if figure.key in changes
    ]
    kinds = ("views", "eyes", "irises", "orbits", "flickers", "meshes")
    scores = {kind: [asdict(score) for score in getattr(measured, kind)] for kind in kinds}
    name, protocol = measured.engine.model.name, str(measured.protocol)
    return QualityReport(name, protocol, tuple(figures), scores)


def _found(value: float, detail: str = "", **counted: Any) -> dict[str, Any]:
    """Measured fields of a figure; for a count, ``unit`` and ``low`` as well."""
    return {"value": value, "detail": detail, **counted}


def _column(scores: Iterable[Any], name: str) -> list[float]:
    return [float(getattr(score, name)) for score in scores]


def _mean(scores: Iterable[Any], name: str) -> float:
    return float(np.mean(_column(scores, name)))


def _of_views(scores: Sequence[ViewScore]) -> Changes:
    def lowest(name: str, form: str) -> str:
        score = min(scores, key=lambda score: float(getattr(score, name)))
        return f"worst {getattr(score, name):{form}} (seed {score.seed})"

    image, enlarged = _mean(scores, "psnr_image"), _mean(scores, "psnr_enlarged")
    deepest = max(scores, key=lambda score: score.depth_error)
    deepest_text = f"worst {100.0 * deepest.depth_error:.2f} (seed {deepest.seed})"
    ratio = sharpness_ratio(_column(scores, "sharpness"), _column(scores, "true_sharpness"))
    return {
        "psnr_thumb": _found(_mean(scores, "psnr_thumb"), lowest("psnr_thumb", ".1f")),
        "psnr_image": _found(image, lowest("psnr_image", ".1f")),
        "psnr_direct": _found(_mean(scores, "psnr_direct"), lowest("psnr_direct", ".1f")),
        "psnr_gain": _found(image - enlarged, f"bicubically enlarged: {enlarged:.2f} dB"),
        "laplacian_ratio": _found(ratio, "mean absolute Laplacian of the luma"),
        "silhouette_iou": _found(_mean(scores, "iou"), lowest("iou", ".3f")),
        "depth_error": _found(100.0 * _mean(scores, "depth_error"), deepest_text),
        "seconds": _found(float(np.median(_column(scores, "seconds")))),
    }


def _of_eyes(scores: Sequence[EyeScore]) -> Changes:
    model, truth, blurred = (sum(_column(scores, name)) for name in ("model", "truth", "blurred"))
    detail = f"truth {truth:.0f}, truth without features (blurred) {blurred:.0f}"
    low = float(math.ceil(0.9 * len(scores)))
    return {"eyes": _found(model, detail, unit=f"of {len(scores)}", low=low)}


def _of_irises(scores: Sequence[IrisScore]) -> Changes:
    """Figures of open eyes from the front; only eyes whose truth has a catchlight are counted."""
    lit = [score for score in scores if score.lit]
    bright = sum(score.is_bright(score.catchlight) for score in lit)
    unlit = sum(score.is_bright(score.unlit) for score in lit)
    count = float(bright) if lit else math.nan
    eyes = f"open eyes: {len(scores)}; truth without them, 2 pixels lower {unlit}"
    differences, from_mean = color_differences(scores)
    mean_iris = f"CIE 1976; were all irises the mean one: {np.median(from_mean):.1f}"
    return {
        "catchlights": _found(count, eyes, unit=f"of {len(lit)}"),
        "iris_color": _found(float(np.median(differences)), mean_iris),
    }


def _frechet(measured: HeadsMeasurement) -> dict[str, Any]:
    short = SeededFeatures().short
    both = measured.features, measured.true_features
    model, truth = (Gaussian.of(short(np.stack(features))) for features in both)
    detail = "to the true pictures of the same heads; a random network's, no FID"
    return _found(frechet_distance(model, truth), detail)


def _flicker(scores: Sequence[FlickerScore], thumb: int) -> dict[str, Any]:
    columns = (_column(scores, name) for name in ("image", "truth", "floor"))
    measured = ([value for value in column if math.isfinite(value)] for column in columns)
    image, truth, floor = (float(np.mean(values)) if values else math.nan for values in measured)
    true_text, floor_text = (
        f"{value:.2f}" if math.isfinite(value) else "not measured" for value in (truth, floor)
    )
    detail = (
        f"truth {true_text}, {thumb}² enlarged {floor_text}; mean |difference| of {len(ARC)} "
        "frames an identity after reprojection"
    )
    return _found(image, detail)


def _of_meshes(scores: Sequence[MeshScore]) -> Changes:
    count = len(scores)
    whole = sum(score.largest >= 0.995 for score in scores)
    worst = min(scores, key=lambda score: score.largest)
    angles = _column(scores, "angle")
    gradient_error = _mean(scores, "gradient_error")
    worst_seed = "" if whole == count else f"; worst is seed {worst.seed}"
    largest = f"{whole} of {count} meshes have 99.5 %{worst_seed}"
    return {
        "gradient_error": _found(gradient_error, "within 0.005 of it, 3 % of head height"),
        "largest_component": _found(100.0 * worst.largest, largest),
        "watertight": _found(
            sum(_column(scores, "watertight")), unit=f"of {count}", low=float(count)
        ),
        "normal_angle": _found(float(np.mean(angles)), f"worst mesh {max(angles):.1f}°"),
        "mesh_distance": _found(100.0 * _mean(scores, "distance")),
        "mesh_outside": _found(100.0 * _mean(scores, "outside"), "negative: inside it"),
        "dents": _found(
            100.0 * _mean(scores, "dented"),
            "at least 0.5 % of head height below the surface around; on average "
            f"{100.0 * _mean(scores, 'dent_depth'):.2f} %",
        ),
    }


def _of_orbits(scores: Sequence[OrbitScore]) -> Changes:
    worst = 100.0 * max(_column(scores, "stray"))
    frames = f"in {len(scores) * len(ORBIT_AZIMUTHS)} frames"
    floating = sum(_column(scores, "floating"))
    of_truth = f"truth {sum(score.true_floating for score in scores)}"
    return {
        "floating_parts": _found(floating, of_truth, unit=frames),
        "stray_points": _found(
            100.0 * _mean(scores, "stray"), f"such as those of a second face; worst {worst:.2f} %"
        ),
        "orbit_iou": _found(min(_column(scores, "iou"))),
        "view_consistency": _found(100.0 * _mean(scores, "consistency")),
    }
