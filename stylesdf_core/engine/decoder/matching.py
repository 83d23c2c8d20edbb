"""Match: makes the coarse levels of a moving picture look like the decoded image.

A decoder learns colours that differ a little from the volume render's, and draws the head up to
half a percent larger or smaller; the skip generator's sum without its last resolution lacks what
that resolution adds to the colours. Without a correction the face would change brightness and size
whenever the level changes. A Match is fitted to one finished image, and holds for its identity.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

#: Rounds of the Gauss-Newton fit of place and size.
_ROUNDS = 4
#: Largest change of size, and largest shift in pixels of the volume render, that are believed.
_MOST_SCALE, _MOST_SHIFT = 0.02, 0.5
#: Bounds of the change of contrast.
_LEAST_GAIN, _MOST_GAIN = 0.5, 2.0
#: Edge of the map of pixels from which the half-size image's weights are fitted.
_FITTED_EDGE = 64
_RIDGE = 1e-4


@dataclass(frozen=True)
class HalfImage:
    """The half-size image as a linear function of the decoder's feature maps at that size.

    Attributes:
        features: (3, C, 1, 1), weights of the feature maps.
        colors: (3, 3, 1, 1), weights of the skip generator's sum.
        bias: (3,).
    """

    features: Tensor
    colors: Tensor
    bias: Tensor

    @classmethod
    def fit(cls, features: Tensor, colors: Tensor, image: Tensor) -> HalfImage:
        """Least squares to the finished image, reduced by half.

        Args:
            features: (1, C, H, W), the decoder's last feature maps at half the size.
            colors: (1, 3, H, W), the skip generator's sum up to that size.
            image: (1, 3, 2H, 2W).
        """
        stride = max(1, features.shape[2] // _FITTED_EDGE)
        wanted = F.avg_pool2d(image.clamp(-1.0, 1.0), 2)
        maps, sums, y = (
            values[0, :, stride // 2 :: stride, stride // 2 :: stride].flatten(1).float()
            for values in (features, colors, wanted)
        )
        x = torch.cat([maps, sums, torch.ones_like(sums[:1])])  # (C + 4, pixels)
        normal = x @ x.T
        normal += _RIDGE * normal.diagonal().mean() * torch.eye(len(normal), device=x.device)
        weights = torch.linalg.solve(normal, x @ y.T).T  # (3, C + 4)
        channels = features.shape[1]
        return cls(
            weights[:, :channels, None, None].to(features.dtype),
            weights[:, channels:-1, None, None].contiguous(),
            weights[:, -1].contiguous(),
        )

    def __call__(self, features: Tensor, colors: Tensor) -> Tensor:
        """(1, C, H, W) and (1, 3, H, W) -> the image (1, 3, H, W)."""
        return F.conv2d(colors, self.colors, self.bias) + F.conv2d(features, self.features).float()


@dataclass(frozen=True)
class Match:
    """Corrections of a volume render and of the half-size image of one identity.

    Attributes:
        gain, offset: (3, 1, 1), of a volume render's colours.
        place: (1, 2, 3), the affine map from the corrected to the rendered picture, in coordinates
            from −1 to 1.
        half: None for a decoder that only doubles the size once.
    """

    gain: Tensor
    offset: Tensor
    place: Tensor
    half: HalfImage | None = None

    @classmethod
    def fit(cls, volume: Tensor, image: Tensor, half: HalfImage | None = None) -> Match:
        """The Match of a volume render (3, E, E) to its image (3, S, S), both in [−1, 1]."""
        volume = volume.float().cpu()
        image = F.interpolate(image[None].float().cpu().clamp(-1, 1), volume.shape[1:], mode="area")
        place = _fitted_place(volume, image[0])
        moved = _moved(volume, place)
        (mean, own_mean), (spread, own_spread) = (
            [statistic(x, dim=(1, 2), keepdim=True) for x in (image[0], moved)]
            for statistic in (torch.mean, torch.std)
        )
        gain = (spread / own_spread.clamp_min(1e-6)).clamp(_LEAST_GAIN, _MOST_GAIN)
        offset = mean - gain * own_mean
        return cls(gain, offset, place, half)

    def __call__(self, volume: Tensor) -> Tensor:
        """A volume render (3, E, E) of any edge, corrected."""
        moved = _moved(volume, self.place.to(volume.device))
        return moved * self.gain.to(volume.device) + self.offset.to(volume.device)


def _moved(picture: Tensor, place: Tensor) -> Tensor:
    """(3, E, E) resampled bicubically at the places to which ``place`` maps its pixels."""
    grid = F.affine_grid(place, [1, 3, *picture.shape[1:]], align_corners=False)
    return F.grid_sample(
        picture[None], grid, mode="bicubic", padding_mode="border", align_corners=False
    )[0]


def _fitted_place(volume: Tensor, image: Tensor) -> Tensor:
    """The change of size and the shift after which a volume render lies on its image.

    Gauss-Newton on the grey values, whose contrast and brightness are free. Both are (3, E, E).
    """
    edge = volume.shape[1]
    wanted = image.mean(dim=0).double().numpy()
    x = (np.arange(edge) + 0.5) * 2.0 / edge - 1.0
    scale, shift = 0.0, np.zeros(2)  # of coordinates from −1 to 1; shift to the right, down

    def place() -> Tensor:
        rows = [[1.0 + scale, 0.0, shift[0]], [0.0, 1.0 + scale, shift[1]]]
        return torch.tensor([rows], dtype=torch.float32)

    for _ in range(_ROUNDS):
        grey = _moved(volume, place()).mean(dim=0).double().numpy()
        down, right = np.gradient(grey, 2.0 / edge)
        columns = [x[None] * right + x[:, None] * down, right, down, np.ones_like(grey), grey]
        inner = [values[2:-2, 2:-2].ravel() for values in columns]
        change = np.linalg.lstsq(
            np.stack(inner, 1), (wanted - grey)[2:-2, 2:-2].ravel(), rcond=None
        )[0]
        scale, shift = scale + change[0], shift + change[1:3]
    if abs(scale) > _MOST_SCALE or float(np.abs(shift).max()) > _MOST_SHIFT * 2.0 / edge:
        scale, shift = 0.0, np.zeros(2)  # the pictures differ too much for a fit
    return place()
