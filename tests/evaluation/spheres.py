"""Spheres in place of heads: their depth maps, and a data set of them as `heads` writes it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera

FloatArray = npt.NDArray[np.float32]


def sphere_depth(radius: float, size: int = 64) -> FloatArray:
    """Planar depth of a sphere around the origin, from any camera; NaN beside the sphere."""
    offset = (np.arange(size) + 0.5 - 0.5 * size) / OrbitCamera().focal(size)
    x, y = np.meshgrid(offset, offset)
    a = x**2 + y**2 + 1.0
    root = 1.0 - a * (1.0 - radius**2)
    depth = (1.0 - np.sqrt(root.clip(min=0.0))) / a
    return np.where(root > 0.0, depth, np.nan).astype(np.float32)


def write_spheres(
    folder: Path,
    radii: Sequence[float],
    azimuths: Sequence[float] = (0.0,),
    *,
    depth: bool = True,
    size: int = 64,
) -> Path:
    """A data set of a sphere for each radius, each from cameras at some azimuths."""
    folder.mkdir()
    scale = {"near": NEAR, "far": FAR, "steps": 65534, "background": 65535}
    description = {"settings": {"depth": depth}, "depth": scale}
    (folder / "dataset.json").write_text(json.dumps(description), encoding="utf-8")
    rows = []
    for index, radius in enumerate(radii):
        for view, azimuth in enumerate(azimuths):
            file = f"{index}-{view}.png"
            t = sphere_depth(radius, size)
            value = np.where(np.isnan(t), 65535, np.rint((t - NEAR) / (FAR - NEAR) * 65534))
            Image.new("RGB", (size, size)).save(folder / file)
            if depth:
                Image.fromarray(value.astype(np.uint16)).save(folder / f"depth-{file}")
            rows.append(
                {
                    "file": file,
                    "depth": f"depth-{file}" if depth else None,
                    "index": index,
                    "view": view,
                    "azimuth": azimuth,
                    "elevation": 0.0,
                    "fov": 6.0,
                }
            )
    lines = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "metadata.jsonl").write_text(lines, encoding="utf-8")
    return folder
