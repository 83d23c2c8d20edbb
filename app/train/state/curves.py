"""A run's figures as curves: grouped, smoothed, thinned out for drawing."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]

#: Figures that are plotted together, in the order of their buttons, and their explanations.
GROUPS: dict[str, str] = {
    "losses": "Terms of the loss, as recorded",
    "β": "β of the field, world units: the softness of the surface, which should fall below 0.003",
    "scores": "The discriminator's mean logits of real and of fake images, which should stay close",
    "distance": "Between images and fakes, lower is better: swd, sliced Wasserstein, ×1000; "
    "frechet, on seeded features (no FID)",
    "quality": "Held-out heads against the truth: PSNR in dB, silhouettes' overlap, sharpness",
    "speed": "Images a second",
    "surface": "Share of rays without a surface or with background, range of the field, triangles",
    "augmentation": "Mean sign of the scores of real images, and the probability of a random "
    "transform of the discriminator's images, which follows the sign",
    "gradients": "Norms of the gradients",
}
#: Groups that are shown at first; every run records them.
FIRST_GROUPS = ("losses", "β")
_NOT_PLOTTED = frozenset({"step", "seconds", "images", "eta_hours", "peak_memory_gb"})
_SURFACE = frozenset(
    {"no_crossing", "background", "scalar_min", "scalar_max", "mesh_triangles", "damaged_images"}
)
#: A long curve is cut into so many parts, and the lowest and highest point of each is drawn: more
#: points than a plot has pixels cannot be seen.
DRAWN = 1200


def group_of(name: str) -> str:
    """The group of a recorded figure; empty for figures that are no curve."""
    if name in _NOT_PLOTTED:
        return ""
    if name == "images_per_second":
        return "speed"
    if "gradient_norm" in name:
        return "gradients"
    if name.endswith(("augment_p", "real_score_sign")):
        return "augmentation"
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
        steps, raw, smooth: (N,), steps, recorded values and their moving average.
        drawn: (M,) with M ≤ about 2·DRAWN, indices of the points to plot.
    """

    name: str
    steps: Values
    raw: Values
    smooth: Values
    drawn: npt.NDArray[np.intp]

    def at(self, step: float) -> tuple[int, float]:
        """Step and recorded value nearest to ``step``."""
        nearest = int(np.abs(self.steps - step).argmin())
        return int(self.steps[nearest]), float(self.raw[nearest])


class Curves:
    """All figures of a run, growing with its records; values that are not finite are left out."""

    def __init__(self) -> None:
        #: Of each figure (2, N): steps and values. Never changed in place, since lines are views.
        self._columns: dict[str, Values] = {}

    def append(self, records: Iterable[Mapping[str, Any]]) -> None:
        """Add records, in the order of their steps."""
        new: dict[str, list[tuple[float, float]]] = {}
        for record in records:
            for name, value in record.items():
                is_number = isinstance(value, (int, float)) and math.isfinite(value)
                if is_number and name not in _NOT_PLOTTED:
                    new.setdefault(name, []).append((float(record["step"]), float(value)))
        for name, points in new.items():
            column = self._columns.get(name, np.empty((2, 0)))
            self._columns[name] = np.concatenate([column, np.array(points).T], axis=1)

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have at least one recorded figure."""
        present = {group_of(name) for name in self._columns}
        return tuple(group for group in GROUPS if group in present)

    def lines(self, group: str, smoothing: float) -> tuple[Line, ...]:
        """A group's curves, in the order they first appeared.

        Args:
            smoothing: see :func:`smoothed`.
        """
        return tuple(
            Line(name, steps, raw, smoothed(raw, smoothing), thinned(raw))
            for name, (steps, raw) in self._columns.items()
            if group_of(name) == group
        )


def smoothed(values: Values, smoothing: float) -> Values:
    """Exponential moving average, corrected for its start.

    yₙ = Σ aᵏ·xₙ₋ₖ / Σ aᵏ over k = 0 … n, so that the first value is its own average.

    Args:
        smoothing: a, 0 (none) to below 1.
    """
    if smoothing <= 0.0 or len(values) < 2:
        return values
    total = values.copy()
    # Sums over 1, 2, 4 … terms: doubled by adding the sum that ends as many terms earlier.
    shift, factor = 1, smoothing
    while shift < len(values) and factor > 1e-12:
        total[shift:] = total[shift:] + factor * total[:-shift]
        shift, factor = 2 * shift, factor * factor
    weights = (1.0 - smoothing ** np.arange(1, len(values) + 1)) / (1.0 - smoothing)
    result: Values = total / weights
    return result


def thinned(curve: Values) -> npt.NDArray[np.intp]:
    """Indices of the points to draw: lowest and highest of each of DRAWN parts, and both ends."""
    length = len(curve)
    if length <= 2 * DRAWN:
        return np.arange(length)
    part = -(-length // DRAWN)
    starts = np.arange(0, length, part)
    parts = np.pad(curve, (0, -length % part), mode="edge").reshape(-1, part)
    lowest, highest = starts + parts.argmin(axis=1), starts + parts.argmax(axis=1)
    return np.unique(np.concatenate([lowest, highest, [0, length - 1]]))
