"""The compiled blur against torch's convolution of each channel."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("numba")

from stylesdf_core.engine.compiled.blurring import blurred_rows
from stylesdf_core.model.networks.ops import blur_kernel


@pytest.mark.parametrize("has_noise", [False, True])
def test_rows_are_those_of_a_blur_with_noise_and_leaky_relu(has_noise: bool) -> None:
    draw = torch.Generator().manual_seed(2)
    y = torch.randn(9, 13, 5, generator=draw)
    bias, noise = torch.randn(5, generator=draw), torch.randn(8, 12, generator=draw)
    kernel = blur_kernel(gain=4.0).expand(5, 1, 4, 4)
    blurred = F.conv2d(y.permute(2, 0, 1)[None], kernel, bias, padding=1, groups=5)[0]
    expected = F.leaky_relu(blurred + noise if has_noise else blurred, 0.2).permute(1, 2, 0)
    for first, stop in ((0, 8), (0, 3), (3, 8)):
        added = noise[first:stop].numpy() if has_noise else np.zeros((0, 0), np.float32)
        out = np.full((stop - first, 12, 5), np.nan, np.float32)
        blurred_rows(y.numpy(), bias.numpy(), added, out, first)
        np.testing.assert_allclose(out, expected[first:stop].numpy(), atol=2e-6)
