"""Convolutions by blocks against torch's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

pytest.importorskip("numba")

from stylesdf_core.engine.compiled.minimal_filtering import FROM_WEIGHTS, filtered_rows
from stylesdf_core.engine.compiled.sine_layers import product_address

pytestmark = pytest.mark.skipif(not product_address(), reason="torch exports no product here")


@pytest.mark.parametrize(("height", "width"), [(4, 4), (8, 20), (36, 12), (16, 64)])
def test_rows_are_those_of_a_convolution_with_noise_and_leaky_relu(height: int, width: int) -> None:
    draw = torch.Generator().manual_seed(height)
    x = torch.randn(height, width, 5, generator=draw)
    weight = torch.randn(3, 5, 3, 3, generator=draw)
    bias, noise = torch.randn(3, generator=draw), torch.randn(height, width, generator=draw)
    expected = F.leaky_relu(
        F.conv2d(x.permute(2, 0, 1)[None], weight, bias, padding=1)[0] + noise, 0.2
    )
    taps = weight.permute(2, 3, 1, 0).reshape(9, 15).numpy()
    weights = np.ascontiguousarray((FROM_WEIGHTS @ taps).reshape(36, 5, 3))
    for first in range(0, height, 8):
        rows = slice(first, min(first + 8, height))
        out = np.full((rows.stop - first, width, 3), np.nan, np.float32)
        filtered_rows(x.numpy(), weights, bias.numpy(), noise[rows].numpy(), out, first)
        own = expected[:, rows].permute(1, 2, 0).numpy()
        np.testing.assert_allclose(out, own, atol=1e-4 * float(expected.std()))


def test_a_kernel_that_copies_a_pixel_copies_it() -> None:
    """The three maps together lose nothing: exact for small whole numbers."""
    x = np.arange(8 * 8, dtype=np.float32).reshape(8, 8, 1)
    none, zero, out = np.zeros((0, 0), np.float32), np.zeros(1, np.float32), np.empty_like(x)
    for row in range(3):
        for column in range(3):
            tap = np.zeros((3, 3), np.float32)
            tap[row, column] = 1.0
            weights = (FROM_WEIGHTS @ tap.reshape(9, 1)).reshape(36, 1, 1)
            filtered_rows(x, weights, zero, none, out, 0)
            moved = np.pad(x[..., 0], 1)[row : row + 8, column : column + 8]
            np.testing.assert_allclose(out[..., 0], moved, atol=1e-4)
