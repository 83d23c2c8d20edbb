"""Depth as a 16-bit picture, with its scale in a file beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.engine.picture import FloatArray, Picture
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import png_info, signed

_MOST = 65535


def scale_path(path: Path) -> Path:
    """The file beside a depth picture that says what its grey levels mean."""
    return path.with_suffix(".scale.json")


def write_depth(picture: Picture, path: Path, scene: Scene) -> None:
    """Write planar depth as 16-bit grey PNG with its session, and its scale as JSON beside it.

    Grey 1 is the nearest depth, 65535 the farthest, 0 no surface: depth = near + (grey − 1) · step.

    Args:
        picture: a picture of the view ``depth``.

    Raises:
        OutputError: a file cannot be written.
    """
    depth = picture.array()[0]
    seen = np.isfinite(depth)
    near, far = (float(depth[seen].min()), float(depth[seen].max())) if seen.any() else (0.0, 0.0)
    step = (far - near) / (_MOST - 1)
    scale = {
        "depth": "near + (grey - 1) * step; a grey of 0 is no surface",
        "near": near,
        "far": far,
        "step": step,
        "unit": "world units; the camera orbits at a distance of 1",
        "picture": path.name,
    }
    write_json(scale_path(path), scale)
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        image = Image.fromarray(_levels(depth, near, step))
        image.save(stream, format="PNG", pnginfo=png_info(signed(scene).to_json()))


def _levels(depth: FloatArray, near: float, step: float) -> npt.NDArray[np.uint16]:
    """Grey levels, (H, W) uint16."""
    levels = 1.0 + (depth.astype(np.float64) - near) / (step or 1.0)
    return np.where(np.isfinite(depth), np.round(levels), 0.0).astype(np.uint16)
