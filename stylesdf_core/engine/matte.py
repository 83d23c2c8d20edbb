"""A head cut out of its picture: colours without the background's, for any other background."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.ndimage import distance_transform_edt, gaussian_filter

FloatArray = npt.NDArray[np.float32]

#: Standard deviation of the blurs, as a share of the picture's edge: the decoder mixes head and
#: background over some 2 pixels of 256 on either side of the outline.
_MIXED = 1.2 / 256


def cut_out(colors: FloatArray, alpha: FloatArray, *, mixed: bool) -> FloatArray:
    """Colours and opacity, (H, W, 4) in [0, 1], not premultiplied.

    Args:
        colors: (H, W, 3) in [0, 1].
        alpha: (H, W) in [0, 1], the head's opacity.
        mixed: whether pixels at the outline show background as well. They get the colours of the
            head beside them: a share of the old background would be a fringe on a new one.
    """
    if mixed:
        sigma = max(_MIXED * len(colors), 0.8)
        solid = gaussian_filter((alpha > 0.99).astype(np.float32), sigma)
        inner = np.clip((solid - np.float32(0.9)) / np.float32(0.1), 0.0, 1.0)[..., None]
        nearest = _nearest(colors, inner[..., 0] > 0.5)
        wide = (1.4 * sigma, 1.4 * sigma, 0.0)
        total, spread = gaussian_filter(inner, wide), gaussian_filter(colors * inner, wide)
        beside = spread / np.maximum(total, np.float32(1e-6))
        beside = nearest + np.minimum(total / 0.02, 1.0) * (beside - nearest)
        colors = np.asarray(colors * inner + beside * (1.0 - inner), np.float32)
    return np.concatenate([colors, alpha[..., None]], axis=2).astype(np.float32)


def _nearest(colors: FloatArray, inner: npt.NDArray[np.bool_]) -> FloatArray:
    """The colour of the nearest inner pixel at every pixel; the own colours without inner ones."""
    if not inner.any():
        return colors
    rows, columns = distance_transform_edt(~inner, return_distances=False, return_indices=True)
    result: FloatArray = colors[rows, columns]
    return result
