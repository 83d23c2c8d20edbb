"""A run's figures as curves: grouped, smoothed, thinned out for drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

#: What can be plotted together, in the order of the buttons.
GROUPS = ("losses", "β", "scores", "distance", "quality", "speed", "surface", "gradients")
GROUP_HELP: dict[str, str] = {
    "losses": "Terms of the loss, as recorded",
    "β": "β of the field, world units: how soft the surface is; it should fall, good below 0.003",
    "scores": "The discriminator's mean logits of real and fake images; they should stay close",
    "distance": "Between images and fakes, lower is better: swd, sliced Wasserstein, ×1000; "
    "frechet, on seeded features (no FID)",
    "quality": "Held-out heads against the truth: PSNR in dB, silhouettes' overlap, sharpness",
    "speed": "Images a second",
    "surface": "Share of rays without a surface or with background, range of the field, triangles",
    "gradients": "Norms of the gradients",
}
_NOT_PLOTTED = frozenset({"step", "seconds", "images", "eta_hours", "peak_memory_gb"})
_SURFACE = frozenset(
    {"no_crossing", "background", "scalar_min", "scalar_max", "mesh_triangles", "damaged_images"}
)
#: Points of a curve that are drawn: more than a plot has pixels show nothing.
DRAWN = 1200


def group_of(name: str) -> str:
    """The group of a recorded figure; empty for those that are no curve."""
    if name in _NOT_PLOTTED:
        return ""
    if name == "images_per_second":
        return "speed"
    if "gradient_norm" in name:
        return "gradients"
    if "score" in name:
        return "scores"
    if name.rpartition("_")[2] == "beta":
        return "β"
    if name in ("swd", "frechet"):
        return "distance"
    if name.startswith("psnr") or name in ("iou", "laplacian"):
        return "quality"
    return "surface" if name in _SURFACE else "losses"


@dataclass(frozen=True, eq=False)
class Line:
    """One curve.

    Attributes:
        steps, raw, smooth: (N,), all that is recorded.
        drawn_steps, drawn_raw, drawn_smooth: (M,) with M ≤ about 2·DRAWN, for the plot.
    """

    name: str
    steps: Values
    raw: Values
    smooth: Values
    drawn_steps: Values
    drawn_raw: Values
    drawn_smooth: Values

    def at(self, step: float) -> tuple[int, float]:
        """Step and recorded value nearest to ``step``."""
        after = int(np.searchsorted(self.steps, step))
        candidates = [i for i in (after - 1, after) if 0 <= i < len(self.steps)]
        nearest = min(candidates, key=lambda i: abs(float(self.steps[i]) - step))
        return int(self.steps[nearest]), float(self.raw[nearest])


class Curves:
    """Grows with a run's records; figures that are not finite are left out."""

    def __init__(self) -> None:
        self._columns: dict[str, _Column] = {}

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Take records in, in order."""
        new: dict[str, tuple[list[float], list[float]]] = {}
        for record in records:
            step = float(record["step"])
            for name, value in record.items():
                if name in _NOT_PLOTTED or not isinstance(value, (int, float)):
                    continue
                if math.isfinite(value):
                    steps, values = new.setdefault(name, ([], []))
                    steps.append(step)
                    values.append(value)
        for name, (steps, values) in new.items():
            self._columns.setdefault(name, _Column()).extend(steps, values)

    @property
    def groups(self) -> tuple[str, ...]:
        """Those that there is something of."""
        present = {group_of(name) for name in self._columns}
        return tuple(group for group in GROUPS if group in present)

    def lines(self, group: str, smoothing: float) -> tuple[Line, ...]:
        """A group's curves, in the order they first appeared.

        Args:
            smoothing: see :func:`smoothed`.
        """
        return tuple(
            _line(name, column, smoothing)
            for name, column in self._columns.items()
            if group_of(name) == group
        )


class _Column:
    """Two arrays that grow; what was handed out stays as it is."""

    def __init__(self) -> None:
        self._data = np.empty((2, 256))
        self._length = 0

    def extend(self, steps: list[float], values: list[float]) -> None:
        end = self._length + len(steps)
        if end > self._data.shape[1]:
            grown = np.empty((2, max(end, 2 * self._data.shape[1])))
            grown[:, : self._length] = self._data[:, : self._length]
            self._data = grown
        self._data[0, self._length : end] = steps
        self._data[1, self._length : end] = values
        self._length = end

    @property
    def steps(self) -> Values:
        return self._data[0, : self._length]

    @property
    def values(self) -> Values:
        return self._data[1, : self._length]


def smoothed(values: Values, smoothing: float) -> Values:
    """Exponential moving average, corrected for its start.

    yₙ = Σ aᵏ·xₙ₋ₖ / Σ aᵏ over k = 0 … n, so that the first value is its own average.

    Args:
        smoothing: a, 0 (none) to below 1.
    """
    if smoothing <= 0.0 or len(values) < 2:
        return values
    total, weight = values.copy(), np.ones_like(values)
    # Sums over 1, 2, 4 … terms; each doubling adds the sum that ended that much earlier.
    shift, factor = 1, smoothing
    while shift < len(values) and factor > 1e-12:
        total[shift:] = total[shift:] + factor * total[:-shift]
        weight[shift:] = weight[shift:] + factor * weight[:-shift]
        shift, factor = 2 * shift, factor * factor
    result: Values = total / weight
    return result


def thinned(steps: Values, *curves: Values, count: int = DRAWN) -> npt.NDArray[np.intp]:
    """Which points to draw: of each of ``count`` parts the lowest and the highest of each curve.

    Spikes stay; the first and last point too.
    """
    length = len(steps)
    if length <= 2 * count:
        return np.arange(length)
    part = -(-length // count)
    whole = length // part * part
    starts = np.arange(0, whole, part)
    chosen = [np.array([0, length - 1])]
    for curve in curves:
        blocks = curve[:whole].reshape(-1, part)
        chosen += [starts + blocks.argmin(axis=1), starts + blocks.argmax(axis=1)]
        if whole < length:
            chosen.append(whole + np.array([curve[whole:].argmin(), curve[whole:].argmax()]))
    return np.unique(np.concatenate(chosen))


def _line(name: str, column: _Column, smoothing: float) -> Line:
    steps, raw = column.steps, column.values
    smooth = smoothed(raw, smoothing)
    drawn = thinned(steps, raw)
    return Line(name, steps, raw, smooth, steps[drawn], raw[drawn], smooth[drawn])
