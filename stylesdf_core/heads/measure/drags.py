"""Points of heads dragged by some millimetres: do they arrive, and does the rest stay?

Where the model tells places on the neutral head, the 68 landmarks are found by them, on the head
before the drag and again, without knowledge of the drag, on the head after it. Other models name no
landmarks: the points at typical places of the frontal picture are followed by their features, and
the rest are points all over the head.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.dragging.drag import MILLIMETRE, Drag
from stylesdf_core.dragging.places import NAMED_LANDMARKS, PlaceReadout, place_readout
from stylesdf_core.dragging.pointing import Vector
from stylesdf_core.dragging.surface import FaceSurface
from stylesdf_core.dragging.tracking import FaceTracker
from stylesdf_core.evaluation.measures.picture_sets import untruncated
from stylesdf_core.evaluation.reports.report import Figure, QualityReport
from stylesdf_core.model.model import Model
from stylesdf_core.scene.scene import Scene

#: Directions of the drags in the frontal picture, taken in turn: world x and y.
_WAYS = {"up": (0.0, 1.0), "left": (-1.0, 0.0), "down": (0.0, -1.0), "right": (1.0, 0.0)}
#: Where the parts of a face lie in the frontal picture of a model that names no landmarks.
_TYPICAL = {
    "nose tip": (0.5, 0.55),
    "chin": (0.5, 0.77),
    "mouth corner": (0.42, 0.69),
    "brow": (0.37, 0.38),
}
#: Edge of the pictures of points among which landmarks are looked for; steps to the exact place,
#: and their longest, millimetres.
_EDGE, _STEPS, _LONGEST = 32, 12, 2.0


@dataclass(frozen=True)
class DragScore:
    """One dragged point.

    Attributes:
        arrival: distance from the target, millimetres.
        others: mean motion of the other landmarks, millimetres.
        seconds: of the drag, without loading the model.
    """

    seed: int
    part: str
    way: str
    arrival: float
    others: float
    steps: int
    seconds: float


class DragMeasurement:
    """Drags parts of heads; :meth:`run` fills :attr:`scores`.

    Args:
        distance: of the drags, millimetres.
    """

    def __init__(self, model: Model, seeds: Sequence[int], distance: float) -> None:
        self._model, self._seeds, self._distance = model, seeds, distance
        self._places = place_readout(model)
        self.scores: list[DragScore] = []

    def run(self) -> Iterator[float]:
        """Drag all parts of all heads; yields the share that is done."""
        total = len(self._seeds) * len(NAMED_LANDMARKS)
        for index, seed in enumerate(self._seeds):
            scene = untruncated(seed, self._model.poses.front)
            surface = FaceSurface(self._model, scene)
            landmarks = None
            if self._places is not None:
                landmarks = _landmarks(self._model, surface, self._places)
            for number, (part, index_of_part) in enumerate(NAMED_LANDMARKS.items()):
                point = (
                    surface.pick(scene.camera, *_TYPICAL[part])
                    if landmarks is None
                    else _vector(landmarks[index_of_part])
                )
                if point is not None:
                    way = list(_WAYS)[(index + number) % len(_WAYS)]
                    self._measure(scene, landmarks, part, point, way)
                yield (index * len(NAMED_LANDMARKS) + number + 1) / total

    def _measure(
        self, scene: Scene, landmarks: Tensor | None, part: str, point: Vector, way: str
    ) -> None:
        x, y = (self._distance * MILLIMETRE * share for share in _WAYS[way])
        target = (point[0] + x, point[1] + y, point[2])
        start = time.monotonic()
        drag = Drag(self._model, scene, [point])
        drag.aim([target])
        steps = 1
        while drag.step():
            steps += 1
        seconds = time.monotonic() - start
        arrival, others = drag.misses[0], drag.others_moved
        if self._places is not None and landmarks is not None:
            after = _landmarks(self._model, FaceSurface(self._model, drag.scene), self._places)
            own = NAMED_LANDMARKS[part]
            moved = (after - landmarks).norm(dim=-1) / MILLIMETRE
            arrival = float((after[own] - torch.tensor(target)).norm()) / MILLIMETRE
            others = float(moved[torch.arange(len(moved)) != own].mean())
        self.scores.append(
            DragScore(scene.identity.seed, part, way, arrival, others, steps, seconds)
        )

    def report(self) -> QualityReport:
        """Figures with the targets of the shipped model."""
        arrivals, others, seconds = (
            np.array([getattr(score, name) for score in self.scores])
            for name in ("arrival", "others", "seconds")
        )
        named = self._places is not None
        what = "the other landmarks" if named else "points all over the head"

        def by(name: str, kinds: Sequence[str], of: str) -> str:
            means = {
                kind: float(
                    np.mean([getattr(s, of) for s in self.scores if getattr(s, name) == kind])
                )
                for kind in kinds
                if any(getattr(s, name) == kind for s in self.scores)
            }
            return ", ".join(f"{kind} {mean:.2f}" for kind, mean in means.items())

        def figure(key: str, title: str, value: float, unit: str, **more: Any) -> Figure:
            return Figure(key, title, float(value), unit, **more)

        within = 100.0 * float(np.mean(arrivals <= 1.5))
        figures = (
            figure(
                "arrival", "from the target after the drag, mean", arrivals.mean(), "mm", high=1.5,
                detail=by("part", list(NAMED_LANDMARKS), "arrival"),
            ),
            figure(
                "arrived", "arrived within 1.5 mm", within, "%", digits=0,
                detail="mean distance by way: " + by("way", list(_WAYS), "arrival"),
            ),
            figure(
                "others", f"motion of {what}, mean", others.mean(), "mm", high=1.5,
                detail=by("part", list(NAMED_LANDMARKS), "others"),
            ),
            figure(
                "seconds", "time for a drag, longest", seconds.max(), "s", high=5.0,
                detail=f"median {np.median(seconds):.2f} s, "
                f"{np.median([score.steps for score in self.scores]):.0f} steps",
            ),
        )  # fmt: skip
        landmarks = (
            "landmarks found by places on the neutral head"
            if named
            else "points at typical places, followed by the drag's own features"
        )
        protocol = (
            f"{len(self.scores)} drags by {self._distance:g} mm in the frontal picture, up, left, "
            f"down and right in turn; {landmarks}; truncation 1; seeds {self._seeds[0]} to "
            f"{self._seeds[-1]}."
        )
        scores = {"drags": [asdict(score) for score in self.scores]}
        return QualityReport(self._model.name, protocol, figures, scores)


def _landmarks(model: Model, surface: FaceSurface, places: PlaceReadout) -> Tensor:
    """The 68 landmarks on a surface, (68, 3): where the places on the neutral head are theirs."""
    field = model.generator.field
    tracker = FaceTracker(
        field, surface.level, torch.zeros(1, model.generator.config.z_dim), places
    )
    w = surface.styles.w
    styles = (w[0] if w.dim() == 3 else w.expand(len(field.trunk) + 1, -1))[: len(field.trunk)]
    wanted = places.landmarks - places.bias
    candidates = surface.seen(_EDGE)
    told = tracker.features(candidates, styles)
    points = candidates[torch.cdist(wanted, told).argmin(dim=1)]
    reach = _LONGEST * MILLIMETRE
    for _ in range(_STEPS):
        points = points + tracker.motion(points, styles, wanted).correction.clamp(-reach, reach)
    return points


def _vector(point: Tensor) -> Vector:
    a, b, c = point.tolist()
    return a, b, c
