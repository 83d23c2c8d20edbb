"""The command ``evaluate``: a model's pictures and shapes in figures."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.evaluation.measures.protocol import ImageProtocol, Metric
    from stylesdf_core.evaluation.measures.rows import Part
    from stylesdf_core.evaluation.reports.report import QualityReport
    from stylesdf_core.model.poses import Poses

#: Heads in the pictures of a report.
_PICTURED = 3


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Measure a model's pictures and shapes, against true ones or by themselves.

    FID and KID are torch-fidelity's, on Inception's published weights. The Fréchet distance uses
    features of a fixed random network (seeded-features-1) instead: it needs no download, and it is
    no FID: compare only its values at the same --count. Shapes are matched with the nearest true
    ones: matching distance and coverage after Achlioptas et al. (2018), by the Chamfer distance of
    depth maps from the front. An interrupted evaluation goes on.
    """

    model: str
    """A name of `models list`, a weights file, or a run folder (its newest averaged weights)."""

    data: Path | None = None
    """True pictures: folder of images, data set of synthetic heads, or lmdb. Only fid, kid,
    frechet, foreground and shapes need them: foreground a data set of `heads --backgrounds`, for
    its masks; shapes one of `heads --depth --azimuth-std 0 --elevation-std 0`, for its surfaces
    from the front. Whether heads turn with the camera is measured as well with a data set of
    synthetic heads, whose cameras are known."""

    metrics: str = "frechet,flicker"
    """What to measure, separated by commas: fid, kid, frechet, foreground, shapes;
    depth-consistency, identity, pose, flicker; or all that the data allow. Identity and pose need
    dlib (extra `judges`), fid and kid torch-fidelity (extra `eval`)."""

    count: int = 2000
    """Generated pictures, and at most as many true pictures, 16 to 100000; published FIDs use
    50000. The Fréchet distance is of at most half as many as there are true pictures: the other
    half's distance stands beside it."""

    identities: int = 100
    """Heads whose views are compared for depth-consistency, identity and pose, whose opacity is
    compared for foreground, or whose surfaces for shapes (at most half of the data set's heads and
    1000), 1 to 100000; the paper uses 1000."""

    seed_start: int = 0
    """Seed of the first generated head."""

    orbits: int = 8
    """Heads orbited for flicker, 0 to 100."""

    noise: Literal["fixed", "random", "surface", "none"] = "fixed"
    """The decoder's noise in the pictures for flicker: the model's own maps, random maps, maps that
    turn with the surface, or none."""

    rays: int = 1
    """Rays along each side of a pixel of the volume render in the pictures for flicker, 1 to 4."""

    azimuth_std: float | None = None
    """Standard deviation of the cameras' azimuth, radians. Default: the model's own, else 0.3."""

    elevation_std: float | None = None
    """Standard deviation of the elevation, radians. Default: the model's own, else 0.15."""

    distribution: Literal["normal", "uniform"] | None = None
    """Distribution of the cameras' angles. Default: the model's own, else normal."""

    inception: Path | None = None
    """Inception's weights for fid and kid, weights-inception-2015-12-05-6726825d.pth. Default:
    downloaded once (96 MB) and kept."""

    report: Path | None = None
    """Folder for report.html, one file with figures, curves and pictures, and report.json."""

    json: Path | None = None
    """JSON file for all figures."""

    card: Path | None = None
    """Model card (Markdown) whose evaluated section is to be replaced."""

    device: Device = "auto"
    """Where to render."""

    gpus: int = 1
    """Processes that share pictures and heads, one a GPU (or CPU), 1 to 64."""

    def run(self) -> Operation[QualityReport]:
        """Evaluate; the result prints as a table.

        Raises:
            InputError: a number is out of range, a metric is unknown or lacks true pictures or a
                library, there are no images, or the card has no section for these figures.
            ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
            DownloadError: Inception's weights cannot be fetched.
        """
        check_range("--count", self.count, 16, 100_000)
        check_range("--identities", self.identities, 1, 100_000)
        check_range("--orbits", self.orbits, 0, 100)
        check_range("--rays", self.rays, 1, 4)
        check_range("--seed-start", self.seed_start, 0)
        check_range("--gpus", self.gpus, 1, 64)
        from stylesdf_core.evaluation.reports.report import check_card, update_card
        from stylesdf_core.files import check_destination, write_json

        for file in (self.json, self.report and self.report / "report.html"):
            if file is not None:
                check_destination(file)
        if self.card is not None:
            check_card(self.card, "evaluate")
        self._protocol()  # a mistake is said at once
        if self.gpus > 1:
            from stylesdf_core.commands.evaluation.processes import measure_in_processes

            fields = asdict(self) | {"inception": (yield from self._weights())}
            yield from measure_in_processes(fields, self.gpus)
        engine, report = yield from self._measured()
        assert report is not None  # this is the only process
        if self.report is not None:
            from stylesdf_core.evaluation.reports.gallery import gallery
            from stylesdf_core.evaluation.reports.html_report import write_report

            seeds = range(self.seed_start, self.seed_start + _PICTURED)
            write_report(self.report, report, (yield from gallery(engine, seeds)))
        if self.json is not None:
            write_json(self.json, report.to_json())
        if self.card is not None:
            update_card(self.card, "evaluate", report.markdown())
        return report

    def measure(self, part: Part) -> Operation[None]:
        """Measure as one of several processes; :meth:`run` then makes the report.

        Raises:
            InputError, CheckpointError: see :meth:`run`.
        """
        yield from self._measured(part)

    def _measured(self, part: Part | None = None) -> Operation[tuple[Engine, QualityReport | None]]:
        """The engine, and the report unless other processes take part."""
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.evaluation.image_quality import evaluate
        from stylesdf_core.evaluation.measures.protocol import JUDGED, Workplace
        from stylesdf_core.evaluation.measures.rows import Part
        from stylesdf_core.model.model import load_model
        from stylesdf_core.resources import user_folder

        protocol = self._protocol()
        if protocol.metrics & JUDGED:
            from stylesdf_core.judges.dlib_judge import dlib_judge

            dlib_judge()  # fails now, not in an hour, if dlib is missing
        engine = Engine(load_model(self.model), self.device, exact=True)
        inception, weights = None, (yield from self._weights())
        if weights is not None:
            from stylesdf_core.evaluation.measures.inception import Inception

            inception = Inception(weights, engine.device)
        work = Workplace(user_folder("cache") / "evaluate", inception, part or Part())
        return engine, (yield from evaluate(engine, self.data, protocol, work))

    def _weights(self) -> Operation[Path | None]:
        """Inception's weights; None where no metric needs them."""
        from stylesdf_core.evaluation.measures.protocol import ON_INCEPTION

        if not self._metrics() & ON_INCEPTION:
            return None
        from stylesdf_core.evaluation.measures.inception import inception_weights, torch_fidelity

        torch_fidelity()  # fails before the download
        return (yield from inception_weights(self.inception))

    def _protocol(self) -> ImageProtocol:
        from stylesdf_core.evaluation.measures.protocol import ImageProtocol

        return ImageProtocol(
            metrics=self._metrics(),
            count=self.count,
            identities=self.identities,
            seed_start=self.seed_start,
            orbits=min(self.orbits, self.count),
            noise=self.noise,
            rays=self.rays,
            poses=self._poses(),
        )

    def _metrics(self) -> frozenset[Metric]:
        from stylesdf_core.evaluation.measures.foreground import has_masks
        from stylesdf_core.evaluation.measures.protocol import METRICS, WITH_DATA
        from stylesdf_core.evaluation.measures.true_depths import has_depths

        words = [word for word in self.metrics.replace(",", " ").split() if word]
        if words == ["all"]:
            lacking = set(WITH_DATA)
            if self.data is not None:
                allowed = {"foreground": has_masks(self.data), "shapes": has_depths(self.data)}
                lacking = {metric for metric in WITH_DATA if not allowed.get(metric, True)}
            words = [metric for metric in METRICS if metric not in lacking]
        chosen = frozenset(metric for metric in METRICS if metric in words)
        if unknown := [word for word in words if word not in METRICS]:
            known = ", ".join(METRICS)
            raise InputError(f"--metrics knows no {unknown[0]}; choose among {known}, or all.")
        if not chosen:
            raise InputError(f"--metrics names nothing; choose among {', '.join(METRICS)}, or all.")
        if chosen == {"flicker"} and not self.orbits:
            raise InputError("--orbits 0 leaves nothing to measure: flicker needs 1 or more heads.")
        if self.data is None and (needy := sorted(chosen & WITH_DATA)):
            others = ",".join(metric for metric in METRICS if metric not in WITH_DATA)
            raise InputError(
                f"The metric {needy[0]} compares with true pictures or shapes: give their folder "
                f"as --data, or choose --metrics {others}."
            )
        return chosen

    def _poses(self) -> Poses:
        """The flags; for flags not given, the model's own poses, else the paper's for FFHQ."""
        from stylesdf_core.model.model_zoo import trained_poses
        from stylesdf_core.model.poses import FFHQ_POSES

        names = ("azimuth_std", "elevation_std", "distribution")
        flags = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(trained_poses(self.model) or FFHQ_POSES, **flags)
