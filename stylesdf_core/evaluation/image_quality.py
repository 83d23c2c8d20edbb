"""`evaluate`: a model's pictures against true pictures, such as the model's training set.

Three questions are asked. How far are the generated pictures from the true ones as a set
(:mod:`~stylesdf_core.evaluation.frechet`)? Do heads turn by the angles of their cameras
(:mod:`~stylesdf_core.evaluation.pose_regressor`, for data sets with known cameras)? How much does
a picture change while orbiting, beyond the motion itself
(:mod:`~stylesdf_core.evaluation.flicker`)?
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stylesdf_core.data.images import find_usable, open_images
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.flicker import ARC_STEP, flicker, orbit
from stylesdf_core.evaluation.frechet import FEATURES, Gaussian, SeededFeatures, frechet_distance
from stylesdf_core.evaluation.image_metrics import sharpness_ratio
from stylesdf_core.evaluation.image_sets import (
    ImageSet,
    add_generated,
    add_true,
    shuffled,
    untruncated,
)
from stylesdf_core.evaluation.pose_regressor import (
    AngleFit,
    PoseRegressor,
    fit_pose_regressor,
    read_angles,
)
from stylesdf_core.evaluation.report import Figure, QualityReport
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import Operation, Step, part, run_steps
from stylesdf_core.rendering.camera import OrbitCamera

#: Fewest true pictures to compare with, and fewest with known cameras to fit a regressor to.
_FEWEST, _FEWEST_POSED = 16, 200
#: Duration of fitting the regressor, for the progress: as long as reading so many true pictures.
_FIT = 2000
#: Correlation on held-out true pictures from which the regressor's angles can be trusted.
_TRUSTED = 0.95


@dataclass(frozen=True)
class ImageProtocol:
    """Which pictures are compared.

    Attributes:
        count: number of generated pictures, and of true pictures if there are so many.
        seed_start: seed of the first generated head; each picture shows the next seed's head.
        pose_seed: seed of the cameras.
        orbits: heads that are orbited for their flicker.
    """

    count: int = 2000
    seed_start: int = 0
    pose_seed: int = 7
    orbits: int = 8
    poses: Poses = field(default_factory=Poses)

    @property
    def seeds(self) -> range:
        """Seeds of the generated heads."""
        return range(self.seed_start, self.seed_start + self.count)


@dataclass(frozen=True)
class _Pictures:
    """The compared sets; the distance of ``others`` from ``true`` is that of a perfect model."""

    generated: ImageSet
    true: ImageSet
    others: ImageSet


def evaluate(engine: Engine, folder: Path, protocol: ImageProtocol) -> Operation[QualityReport]:
    """Compare a model's pictures with the pictures in ``folder``.

    Raises:
        InputError: there are no images, or too few.
    """
    config, extractor = engine.config, SeededFeatures()
    pictures = _Pictures(*(ImageSet(config, extractor) for _ in range(3)))
    flickers: list[tuple[float, float]] = []
    with closing(open_images(folder, config.output_size)) as source:
        usable = yield from find_usable(source, config.output_size, upscale=True)
        if len(usable.indices) < _FEWEST:
            raise InputError(
                f"{folder} holds {len(usable.indices)} usable images; at least {_FEWEST} are "
                "needed to compare distributions."
            )
        order, angles = shuffled(usable.indices), read_angles(folder) or {}
        first = min(protocol.count, max(_FEWEST // 2, len(order) // 2))
        chosen, rest = order[:first], order[first : first + protocol.count]
        cameras = protocol.poses.cameras(protocol.count, protocol.pose_seed)
        reading = "looking at true pictures"
        steps = [
            Step(reading, 1, len(chosen), add_true(pictures.true, source, chosen, angles)),
            Step(reading, 1, len(rest), add_true(pictures.others, source, rest, angles)),
            Step(
                "generating pictures",
                3,
                protocol.count,
                add_generated(pictures.generated, engine, protocol.seeds, cameras),
            ),
            Step("orbiting", 60, protocol.orbits, _orbits(engine, protocol, flickers)),
        ]
        total = yield from run_steps(steps, _FIT)
    if len(pictures.true) < _FEWEST // 2:
        raise InputError(f"{folder}: most images turn out to be damaged; see `dataset check`.")
    regressor = yield from part(_regressor(pictures), total - _FIT, total, total)
    figures = [
        *_frechet_figures(pictures),
        *_turning_figures(pictures.generated, regressor),
        *_flicker_figures(flickers, decoded=config.has_decoder),
        Figure(
            "sharpness_ratio",
            f"sharpness {config.output_size}², of the true pictures'",
            sharpness_ratio(pictures.generated.sharpness, pictures.true.sharpness),
            detail="mean absolute Laplacian of the luma",
        ),
    ]
    scores = [
        {"seed": seed, "flicker": image}
        for seed, (image, _) in zip(protocol.seeds, flickers, strict=False)
    ]
    text = _protocol_text(protocol, folder.name, pictures)
    return QualityReport(engine.model.name, text, tuple(figures), {"orbits": scores})


def _orbits(
    engine: Engine, protocol: ImageProtocol, flickers: list[tuple[float, float]]
) -> Iterator[None]:
    """Append the flicker of each head's image and of its enlarged volume render."""
    for seed in protocol.seeds[: protocol.orbits]:
        frames = orbit(engine, untruncated(seed, OrbitCamera()))
        floor = flicker(frames.floor) if engine.config.has_decoder else math.nan
        flickers.append((flicker(frames.image), floor))
        yield


def _regressor(pictures: _Pictures) -> Operation[PoseRegressor | None]:
    """A regressor fitted to all true pictures with known cameras; None if these are too few."""
    sets = [images for images in (pictures.true, pictures.others) if len(images)]
    angles = np.concatenate([np.asarray(images.angles, np.float32) for images in sets])
    known = np.isfinite(angles).all(axis=1)
    if known.sum() < _FEWEST_POSED:
        return None
    small = np.concatenate([images.small() for images in sets])
    return (yield from fit_pose_regressor(small[known], angles[known]))


def _protocol_text(protocol: ImageProtocol, name: str, pictures: _Pictures) -> str:
    return (
        f"{len(pictures.generated)} generated pictures (seeds {protocol.seeds[0]} to "
        f"{protocol.seeds[-1]}, truncation ψ 1, rendered as in the studio, poses "
        f"{protocol.poses}) against {len(pictures.true)} of {name}, whose distance from "
        f"{len(pictures.others)} others of them is given beside. The Fréchet distance is d² on "
        f"{FEATURES}, a random network with seeded weights: comparable with itself at equal "
        "counts, not with any FID."
    )


def _frechet_figures(pictures: _Pictures) -> list[Figure]:
    config = pictures.true.config
    volume = f"volume render {config.thumb_size}²"
    kinds = [("image", "frechet_volume", volume)]
    if config.has_decoder:
        kinds = [
            ("image", "frechet_image", f"image {config.output_size}²"),
            ("thumb", "frechet_volume", volume),
        ]
    figures = []
    for kind, key, subject in kinds:
        true = Gaussian.of(pictures.true.features(kind))
        distance = frechet_distance(Gaussian.of(pictures.generated.features(kind)), true)
        detail = ""
        if len(pictures.others) >= _FEWEST // 2:
            floor = frechet_distance(Gaussian.of(pictures.others.features(kind)), true)
            detail = f"other true pictures: {floor:.2f}"
        title = f"Fréchet distance ({FEATURES}), {subject}"
        figures.append(Figure(key, title, distance, detail=detail, better="lower"))
    return figures


def _turning_figures(generated: ImageSet, regressor: PoseRegressor | None) -> list[Figure]:
    if regressor is None:
        return []
    held_out = regressor.held_out.correlation
    quality = f"a regressor fitted to true pictures, r {held_out:.3f} on held-out ones"
    if held_out < _TRUSTED:
        quality += ": too low to trust its angles"
    asked, seen = np.asarray(generated.angles), regressor(generated.small())
    figures = []
    for axis, name in enumerate(("azimuth", "elevation")):
        fit = AngleFit.of(asked[:, axis], seen[:, axis])
        title = f"commanded {name} to shown one, Pearson's r"
        detail = quality if axis == 0 else ""
        figures += [
            Figure(f"{name}_r", title, fit.correlation, digits=3, detail=detail),
            Figure(f"{name}_slope", f"the same, slope ({name})", fit.slope, digits=3),
        ]
    return figures


def _flicker_figures(flickers: Sequence[tuple[float, float]], *, decoded: bool) -> list[Figure]:
    if not flickers:
        return []
    images, floors = (
        [value for value in values if math.isfinite(value)]
        for values in zip(*flickers, strict=True)
    )
    detail = f"mean |difference| after reprojection, steps of {ARC_STEP:g} rad, {len(images)} heads"
    if decoded:
        floor = f"{np.mean(floors):.2f}" if floors else "not measured"
        detail += f"; the volume render, enlarged: {floor}"
    mean = float(np.mean(images)) if images else math.nan
    title = "flicker while orbiting"
    return [Figure("flicker", title, mean, "grey levels", detail=detail, better="lower")]
