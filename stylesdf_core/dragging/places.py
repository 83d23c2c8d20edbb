"""Where a point of a face lies on the neutral head, for models that tell.

The shipped model was trained so that a linear readout of a hidden layer is that place
(``heads/fit/supervision.py``). The readout itself was no part of the weights; it was found again by
least squares over 160 true heads of the morphable model, and comes with the program.
"""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import read_json
from stylesdf_core.model.model import Model
from stylesdf_core.resources import shipped

_FILE = "assets/places/heads.json"
#: Multi-PIE landmarks by the names that commands and tables give them.
NAMED_LANDMARKS = {"nose tip": 30, "chin": 8, "mouth corner": 48, "brow": 19}


@dataclass(frozen=True)
class PlaceReadout:
    """place = weight · h + bias for the outputs h of a hidden layer of the trunk.

    Attributes:
        layer: of the trunk, from 0.
        weight, bias: (3, width) and (3,); decimetres on the neutral head.
        landmarks: (68, 3), the Multi-PIE landmarks' places.
    """

    layer: int
    weight: Tensor
    bias: Tensor
    landmarks: Tensor


@dataclass(frozen=True)
class _File:
    model_digest: str
    layer: int
    readout: str
    landmarks: tuple[tuple[float, float, float], ...]


def place_readout(model: Model) -> PlaceReadout | None:
    """The readout that comes with the program, if it is one of this model's weights.

    Raises:
        InputError: the file is damaged.
    """
    path = shipped(_FILE)
    content = from_json(_File, read_json(path), path.name)
    if content.model_digest != model.shape_digest:
        return None
    width = model.generator.config.width
    try:
        numbers = np.frombuffer(base64.b64decode(content.readout, validate=True), "<f2")
        readout = torch.from_numpy(numbers.astype(np.float32).reshape(3, width + 1))
    except (binascii.Error, ValueError) as error:
        raise InputError(f"{path.name}: the readout is damaged.") from error
    landmarks = torch.tensor(content.landmarks)
    return PlaceReadout(content.layer, readout[:, :-1].contiguous(), readout[:, -1], landmarks)
