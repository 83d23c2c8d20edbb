"""A model against the pictures it learnt from; the truth behind them need not be known.

Three questions: how far the generated pictures are from the true ones as a set (Fréchet distance
on seeded features, no FID), whether heads turn as the camera is told (for data sets that tell
theirs), and how much a picture changes while orbiting beyond the motion itself (flicker).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.data.images import find_usable, open_images
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.flicker import flicker, orbit
from stylesdf_core.evaluation.frechet import FEATURES, Gaussian, SeededFeatures, frechet_distance
from stylesdf_core.evaluation.image_sets import (
    ImageSet,
    ModelSizes,
    TruePictures,
    fill_generated,
    scene_of,
)
from stylesdf_core.evaluation.pose_regressor import (
    AngleFit,
    PoseRegressor,
    fit_pose_regressor,
    told_angles,
)
from stylesdf_core.evaluation.poses import Poses
from stylesdf_core.evaluation.report import Figure, QualityReport
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.rendering.camera import OrbitCamera

#: Fewest true pictures, and pictures with told cameras.
_FEWEST, _FEWEST_TOLD = 16, 200
#: What fitting the regressor is worth of progress, in true pictures looked at.
_FIT = 2000
#: Correlation from which the regressor is a judge.
_TRUSTED = 0.95


@dataclass(frozen=True)
class ImageProtocol:
    """What is looked at.

    Attributes:
        count: generated pictures, and as many true ones.
        seed_start: seed of the first generated head; one a picture.
        pose_seed: of the cameras.
        orbits: heads that are orbited for their flicker.
    """

    count: int = 2000
    seed_start: int = 0
    pose_seed: int = 7
    orbits: int = 8
    poses: Poses = field(default_factory=Poses)


@dataclass
class _Found:
    sizes: ModelSizes
    fake: ImageSet
    real: ImageSet
    rest: ImageSet
    regressor: PoseRegressor | None = None
    flicker: list[float] = field(default_factory=list)
    flicker_volume: list[float] = field(default_factory=list)


def evaluate(engine: Engine, folder: Path, protocol: ImageProtocol) -> Operation[QualityReport]:
    """Compare; yields Progress in pictures, roughly.

    Raises:
        InputError: there are no images, or too few.
    """
    sizes, extractor = ModelSizes.of(engine), SeededFeatures()
    fake, real, rest_of_real = (ImageSet(extractor, sizes) for _ in range(3))
    found = _Found(sizes, fake, real, rest_of_real)
    with closing(open_images(folder, sizes.image)) as source:
        usable = yield from find_usable(source, sizes.image, upscale=True)
        if len(usable.indices) < _FEWEST:
            raise InputError(
                f"{folder} holds {len(usable.indices)} usable images; {_FEWEST} are too few "
                "to speak of a distribution."
            )
        truth = TruePictures(source, usable.indices, told_angles(folder))
        order = truth.order()
        # The first are compared; as many others tell how far apart true pictures are.
        first = min(protocol.count, max(_FEWEST // 2, len(order) // 2))
        rest = order[first : first + protocol.count]
        total = len(order[:first]) + len(rest) + 3 * protocol.count + 60 * protocol.orbits + _FIT
        work = _work(engine, protocol, found, truth, order[:first], rest)
        done = 0.0
        for weight, message in work:
            done += weight
            yield Progress(done, total, message)
    if len(found.real) < _FEWEST // 2:
        raise InputError(f"{folder}: most images turn out to be damaged; see `dataset check`.")
    found.regressor = yield from _later(_regressor(found), total)
    return _report(engine, folder, protocol, found)


def _work(
    engine: Engine,
    protocol: ImageProtocol,
    found: _Found,
    truth: TruePictures,
    first: npt.NDArray[np.intp],
    rest: npt.NDArray[np.intp],
) -> Iterator[tuple[float, str]]:
    for images, indices in ((found.real, first), (found.rest, rest)):
        for _ in truth.fill(images, indices):
            yield 1.0, "looking at true pictures"
    seeds = range(protocol.seed_start, protocol.seed_start + protocol.count)
    cameras = protocol.poses.cameras(protocol.count, protocol.pose_seed)
    for _ in fill_generated(found.fake, engine, seeds, cameras):
        yield 3.0, "generating pictures"
    for seed in seeds[: protocol.orbits]:
        turned = orbit(engine, scene_of(seed, OrbitCamera()))
        found.flicker.append(flicker(turned.image))
        if found.sizes.decoded:
            found.flicker_volume.append(flicker(turned.floor))
        yield 60.0, "orbiting"


def _later(
    operation: Operation[PoseRegressor | None], total: float
) -> Operation[PoseRegressor | None]:
    """The operation's progress as the last part of all."""
    while True:
        try:
            progress = next(operation)
        except StopIteration as stop:
            fitted: PoseRegressor | None = stop.value
            return fitted
        yield Progress(total - _FIT * (1.0 - progress.fraction), total, progress.message)


def _regressor(found: _Found) -> Operation[PoseRegressor | None]:
    """Fitted to all true pictures that tell their cameras; None for too few."""
    angles = np.asarray(found.real.angles + found.rest.angles, np.float32)
    told = np.isfinite(angles).all(axis=1)
    if told.sum() < _FEWEST_TOLD:
        return None
    small = np.concatenate([images.small() for images in (found.real, found.rest) if len(images)])
    return (yield from fit_pose_regressor(small[told], angles[told]))


def _report(engine: Engine, folder: Path, protocol: ImageProtocol, found: _Found) -> QualityReport:
    figures = _frechet_figures(found)
    figures += _turning_figures(found)
    figures += _flicker_figures(found)
    figures += _sharpness_figures(found)
    last = protocol.seed_start + protocol.count - 1
    text = (
        f"{len(found.fake)} generated pictures (seeds {protocol.seed_start} to {last}, truncation "
        f"ψ 1, rendered as in the studio, poses {protocol.poses}) against {len(found.real)} of "
        f"{folder.name}, whose distance from {len(found.rest)} others of them is given beside. The "
        f"Fréchet distance is d² on {FEATURES}, a random network with seeded "
        "weights: comparable with itself at equal counts, not with any FID."
    )
    scores = {
        "orbits": [
            {"seed": protocol.seed_start + index, "flicker": value}
            for index, value in enumerate(found.flicker)
        ]
    }
    return QualityReport(engine.model.name, text, tuple(figures), scores)


def _frechet_figures(found: _Found) -> list[Figure]:
    volume = f"volume render {found.sizes.thumb}²"
    kinds = [("image", "frechet_volume", volume)]
    if found.sizes.decoded:
        kinds = [
            ("image", "frechet_image", f"image {found.sizes.image}²"),
            ("thumb", "frechet_volume", volume),
        ]
    figures = []
    for kind, key, of_what in kinds:
        real = Gaussian.of(found.real.features(kind))
        distance = frechet_distance(Gaussian.of(found.fake.features(kind)), real)
        detail = ""
        if len(found.rest) >= _FEWEST // 2:
            floor = frechet_distance(Gaussian.of(found.rest.features(kind)), real)
            detail = f"other true pictures: {floor:.2f}"
        title = f"Fréchet distance ({FEATURES}), {of_what}"
        figures.append(Figure(key, title, distance, detail=detail, better="lower"))
    return figures


def _turning_figures(found: _Found) -> list[Figure]:
    if found.regressor is None:
        return []
    held_out = found.regressor.held_out.correlation
    asked = np.asarray(found.fake.angles)
    shown = found.regressor(found.fake.small())
    figures = []
    for axis, name in enumerate(("azimuth", "elevation")):
        fit = AngleFit.of(asked[:, axis], shown[:, axis])
        judge = f"a regressor fitted to true pictures, r {held_out:.3f} on held-out ones"
        if held_out < _TRUSTED:
            judge += ": too little to judge by"
        figures += [
            Figure(
                f"{name}_r",
                f"commanded {name} to shown one, Pearson's r",
                fit.correlation,
                digits=3,
                detail=judge if axis == 0 else "",
            ),
            Figure(f"{name}_slope", f"the same, slope ({name})", fit.slope, digits=3),
        ]
    return figures


def _flicker_figures(found: _Found) -> list[Figure]:
    if not found.flicker:
        return []
    values = [value for value in found.flicker if math.isfinite(value)]
    mean = float(np.mean(values)) if values else float("nan")
    detail = f"mean |difference| after reprojection, steps of 0.02 rad, {len(values)} heads"
    if found.flicker_volume:
        floor = [value for value in found.flicker_volume if math.isfinite(value)]
        text = f"{np.mean(floor):.2f}" if floor else "not measured"
        detail += f"; the volume render, enlarged: {text}"
    title = "flicker while orbiting"
    return [Figure("flicker", title, mean, "grey levels", detail=detail, better="lower")]


def _sharpness_figures(found: _Found) -> list[Figure]:
    ratio = float(np.mean(found.fake.sharpness)) / max(float(np.mean(found.real.sharpness)), 1e-12)
    title = f"sharpness {found.sizes.image}², of the true pictures'"
    return [Figure("sharpness_ratio", title, ratio, detail="mean absolute Laplacian of the luma")]
