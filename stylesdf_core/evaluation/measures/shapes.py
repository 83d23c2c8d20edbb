"""Generated heads' surfaces against true ones, as sets: how near, how varied, how turned.

A generated head has no truth of its own; it is matched with the nearest true head
(:mod:`~stylesdf_core.evaluation.metrics.shape_sets`). All figures stand beside those of other true
heads, which a perfect model reaches. A model's surface lies at its expected depth, as in the depth
consistency, and is seen by the camera of a true head.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.picture_sets import untruncated
from stylesdf_core.evaluation.measures.protocol import ImageProtocol, Workplace
from stylesdf_core.evaluation.measures.rows import Columns, Task
from stylesdf_core.evaluation.measures.true_depths import TrueDepth, enough_depths
from stylesdf_core.evaluation.metrics.shape_metrics import BIN, COVERED, back_project
from stylesdf_core.evaluation.metrics.shape_sets import (
    SeenSurface,
    chamfer_distances,
    coverage,
    minimum_matching_distance,
    normals_angle,
)
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.progress import Operation, Progress, part

#: Largest edge of the depth maps that are compared; larger ones are sampled.
EDGE = 64
#: Heads of each set, at most.
_MOST = 1000
#: Durations in the time that reading a true picture takes: of a head's depth map, of matching two
#: heads, and of the angles between the normals of a pair.
_VIEW, _MATCH, _ANGLES = 4.0, 0.1, 2.0


@dataclass(frozen=True)
class _Matches:
    """Heads of one set beside the true ones.

    Attributes:
        distances: (N, M), from heads to true heads, bins; infinite for a head without surface.
        angles: (N,), mean angle between the normals of a head and its nearest true one, degrees;
            NaN for a head without surface.
    """

    distances: npt.NDArray[np.float64]
    angles: npt.NDArray[np.float64]

    @property
    def found(self) -> npt.NDArray[np.bool_]:
        """Which heads have a surface (N,)."""
        return np.asarray(np.isfinite(self.distances).any(axis=1))

    @property
    def mmd(self) -> float:
        return minimum_matching_distance(self.distances)

    @property
    def coverage(self) -> float:
        """In percent."""
        return 100.0 * coverage(self.distances)

    @property
    def angle(self) -> float:
        """Mean over heads, degrees."""
        return float(self.angles[self.found].mean()) if self.found.any() else float("nan")


class ShapeComparison:
    """A model's surfaces and true ones, equally many.

    The true heads are split in two halves, unless there are twice as many as asked for: one half
    is the truth, the other is compared with it as the generated heads are.

    Args:
        folder: data set of synthetic heads with depth maps.

    Attributes:
        count: heads of each set.
        edge: edge of the depth maps, pixels.
        task: renders the generated heads' depth maps.
        scores: the nearest true head of each generated one, and the distances between them; empty
            before :meth:`finish`.

    Raises:
        InputError: there are too few depth maps from the front, or one is damaged.
    """

    def __init__(
        self, engine: Engine, folder: Path, protocol: ImageProtocol, work: Workplace
    ) -> None:
        self.engine, self.folder, self.seed_start = engine, folder, protocol.seed_start
        found = enough_depths(folder)
        count = self.count = min(protocol.identities, _MOST, len(found) // 2)
        self._true, self._others = found[:count], found[count : 2 * count]
        self.edge = len(found[0].points(EDGE))
        self.scores: list[dict[str, Any]] = []
        seen = {"edge": self.edge, "cameras": [asdict(true.camera) for true in self._true]}
        rows = work.model_rows("shapes", engine, protocol, **seen)
        self.task = Task(rows, "looking at surfaces", count, _VIEW, self.measure)

    @property
    def duration(self) -> float:
        """Duration of :meth:`finish`, in the time that reading a true picture takes."""
        return 2.0 * self.count * (_MATCH * self.count + _ANGLES)

    def measure(self, things: Sequence[int]) -> Columns:
        """Column ``depth`` (B, E, E): depths of heads, world units, NaN beside a head."""
        depths = []
        for number in things:
            scene = untruncated(self.seed_start + number, self._true[number].camera)
            seen = self.engine.render(scene, "depth", self.edge)
            depths.append(np.where(1.0 - seen.background >= COVERED, seen.data[0], np.nan))
        return {"depth": np.stack(depths).astype(np.float32)}

    def finish(self) -> Operation[list[Figure]]:
        """All figures, once the task has run."""
        depths = self.task.rows.column("depth")[: self.count]
        seen = zip(depths, self._true, strict=True)
        generated = [SeenSurface.of(back_project(depth, true.camera)) for depth, true in seen]
        true = yield from part(self._read(self._true), 0.0, 0.05)
        others = yield from part(self._read(self._others), 0.05, 0.1)
        made = yield from part(_matches(generated, true), 0.1, 0.55)
        floor = yield from part(_matches(others, true), 0.55, 1.0)
        self.scores = self._scores_of(made)
        return _figures(made, floor)

    def text(self) -> str:
        """Which heads were compared."""
        last = self.seed_start + self.count - 1
        return (
            f"Surfaces of {self.count} generated heads (seeds {self.seed_start} to {last}) against "
            f"{self.count} of {self.folder.name}, seen from the front in {self.edge}² pixels, "
            f"beside those of {self.count} others of them; a bin is {BIN:g} world units."
        )

    def _read(self, shapes: Sequence[TrueDepth]) -> Operation[list[SeenSurface]]:
        surfaces = []
        for number, shape in enumerate(shapes):
            surfaces.append(SeenSurface.of(shape.points(self.edge)))
            yield Progress(number + 1, len(shapes), "reading true depth maps")
        return surfaces

    def _scores_of(self, made: _Matches) -> list[dict[str, Any]]:
        return [
            {
                "seed": self.seed_start + number,
                "nearest": self._true[nearest].file.relative_to(self.folder).as_posix(),
                "bins": float(made.distances[number, nearest]),
                "degrees": float(made.angles[number]),
            }
            for number, nearest in enumerate(made.distances.argmin(axis=1))
            if made.found[number]
        ]


def _figures(made: _Matches, floor: _Matches) -> list[Figure]:
    lost = int((~made.found).sum())
    without = f"; {lost} without surface" if lost else ""
    return [
        Figure(
            "shape_mmd", "surfaces, minimum matching distance (Chamfer)", made.mmd, "bins",
            detail=f"other true heads: {floor.mmd:.2f}{without}", better="lower",
        ),
        Figure(
            "shape_coverage", "surfaces, coverage of the true heads", made.coverage, "%", 0,
            detail=f"other true heads: {floor.coverage:.0f}", better="higher",
        ),
        Figure(
            "shape_normals", "normals against the nearest true head's", made.angle, "°", 1,
            detail=f"other true heads: {floor.angle:.1f}", better="lower",
        ),
    ]  # fmt: skip


def _matches(heads: Sequence[SeenSurface], true: Sequence[SeenSurface]) -> Operation[_Matches]:
    distances = yield from part(chamfer_distances(heads, true), 0.0, 0.9)
    angles = []
    for number, (head, nearest) in enumerate(zip(heads, distances.argmin(axis=1), strict=True)):
        angles.append(normals_angle(head, true[nearest]))
        yield Progress(0.9 + 0.1 * (number + 1) / len(heads), 1, "comparing normals")
    return _Matches(distances / BIN, np.array(angles))
