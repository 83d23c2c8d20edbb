"""A photograph's head on the model's own background, since a model cannot make any other.

Where the mean head, seen from the estimated pose, surely lies is head; what is far from it is
background. The pixels between go with the side that a random walk over similar colours reaches
first (Grady 2006).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.inversion.picture import ROOM, PhotoView

#: Edge of the picture in which head and background are told apart, pixels.
_EDGE = 96
#: Widths, shares of the square, by which the mean head is shrunk and grown.
_SHRUNK, _GROWN = 0.07, 0.12
#: How much the background and what is below the face, such as clothes, count.
_BACKGROUND, _BELOW = 0.5, 0.15
#: Largest difference of the border's colours to the background's, in [−1, 1], that is no other
#: background.
_SAME = 0.12


def on_own_background(
    view: PhotoView, coverage: Tensor, background: Tensor, below: float | None = None
) -> PhotoView:
    """The view with everything but the head replaced by the model's background.

    A photograph that has this background already is left as it is.

    Args:
        coverage: (H, W), how much of each pixel of the view's picture the mean head covers.
        background: (3,), the model's, in [−1, 1].
        below: y in the view's picture, −1 to 1, from which on there is neck and clothing; None
            where this is not known.
    """
    square = view.square
    small = F.interpolate(square[None, :3], size=(_EDGE, _EDGE), mode="area")[0]
    sides = torch.cat([small[:, 0], small[:, : _EDGE // 2, 0], small[:, : _EDGE // 2, -1]], dim=1)
    if float((sides - background[:, None]).abs().quantile(0.9)) < _SAME:
        return view
    edge = square.shape[-1]
    alpha = _head(small, coverage).to(square)
    alpha = F.interpolate(alpha[None, None], size=(edge, edge), mode="bilinear")[0]
    colors = alpha * square[:3] + (1.0 - alpha) * background[:, None, None]
    weights = torch.lerp(torch.full_like(alpha, _BACKGROUND), torch.ones_like(alpha), alpha)
    if below is not None:
        first = round((below / ROOM + 1.0) * 0.5 * edge)
        weights[:, max(first, 0) :] = _BELOW
    return replace(view, square=torch.cat([colors, weights]))


def _head(picture: Tensor, coverage: Tensor) -> Tensor:
    """Probability that a pixel shows the head, (_EDGE, _EDGE).

    Args:
        picture: (3, _EDGE, _EDGE) in [−1, 1].
    """
    from skimage.color import rgb2lab
    from skimage.segmentation import random_walker

    inner = round(_EDGE / ROOM)
    room = (_EDGE - inner) // 2
    head = F.interpolate(coverage[None, None].float().cpu(), size=(inner, inner), mode="area")
    pads = (room, _EDGE - inner - room, room, _EDGE - inner - room)
    head = F.pad(head, pads, mode="replicate")
    surely, perhaps = (2 * round(share * _EDGE) + 1 for share in (_SHRUNK, _GROWN))
    inside = -F.max_pool2d(-head, surely, 1, surely // 2)[0, 0] > 0.5
    near = F.max_pool2d(head, perhaps, 1, perhaps // 2)[0, 0] > 0.5
    labels = np.where(inside.numpy(), 1, np.where(near.numpy(), 0, 2))
    colors = rgb2lab((0.5 * picture.cpu() + 0.5).clamp(0, 1).movedim(0, -1).numpy()) / 100.0
    if len(np.unique(labels)) < 3 or np.ptp(colors) < 1e-6:  # nothing to decide, or to decide by
        return head[0, 0]
    probabilities = random_walker(colors, labels, beta=400, return_full_prob=True, channel_axis=-1)
    return torch.from_numpy(np.asarray(probabilities[0], np.float32))
