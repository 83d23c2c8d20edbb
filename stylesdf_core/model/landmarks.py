"""Where the landmarks of a face are, as linear functions of z: known for models of named latents.

The landmarks are the 51 inner ones of the iBUG 300-W annotation (numbers 17 to 67: brows, nose,
eyes, mouth), which judges find in photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.foreign import read_json

#: Landmarks of a face that are known.
COUNT = 51
#: World units of the numbers in a file.
_UNIT = 1e-5


@dataclass(frozen=True)
class Landmarks:
    """The landmarks of all heads of a model.

    Attributes:
        mean: (51, 3) world, at z = 0.
        slopes: (D, 51, 3), what one more of each of the first D numbers of z adds.
    """

    mean: Tensor
    slopes: Tensor

    def points(self, z: Tensor) -> Tensor:
        """The landmarks of heads z (B, z_dim): (B, 51, 3), world."""
        slopes = self.slopes.to(z)
        return self.mean.to(z) + torch.einsum("bd,dkc->bkc", z[:, : len(slopes)], slopes)


def load_landmarks(path: Path) -> Landmarks:
    """Read ``assets/landmarks/*.json``.

    Raises:
        InputError: the file does not hold landmarks.
    """
    try:
        numbers = np.array(read_json(path), np.float32)
    except (TypeError, ValueError):
        numbers = np.zeros(0, np.float32)
    if numbers.ndim != 3 or len(numbers) < 2 or numbers.shape[1:] != (COUNT, 3):
        raise InputError(f"{path}: expected lists of {COUNT} landmarks.")
    points = torch.from_numpy(numbers * np.float32(_UNIT))
    return Landmarks(points[0], points[1:])


def landmarks_text(points: npt.NDArray[np.floating]) -> str:
    """The text of a file, of the mean and the slopes (1 + D, 51, 3), world units."""
    rows = np.rint(points / _UNIT).astype(int).reshape(len(points), -1, 3).tolist()
    lines = (str(row).replace(" ", "") for row in rows)
    return "[\n" + ",\n".join(lines) + "\n]\n"
