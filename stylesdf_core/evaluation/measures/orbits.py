"""Flicker of heads along an arc, with its curve from frame to frame."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.picture_sets import untruncated
from stylesdf_core.evaluation.measures.rows import Columns, Task
from stylesdf_core.evaluation.metrics.flicker import ARC_STEP, flicker, orbit
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.model.config import NoiseMode


@dataclass(frozen=True)
class OrbitFlicker:
    """The flicker of a model's heads.

    Attributes:
        seed_start: seed of the first head.
        noise: the decoder's noise maps.
        rays: of the decoded image, as of :meth:`Engine.render`.
    """

    engine: Engine
    seed_start: int
    noise: NoiseMode = "fixed"
    rays: int = 1

    def measure(self, things: Sequence[int]) -> Columns:
        """Rows of heads, grey levels.

        Columns ``image`` and ``floor`` (B,): of the image, and of the enlarged volume render;
        ``curve`` (B, 15): of the image from each frame to the next.
        """
        images, floors, curves = [], [], []
        camera = self.engine.model.poses.front
        for number in things:
            scene = untruncated(self.seed_start + number, camera)
            scene = replace(scene, options=replace(scene.options, noise=self.noise))
            frames = orbit(self.engine, scene, rays=self.rays)
            images.append(flicker(frames.image))
            floors.append(flicker(frames.floor) if self.engine.config.has_image else math.nan)
            curves.append([flicker(pair) for pair in pairwise(frames.image)])
        return {"image": np.array(images), "floor": np.array(floors), "curve": np.array(curves)}

    def figures(self, task: Task) -> list[Figure]:
        """The mean over heads; no figure without heads."""
        if not task.count:
            return []
        columns = (task.rows.column(name)[: task.count] for name in ("image", "floor"))
        images, floors = (values[np.isfinite(values)] for values in columns)
        detail = (
            f"mean |difference| after reprojection, steps of {ARC_STEP:g} rad, {len(images)} heads"
        )
        if self.engine.config.has_image:
            floor = f"{floors.mean():.2f}" if len(floors) else "not measured"
            detail += f"; the volume render, enlarged: {floor}"
        if (self.noise, self.rays) != ("fixed", 1):
            detail += f"; noise {self.noise}, {self.rays}² rays a pixel of the volume render"
        mean = float(images.mean()) if len(images) else math.nan
        title = "flicker while orbiting"
        return [Figure("flicker", title, mean, "grey levels", detail=detail, better="lower")]

    def scores(self, task: Task) -> list[dict[str, Any]]:
        """Seed, flicker and curve of each head."""
        if not task.count:
            return []
        images, curves = (task.rows.column(name)[: task.count] for name in ("image", "curve"))
        return [
            {"seed": self.seed_start + n, "flicker": float(image), "curve": curve.tolist()}
            for n, (image, curve) in enumerate(zip(images, curves, strict=True))
        ]
