"""The meaning of the numbers of a head's latent.

A latent z has 256 standard-normal numbers: ``z[:40]`` are identity modes of the morphable model,
``z[40:40 + K]`` the K attributes below, in their order; the other numbers are ignored. The
same names are the sliders of a model that makes heads (``assets/directions/heads.json``).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stylesdf_core.files import write_json

Float32 = npt.NDArray[np.float32]
Group = Literal["shape", "face", "eyes", "skin", "hair", "light"]

LATENT_DIM = 256
IDENTITY_MODES = 40
#: Scale and bound of identity coefficients: beyond the bound heads stop being believable.
IDENTITY_SCALE = 0.9
IDENTITY_LIMIT = 2.5


@dataclass(frozen=True)
class Attribute:
    """One named number of the latent; standard normal over heads.

    Attributes:
        name: as in commands (``--set smile=1.2``).
        label: as in the window.
        group: heading of the slider.
        description: one line for the tooltip.
        minimum, maximum: the slider's range, standard deviations.
        unnamed_until: last of the following numbers without a name in the same group, if any.
    """

    name: str
    label: str
    group: Group
    description: str
    minimum: float = -2.5
    maximum: float = 2.5
    unnamed_until: int | None = None


ATTRIBUTES: tuple[Attribute, ...] = (
    Attribute("smile", "Smile", "face", "from an earnest mouth to a broad smile"),
    Attribute("jaw", "Mouth opening", "face", "below about 0.8 the mouth stays closed"),
    Attribute("eye_openness", "Eye opening", "eyes", "from sleepy to wide awake"),
    Attribute("brow_height", "Brow raise", "face", "from a frown to raised eyebrows"),
    Attribute("skin", "Skin tone", "skin", "from fair to dark"),
    Attribute("undertone", "Flush", "skin", "from olive to rosy"),
    Attribute("lips", "Lip colour", "skin", "from pale to deep red"),
    Attribute("iris", "Eye colour", "eyes", "from dark brown over green to blue"),
    Attribute("brow_thickness", "Eyebrow thickness", "face", "from thin to bushy"),
    Attribute("beard", "Beard", "hair", "below about 0.6 clean-shaven, then stubble to full"),
    Attribute("hair_lightness", "Hair lightness", "hair", "from black over brown to blond"),
    Attribute("hair_redness", "Hair redness", "hair", "from ash and grey to copper"),
    Attribute("hair_length", "Hair length", "hair", "from a buzz cut to shoulder length"),
    Attribute("hair_volume", "Hair volume", "hair", "from flat to full"),
    Attribute("hairline", "Hairline", "hair", "from a low to a high, receding hairline"),
    Attribute("sideburns", "Sideburns", "hair", "from none to long"),
    Attribute("nape", "Nape", "hair", "from shaved high to low in the neck"),
    Attribute("waviness", "Waves", "hair", "from straight to wavy"),
    Attribute("parting", "Parting", "hair", "side to which the hair is swept"),
    Attribute("light_azimuth", "Light from the side", "light", "key light from left to right"),
    Attribute("light_elevation", "Light from above", "light", "key light from low to high"),
    Attribute("light_warmth", "Light warmth", "light", "key light from cool to warm"),
)

#: Meanings of the first identity modes, found by looking; the other modes have no simple name.
_MODES: tuple[Attribute, ...] = (
    Attribute("head_size", "Head size", "shape", "from a large, long head to a small one"),
    Attribute("breadth", "Face breadth", "shape", "from a narrow, strong profile to a broad face"),
    Attribute("mouth_nose", "Mouth and nose", "face", "from full lips to a long nose, thin lips"),
    Attribute("shoulders", "Shoulders", "shape", "from a slender neck to broad shoulders"),
    Attribute("brow", "Brow", "face", "from a long face, smooth brow to a heavy brow"),
    Attribute(
        "chin",
        "Jaw",
        "face",
        "from a broad jaw to a narrow chin",
        unnamed_until=IDENTITY_MODES - 1,
    ),
)

#: Index in z of each attribute, by name.
DIMENSIONS = {attribute.name: IDENTITY_MODES + i for i, attribute in enumerate(ATTRIBUTES)}


def attribute_values(z: Float32) -> dict[str, float]:
    """The attributes of one latent (256,), by name."""
    return {name: float(z[index]) for name, index in DIMENSIONS.items()}


def identity_coefficients(z: Float32) -> Float32:
    """Coefficients (40,) of the first identity modes: clip(0.9·z, ±2.5)."""
    coefficients = IDENTITY_SCALE * np.asarray(z[:IDENTITY_MODES], np.float32)
    return np.asarray(np.clip(coefficients, -IDENTITY_LIMIT, IDENTITY_LIMIT), np.float32)


def write_directions(path: Path | str) -> None:
    """Write ``assets/directions/heads.json``: the sliders of a model that makes heads."""
    named = list(enumerate(_MODES))
    named += [(DIMENSIONS[attribute.name], attribute) for attribute in ATTRIBUTES]
    entries = [{**asdict(entry), "dimension": index} for index, entry in named]
    write_json(path, [{k: v for k, v in entry.items() if v is not None} for entry in entries])


def dataset_latent(seed: int, index: int) -> Float32:
    """Latent (256,) of head ``index`` of the data set ``seed``, both from 0 to 2³² − 1.

    A data set's latents are seeded by two numbers, a studio seed's latent by one, so that no head
    of a data set is the head of a studio seed.
    """
    # NumPy ignores trailing zeros of a seed: [seed, 0] would equal the studio seed.
    numbers = [seed, index or 2**32 - 1]
    return np.random.default_rng(numbers).standard_normal(LATENT_DIM).astype(np.float32)
