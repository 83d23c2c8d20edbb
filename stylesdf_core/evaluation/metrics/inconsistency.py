"""The inconsistency map: where a picture changes, although only the camera has moved.

Each pixel of the head is carried by its depth into neighbouring views, as :mod:`.flicker` does for
its figure; the map shows, pixel by pixel, how far the colours there differ.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.picture import Picture, pixels
from stylesdf_core.evaluation.metrics.flicker import FloatArray, OrbitFrame, reprojected
from stylesdf_core.evaluation.metrics.image_metrics import luma
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene

#: Turns of the neighbouring cameras, radians: to both sides, and up and down.
STEP = 0.04
_NEIGHBOURS = ((-STEP, 0.0), (STEP, 0.0), (0.0, -STEP), (0.0, STEP))


def inconsistency(engine: Engine, scene: Scene) -> Picture:
    """The map of the decoded image; of a model without decoder, of the volume render.

    Returns:
        The view ``inconsistency``; data (2, S, S): the mean difference to the neighbouring views
        over colours and views, in [0, 1], and the picture's luminance; 0 where no view shows the
        pixel's point.
    """
    frame = _frame(engine, scene, scene.camera)
    total = np.zeros(frame.image.shape[:2], np.float32)
    count = np.zeros_like(total)
    for azimuth, elevation in _NEIGHBOURS:
        neighbour = _frame(engine, scene, scene.camera.orbit(azimuth, elevation))
        seen, colours = reprojected(frame, neighbour)
        total[seen] += np.abs(frame.image[seen] - colours).mean(axis=-1)
        count[seen] += 1.0
    difference = total / np.maximum(count, 1.0)
    data = np.stack([difference, luma(frame.image)]).astype(np.float32)
    return Picture("inconsistency", data, np.zeros(total.shape, np.float32))


def _frame(engine: Engine, scene: Scene, camera: OrbitCamera) -> OrbitFrame:
    views = engine.render_views(replace(scene, camera=camera), ("image", "depth"))
    depth = views["depth"]
    return OrbitFrame(pixels(views["image"]), depth.data[0], 1.0 - depth.background, camera)


def mean_grey_levels(picture: Picture) -> float:
    """The map's mean over the head's pixels, in grey levels of 255."""
    seen: FloatArray = picture.data[0][picture.data[0] > 0.0]
    return float(255.0 * seen.mean()) if seen.size else 0.0
