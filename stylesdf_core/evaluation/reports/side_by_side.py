"""Several models beside each other: one table of their figures.

For comparisons of models that were trained on the same images, such as a signed distance and a
density (``recipe compare``).
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import EmptySurfaceError
from stylesdf_core.evaluation.reports.report import Figure, Report, Table
from stylesdf_core.mesh.surface import extract_surface, report
from stylesdf_core.progress import Operation, part
from stylesdf_core.scene.scene import Identity, Scene

#: Edge of the grid on which surfaces are meshed.
_MESH = 96


@dataclass(frozen=True)
class SideBySide(Report):
    """A comparison of models as a table, a column for each.

    Attributes:
        protocol: what was trained and measured, one sentence.
        columns: heading and figures of each model.
    """

    protocol: str
    columns: tuple[tuple[str, Sequence[Figure]], ...]

    def sections(self, draw: Callable[[Table], str]) -> list[str]:
        """Protocol and table, with remarks on all models; a dash where a model lacks a figure."""
        columns = [{figure.title: figure for figure in figures} for _, figures in self.columns]
        head = ("", *(heading for heading, _ in self.columns), "")
        rows = []
        for title in dict.fromkeys(title for column in columns for title in column):
            found = [column.get(title) for column in columns]
            shared = _shared_remarks([figure for figure in found if figure])
            values = (_value(figure, shared) for figure in found)
            rows.append((title, *values, "; ".join(shared)))
        return [self.protocol, draw([head, *rows])]

    def to_json(self) -> dict[str, Any]:
        """Protocol and all figures, by model."""
        models = {
            heading: [figure.to_json() for figure in figures] for heading, figures in self.columns
        }
        return {"protocol": self.protocol, "models": models}


#: In a remark on shapes that a figure leaves out.
WITHOUT_SURFACE = "without surface"


def _shared_remarks(figures: Sequence[Figure]) -> list[str]:
    """What is remarked on every one of some figures of several models."""
    remarks = [_remarks(figure) for figure in figures]
    return [part for part in remarks[0] if all(part in other for other in remarks)]


def _value(figure: Figure | None, shared: Sequence[str]) -> str:
    """A figure with the shapes that it leaves out, where other models' figures do not."""
    if figure is None:
        return "–"
    own = [part for part in _remarks(figure) if part not in shared and WITHOUT_SURFACE in part]
    return figure.value_text + (f" ({'; '.join(own)})" if own else "")


def _remarks(figure: Figure) -> list[str]:
    return figure.detail.split("; ")


def training_figures(records: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Images that a run's last phase was trained on, and how many a second, from its records.

    The phase before it, which fits a sphere, sees no images.
    """
    counted = [record for record in records if "images" in record]
    last = [record for record in counted if record["phase"] == counted[-1]["phase"]]
    speeds = [record["images_per_second"] for record in last]
    images = last[-1]["images"] if last else math.nan
    return [
        Figure("images", "images of training", images, digits=0),
        Figure(
            "images_per_second",
            "images of training a second, median",
            statistics.median(speeds) if speeds else math.nan,
            digits=1,
            better="higher",
        ),
    ]


def surface_figures(engine: Engine, seeds: Sequence[int]) -> Operation[list[Figure]]:
    """Floaters in the surfaces of some heads; yields Progress in heads.

    A floater is a component of the surface besides the largest one, at 96³ points in the trained
    volume. A density's surface lies where half the light is lost within a sample.
    """
    loose: list[float] = []
    for index, seed in enumerate(seeds):
        scene = Scene(identity=Identity(seed=seed))
        try:
            meshing = extract_surface(engine.sdf(scene), resolution=_MESH)
            mesh = yield from part(meshing, index, index + 1, len(seeds))
        except EmptySurfaceError:
            loose.append(1.0)
            continue
        loose.append(1.0 - report(mesh).largest_fraction)
    worst = max(loose, default=0.0)
    return [
        Figure(
            "floaters",
            "triangles outside the largest component",
            100.0 * float(np.mean(loose)) if loose else math.nan,
            unit="%",
            better="lower",
            detail=f"{len(loose)} heads, worst {100.0 * worst:.1f} %",
        )
    ]


def read_figures(report: Mapping[str, Any]) -> list[Figure]:
    """The figures of a report's JSON, as :meth:`Figure.to_json` wrote them."""
    known = Figure.__dataclass_fields__
    rows: list[dict[str, Any]] = [
        {name: value for name, value in row.items() if name in known} for row in report["figures"]
    ]
    return [Figure(**{**row, "value": math.nan if row["value"] is None else row["value"]})
            for row in rows]  # fmt: skip
