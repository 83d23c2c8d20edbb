"""Generated pictures against true ones: FID, KID, Fréchet distance, turning, sharpness."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.data import images as data
from stylesdf_core.data.images import ImageSource, Pixels
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.pose_regressor import (
    AngleFit,
    PoseRegressor,
    fit_pose_regressor,
    read_angles,
)
from stylesdf_core.evaluation.measures import set_checks
from stylesdf_core.evaluation.measures.inception import EDGE, FEWEST, fid, kid
from stylesdf_core.evaluation.measures.picture_sets import (
    Extractor,
    Extractors,
    GeneratedPictures,
    PictureSet,
    TruePictures,
    shuffled,
)
from stylesdf_core.evaluation.measures.protocol import ON_INCEPTION, ImageProtocol, Workplace
from stylesdf_core.evaluation.measures.rows import Task
from stylesdf_core.evaluation.metrics.frechet import (
    FEATURES,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)
from stylesdf_core.evaluation.metrics.image_metrics import bytes_as_tensor, sharpness_ratio
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.progress import Operation

#: Fewest true pictures to compare with, and fewest with known cameras to fit a regressor to.
FEWEST_TRUE, _FEWEST_POSED = 16, 200
#: Duration of fitting the regressor, for the progress: as long as reading so many true pictures.
FIT = 2000.0
#: Correlation on held-out true pictures from which the regressor's angles can be trusted.
_TRUSTED = 0.95
#: Pictures measured at once, between two reports of progress: on a GPU, on a CPU, and on a CPU
#: with Inception.
_ON_GPU, _ON_CPU, _SLOWLY = 32, 8, 2
#: Durations, in the time that reading a true picture takes.
_GENERATED, _ON_INCEPTION = 3.0, 6.0


class SetComparison:
    """Two sets of pictures, and what is said about them once the tasks have run.

    The Fréchet distance is given beside that of other true pictures, a perfect model's: the true
    pictures are then split in two halves, unless there are twice as many as asked for. Since the
    distance is larger for fewer pictures, it is of as many generated pictures as there are others.

    Attributes:
        tasks: of the true and of the generated pictures.
        poses_known: whether true pictures tell their cameras.

    Raises:
        InputError: there are too few true pictures.
    """

    def __init__(
        self,
        engine: Engine,
        folder: Path,
        source: ImageSource,
        protocol: ImageProtocol,
        work: Workplace,
    ) -> None:
        self.engine, self.folder, self.protocol = engine, folder, protocol
        config, total = engine.config, len(source.names)
        self._refuse_few(total)
        angles = read_angles(folder)
        self.poses_known = bool(angles) and bool(protocol.metrics & {"frechet", "pose"})
        extractors = _extractors(protocol, work, engine, small=self.poses_known)
        self._split = min(protocol.count, max(FEWEST_TRUE // 2, total // 2))
        with_others = protocol.metrics & {"frechet", "pose"}
        wanted = self._split + protocol.count if with_others else protocol.count
        order = shuffled(total)[:wanted]
        self._needed = len(order)
        kept = {
            "columns": [*extractors.image, *extractors.thumb, *["small"] * extractors.small],
            "features": FEATURES,
        }
        known = {
            "pictures": data.fingerprint(source),
            "sizes": [config.output_size, config.thumb_size],
            **kept,
        }
        true = TruePictures(source, order, angles, config, extractors)
        cameras = protocol.poses.cameras(protocol.count, protocol.pose_seed)
        generated = GeneratedPictures(engine, protocol.seed_start, cameras, extractors)
        slow = bool(protocol.metrics & ON_INCEPTION)
        more = _ON_INCEPTION if slow else 0.0
        on_cpu = _SLOWLY if slow else _ON_CPU
        chunk = on_cpu if engine.device.type == "cpu" else _ON_GPU
        self.tasks = (
            Task(
                work.rows("true", known), "looking at true pictures", len(order), 1.0 + more,
                true.measure, chunk,
            ),
            Task(
                work.model_rows("generated", engine, protocol, **kept),
                "generating pictures", protocol.count, _GENERATED + more,
                generated.measure, chunk,
            ),
        )  # fmt: skip

    def finish(self) -> Operation[list[Figure]]:
        """All figures; fits the pose regressor, if cameras are known.

        Raises:
            InputError: too few true pictures are sound.
        """
        metrics = self.protocol.metrics
        rows, made = (task.rows for task in self.tasks)
        self._refuse_few(len(PictureSet(rows, 0, self._needed)))
        self._every = PictureSet(rows, 0, min(self._needed, self.protocol.count))
        self._true = PictureSet(rows, 0, self._split)
        self._others = PictureSet(rows, self._split, self._needed)
        self._generated = PictureSet(made, 0, self.protocol.count)
        self._as_many = PictureSet(made, 0, self._needed - self._split)
        figures = self._inception_figures()
        if "frechet" in metrics:
            figures += self._frechet_figures()
        if self.poses_known:
            figures += self._turning_figures((yield from self._regressor()))
        true, generated = (x.column("sharpness").tolist() for x in (self._true, self._generated))
        size = self.engine.config.output_size
        title = f"sharpness {size}², of the true pictures'"
        ratio = sharpness_ratio(generated, true)
        detail = "mean absolute Laplacian of the luma"
        return [*figures, Figure("sharpness_ratio", title, ratio, detail=detail)]

    def warnings(self) -> list[str]:
        """What makes the sets incomparable; after :meth:`finish`."""
        sets = {"generated": self._generated, "true": self._every}
        columns = {name: each.column("contrast") for name, each in sets.items()}
        notes = [note for name, x in columns.items() for note in set_checks.one_coloured(name, x)]
        notes += set_checks.backgrounds(*(each.column("border") for each in sets.values()))
        size = self.engine.config.output_size
        on_inception = self.protocol.metrics & ON_INCEPTION
        edge, full = min(EDGE, size), EDGE if on_inception else size
        notes += set_checks.resolutions(self._every.column("edge"), edge, full)
        if "fid" in self.protocol.metrics:
            notes += set_checks.few(len(self._generated), len(self._every), FEWEST)
        return notes

    def text(self) -> str:
        """Which pictures were compared; after :meth:`finish`."""
        protocol = self.protocol
        text = (
            f"{len(self._generated)} generated pictures (seeds {protocol.seeds[0]} to "
            f"{protocol.seeds[-1]}, truncation ψ 1, rendered as in the studio, poses "
            f"{protocol.poses}) against "
        )
        if "frechet" not in protocol.metrics:
            return f"{text}{len(self._every)} of {self.folder.name}."
        return (
            f"{text}{len(self._true)} of {self.folder.name}, whose distance from "
            f"{len(self._others)} others of them is given beside. The Fréchet distance, of "
            f"{len(self._as_many)} generated pictures, is d² on {FEATURES}, a random network with "
            "seeded weights: comparable with itself at equal counts, not with any FID."
        )

    def _refuse_few(self, usable: int) -> None:
        if usable < FEWEST_TRUE:
            raise InputError(
                f"{self.folder} holds {usable} usable images; at least {FEWEST_TRUE} are needed to "
                "compare distributions."
            )

    def _inception_figures(self) -> list[Figure]:
        metrics = self.protocol.metrics
        if not metrics & ON_INCEPTION:
            return []
        edge = min(EDGE, self.engine.config.output_size)
        sets = [each.column("inception") for each in (self._generated, self._every)]
        counts = f"{len(sets[0])} generated, {len(sets[1])} true pictures; torch-fidelity"
        figures = []
        if "fid" in metrics:
            value = fid(sets[0], sets[1])
            figures.append(Figure("fid", f"FID, {edge}²", value, detail=counts, better="lower"))
        if "kid" in metrics:
            found = kid(sets[0], sets[1])
            detail = f"± {1e3 * found.std:.2f} over subsets of {found.subset}; {counts}"
            title, value = f"KID·10³, {edge}²", 1e3 * found.mean
            figures.append(Figure("kid", title, value, detail=detail, better="lower"))
        return figures

    def _frechet_figures(self) -> list[Figure]:
        config = self.engine.config
        volume = f"volume render {config.thumb_size}²"
        kinds = [("image", "frechet_volume", volume)]
        if config.has_image:
            kinds = [
                ("image", "frechet_image", f"image {config.output_size}²"),
                ("thumb", "frechet_volume", volume),
            ]
        figures = []
        for kind, key, subject in kinds:
            true = Gaussian.of(self._true.column(kind))
            distance = frechet_distance(Gaussian.of(self._as_many.column(kind)), true)
            detail = ""
            if len(self._others) >= FEWEST_TRUE // 2:
                floor = frechet_distance(Gaussian.of(self._others.column(kind)), true)
                detail = f"other true pictures: {floor:.2f}"
            title = f"Fréchet distance ({FEATURES}), {subject}"
            figures.append(Figure(key, title, distance, detail=detail, better="lower"))
        return figures

    def _regressor(self) -> Operation[PoseRegressor | None]:
        """A regressor fitted to all true pictures with known cameras; None if these are too few."""
        sets = [images for images in (self._true, self._others) if len(images)]
        angles = np.concatenate([images.column("angles") for images in sets])
        known = np.isfinite(angles).all(axis=1)
        if known.sum() < _FEWEST_POSED:
            return None
        small = np.concatenate([images.column("small") for images in sets])
        return (yield from fit_pose_regressor(small[known], angles[known]))

    def _turning_figures(self, regressor: PoseRegressor | None) -> list[Figure]:
        if regressor is None:
            return []
        held_out = regressor.held_out.correlation
        quality = f"a regressor fitted to true pictures, r {held_out:.3f} on held-out ones"
        if held_out < _TRUSTED:
            quality += ": too low to trust its angles"
        asked, seen = self._generated.column("angles"), regressor(self._generated.column("small"))
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


def _extractors(
    protocol: ImageProtocol, work: Workplace, engine: Engine, *, small: bool
) -> Extractors:
    image: dict[str, Extractor] = {}
    thumb: dict[str, Extractor] = {}
    if "frechet" in protocol.metrics:
        seeded = SeededFeatures()

        def features(pictures: Pixels) -> npt.NDArray[np.float32]:
            return seeded(bytes_as_tensor(pictures)).astype(np.float32)

        image["image"] = features
        if engine.config.has_image:
            thumb["thumb"] = features
    if protocol.metrics & ON_INCEPTION:
        inception = work.inception
        assert inception is not None

        def at_most(pictures: Pixels) -> npt.NDArray[np.float32]:
            if pictures.shape[1] > EDGE:
                pictures = np.stack([data.shrink(picture, EDGE) for picture in pictures])
            return inception(pictures)

        image["inception"] = at_most
    return Extractors(image, thumb, small)
