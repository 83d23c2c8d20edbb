"""Operations on neighbouring values of a grid equal NumPy's on a padded grid."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from stylesdf_core.mesh.neighbours import beside, largest_around

CELLS = np.random.default_rng(0).random((5, 2, 4), np.float32)


@pytest.mark.parametrize("axis", range(3))
def test_points_take_the_larger_of_the_cells_beside_them(axis: int) -> None:
    ends = [(int(axis == k), int(axis == k)) for k in range(3)]
    windows = sliding_window_view(np.pad(CELLS, ends, mode="edge"), 2, axis)
    np.testing.assert_array_equal(beside(np.maximum, CELLS, axis), windows.max(axis=-1))


def test_the_largest_of_a_cell_and_its_neighbours() -> None:
    windows = sliding_window_view(np.pad(CELLS, 1, mode="edge"), (3, 3, 3))
    np.testing.assert_array_equal(largest_around(CELLS), windows.max(axis=(-3, -2, -1)))
