"""What the numbers of a head's latent mean.

A latent z has 256 standard-normal numbers: ``z[:40]`` are identity modes of the morphable model,
``z[40:40 + K]`` the attributes below, in their order; the rest is ignored.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stylesdf_core.files import write_json

Float32 = npt.NDArray[np.float32]
Group = Literal["shape", "face", "skin", "hair", "light"]

LATENT_DIM = 256
IDENTITY_MODES = 40
#: Scale and bound of identity coefficients: beyond them heads stop being believable.
IDENTITY_SCALE = 0.9
IDENTITY_LIMIT = 2.5
_INDEX_ZERO = 2**32 - 1


@dataclass(frozen=True)
class Attribute:
    """One named number of the latent; standard normal over heads.

    Attributes:
        name: how commands call it (``--set smile=1.2``).
        label: how the window calls it.
        group: heading its slider stands under.
        minimum, maximum: the slider's range, standard deviations.
        description: one line for the tooltip.
    """

    name: str
    label: str
    group: Group
    minimum: float
    maximum: float
    description: str


def _attribute(name: str, label: str, group: Group, description: str) -> Attribute:
    return Attribute(name, label, group, -2.5, 2.5, description)


ATTRIBUTES: tuple[Attribute, ...] = (
    _attribute("smile", "Smile", "face", "from an earnest mouth to a broad smile"),
    _attribute("jaw", "Mouth opening", "face", "below about 0.8 the mouth stays closed"),
    _attribute("eye_openness", "Eye opening", "face", "from sleepy to wide awake"),
    _attribute("brow_height", "Brow raise", "face", "from a frown to raised eyebrows"),
    _attribute("skin", "Skin tone", "skin", "from fair to dark"),
    _attribute("undertone", "Flush", "skin", "from olive to rosy"),
    _attribute("lips", "Lip colour", "skin", "from pale to deep red"),
    _attribute("iris", "Eye colour", "face", "from dark brown over green to blue"),
    _attribute("brow_thickness", "Eyebrow thickness", "face", "from thin to bushy"),
    _attribute("beard", "Beard", "hair", "below about 0.6 clean-shaven, then stubble to full"),
    _attribute("hair_lightness", "Hair lightness", "hair", "from black over brown to blond"),
    _attribute("hair_redness", "Hair redness", "hair", "from ash and grey to copper"),
    _attribute("hair_length", "Hair length", "hair", "from a buzz cut to shoulder length"),
    _attribute("hair_volume", "Hair volume", "hair", "from flat to full"),
    _attribute("hairline", "Hairline", "hair", "from a low to a high, receding hairline"),
    _attribute("sideburns", "Sideburns", "hair", "from none to long"),
    _attribute("nape", "Nape", "hair", "from shaved high to low in the neck"),
    _attribute("waviness", "Waves", "hair", "from straight to wavy"),
    _attribute("parting", "Parting", "hair", "side to which the hair is swept"),
    _attribute("light_azimuth", "Light from the side", "light", "key light from left to right"),
    _attribute("light_elevation", "Light from above", "light", "key light from low to high"),
    _attribute("light_warmth", "Light warmth", "light", "key light from cool to warm"),
)

#: What the first identity modes do, found by looking; the rest have no simple name.
_MODES: tuple[Attribute, ...] = (
    _attribute("head_size", "Head size", "shape", "from a large, long head to a small one"),
    _attribute("breadth", "Face breadth", "shape", "from a narrow, strong profile to a broad face"),
    _attribute("mouth_nose", "Mouth and nose", "shape", "from full lips to a long nose, thin lips"),
    _attribute("shoulders", "Shoulders", "shape", "from a slender neck to broad shoulders"),
    _attribute("brow", "Brow", "shape", "from a long face, smooth brow to a heavy brow"),
    _attribute("chin", "Jaw", "shape", "from a broad jaw to a narrow chin"),
)

_INDEX = {attribute.name: IDENTITY_MODES + i for i, attribute in enumerate(ATTRIBUTES)}


def dimension(name: str) -> int:
    """Index in z of the attribute called ``name``; KeyError if there is none."""
    return _INDEX[name]


def attribute_values(z: Float32) -> dict[str, float]:
    """The attributes of one latent (256,), by name."""
    return {name: float(z[index]) for name, index in _INDEX.items()}


def identity_coefficients(z: Float32) -> Float32:
    """Coefficients (40,) of the first identity modes: clip(0.9·z, ±2.5)."""
    coefficients = IDENTITY_SCALE * np.asarray(z[:IDENTITY_MODES], np.float32)
    return np.asarray(np.clip(coefficients, -IDENTITY_LIMIT, IDENTITY_LIMIT), np.float32)


def write_directions(path: Path | str) -> None:
    """Write ``assets/directions/heads.json``: the sliders a model of heads gets."""
    named = list(enumerate(_MODES))
    named += [(_INDEX[attribute.name], attribute) for attribute in ATTRIBUTES]
    write_json(path, [{**asdict(entry), "dimension": index} for index, entry in named])


def dataset_latent(seed: int, index: int) -> Float32:
    """Latent (256,) of item ``index`` of the data set ``seed``, both from 0 to 2³² − 1.

    Two-number seeds: no item of any data set is the head of a plain studio seed.
    """
    # NumPy ignores a seed's trailing zeros, so that [seed, 0] would be the plain seed.
    numbers = [seed, index or _INDEX_ZERO]
    return np.random.default_rng(numbers).standard_normal(LATENT_DIM).astype(np.float32)
