"""The true surfaces of a data set of synthetic heads: its depth maps that are seen from the front.

A data set has depth maps if it was made with `heads --depth`; its ``dataset.json`` tells their
scale, its table of pictures their cameras.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.fitting import read_truth
from stylesdf_core.evaluation.metrics.shape_metrics import back_project
from stylesdf_core.foreign import open_picture, read_json, reading
from stylesdf_core.rendering.camera import OrbitCamera

FloatArray = npt.NDArray[np.float32]

#: Angle between camera and front up to which a head counts as seen from the front, radians.
FRONTAL = 0.1
#: Heads that a comparison of surfaces needs.
FEWEST = 16


@dataclass(frozen=True)
class TrueDepth:
    """A depth map in a file.

    Attributes:
        file: 16 bits a pixel.
        camera: the camera that saw the head.
        scale: ``near``, ``far``, ``steps`` and ``background``, as the data set's description has
            them: a pixel's depth is near + value · (far − near) / steps.
    """

    file: Path
    camera: OrbitCamera
    scale: Mapping[str, float]

    @property
    def turned(self) -> float:
        """Angle between the camera and the front, radians."""
        return float(np.hypot(self.camera.azimuth, self.camera.elevation))

    def points(self, edge: int) -> FloatArray:
        """World points (H, H, 3) that at most ``edge``² of the pixels see, NaN beside the head.

        Raises:
            InputError: the file is missing or damaged.
        """
        with reading(self.file, "a depth map"), open_picture(self.file) as opened:
            values = np.asarray(opened).astype(np.float32)
            size, _ = values.shape
        scale, kept = self.scale, min(edge, size)
        t = scale["near"] + values * ((scale["far"] - scale["near"]) / scale["steps"])
        t[values == scale["background"]] = np.nan
        chosen = ((np.arange(kept) + 0.5) * size / kept).astype(np.intp)
        return back_project(t, self.camera)[np.ix_(chosen, chosen)]


def frontal_depths(folder: Path) -> list[TrueDepth]:
    """A data set's heads that are seen from the front, each from its most frontal camera.

    Empty for a data set without depth maps, and for a folder of plain pictures.

    Raises:
        InputError: the data set's description is damaged.
    """
    description = folder / "dataset.json"
    if not description.exists():
        return []
    with reading(description, "the description of a data set of heads"):
        told = read_json(description)
        if not dict(told).get("settings", {}).get("depth"):
            return []
        scale = {key: float(told["depth"][key]) for key in ("near", "far", "steps", "background")}

    def head(row: Mapping[str, Any]) -> tuple[int, TrueDepth]:
        camera = OrbitCamera(*(float(row[name]) for name in ("azimuth", "elevation", "fov")))
        return int(row["index"]), TrueDepth(folder / row["depth"], camera, scale)

    heads: dict[int, TrueDepth] = {}
    views = read_truth(folder, head).values()
    for index, shape in sorted(views, key=lambda view: (view[0], view[1].turned)):
        if shape.turned <= FRONTAL:
            heads.setdefault(index, shape)
    return list(heads.values())


def enough_depths(folder: Path) -> list[TrueDepth]:
    """As :func:`frontal_depths`.

    Raises:
        InputError: there are too few of them for a comparison; says how to make more.
    """
    found = frontal_depths(folder)
    if len(found) < FEWEST:
        raise InputError(
            f"{folder} has depth maps from the front of {len(found)} heads, and the metric shapes "
            f"needs {FEWEST}: make a data set with `heads --depth --size 64 --count 400 "
            "--azimuth-std 0 --elevation-std 0`."
        )
    return found


def has_depths(folder: Path) -> bool:
    """Whether a data set has the depth maps that a comparison of surfaces needs.

    A folder whose description is none of a data set of heads has none.
    """
    try:
        return len(frontal_depths(folder)) >= FEWEST
    except InputError:
        return False
