"""The command ``evaluate``: compares a model's pictures with true pictures."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylesdf_core.commands.rendering import Device
from stylesdf_core.errors import check_range
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.evaluation.report import QualityReport
    from stylesdf_core.model.poses import Poses


@dataclass(frozen=True, kw_only=True)
class Evaluate:
    """Compare a model's pictures with true pictures: Fréchet distance, turning, flicker.

    The Fréchet distance uses features of a fixed random network (seeded-features-1) instead of
    Inception's. It is no FID; compare only values of this command at the same --count.
    """

    model: str
    """A name of `models list`, a weights file, or a run folder (its newest averaged weights)."""

    data: Path
    """True pictures: folder of images, data set of synthetic heads, or lmdb. Whether heads turn
    with the camera is measured only with a data set of synthetic heads, whose cameras are known."""

    count: int = 2000
    """Generated pictures, and at most as many true pictures, 16 to 100000."""

    seed_start: int = 0
    """Seed of the first generated head."""

    orbits: int = 8
    """Heads orbited for flicker, 0 to 100."""

    azimuth_std: float | None = None
    """Standard deviation of the cameras' azimuth, radians. Default: the model's own, else 0.3."""

    elevation_std: float | None = None
    """Standard deviation of the elevation, radians. Default: the model's own, else 0.15."""

    distribution: Literal["normal", "uniform"] | None = None
    """Distribution of the cameras' angles. Default: the model's own, else normal."""

    json: Path | None = None
    """JSON file for all figures."""

    card: Path | None = None
    """Model card (Markdown) whose evaluated section is to be replaced."""

    device: Device = "auto"
    """Where to render."""

    def run(self) -> Operation[QualityReport]:
        """Evaluate; the result prints as a table.

        Raises:
            InputError: a number is out of range, there are no images, or the card has no section
                for these figures.
            ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
        """
        check_range("--count", self.count, 16, 100_000)
        check_range("--orbits", self.orbits, 0, 100)
        check_range("--seed-start", self.seed_start, 0)
        from stylesdf_core.evaluation.report import check_card, update_card
        from stylesdf_core.files import check_destination, write_json

        if self.json is not None:
            check_destination(self.json)
        if self.card is not None:
            check_card(self.card, "evaluate")
        poses = self._poses()
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.evaluation.image_quality import ImageProtocol, evaluate
        from stylesdf_core.model.model import load_model

        engine = Engine(load_model(self.model), self.device)
        protocol = ImageProtocol(
            count=self.count,
            seed_start=self.seed_start,
            orbits=min(self.orbits, self.count),
            poses=poses,
        )
        report = yield from evaluate(engine, self.data, protocol)
        if self.json is not None:
            write_json(self.json, report.to_json())
        if self.card is not None:
            update_card(self.card, "evaluate", report.markdown())
        return report

    def _poses(self) -> Poses:
        """The flags; for flags not given, the model's own poses, else the paper's for FFHQ."""
        from stylesdf_core.model.model_zoo import trained_poses
        from stylesdf_core.model.poses import FFHQ_POSES

        names = ("azimuth_std", "elevation_std", "distribution")
        flags = {name: getattr(self, name) for name in names if getattr(self, name) is not None}
        return replace(trained_poses(self.model) or FFHQ_POSES, **flags)
