"""From the attributes of a latent to a head's expression, hair style, colours and light.

Every mapping saturates, so that any latent within ±2.5 stays a believable person. The colours go
to the shaders (:mod:`stylesdf_core.heads.rasterizer.shaders`) as uniforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.heads.person.hair import HairStyle

Float32 = npt.NDArray[np.float32]

#: sRGB stops from fair to dark.
_SKIN = ["#e8bca2", "#deac8c", "#d9a380", "#b97f5a", "#8d5a3c", "#64402b", "#4a2e21"]
_HAIR = ["#15100e", "#2a1b13", "#442b1b", "#6b4527", "#99703f", "#bf9a60", "#d2b47c"]
_COPPER = ["#1d0f0b", "#3a170d", "#642410", "#8f3916", "#b2561f", "#cd7d38", "#dca060"]
_GREY = ["#1b1a1a", "#343130", "#54504d", "#77726d", "#9b958e", "#bdb7ae", "#d5d0c7"]
_IRIS = ["#3b2013", "#57321a", "#704a22", "#6f6a34", "#5d7a55", "#5a8794", "#5f92b5"]
_LIPS = ["#c79283", "#c27c72", "#bb6a62", "#b15451", "#a03d3f"]

#: Values of ``hair_length`` and the lengths of :class:`HairStyle` that they give.
_LENGTHS = [-2.3, -1.2, -0.5, 0.45, 1.1, 2.2], [0.0, 0.6, 1.0, 1.15, 2.0, 3.0]

#: The shaders' parameters for one head, by name; colours are linear RGB.
Uniforms = dict[str, float | tuple[float, ...]]


@dataclass(frozen=True)
class Appearance:
    """One head's look.

    Attributes:
        expressions: weights of the face model's expression shapes, 0 to 1, by name.
        hair: shape of the hair.
        uniforms: parameters of the shaders.
    """

    expressions: dict[str, float]
    hair: HairStyle
    uniforms: Uniforms


def iris_tint(uniforms: Uniforms) -> Float32:
    """The irises' own colour, sRGB in [0, 1], (3,)."""
    return np.asarray(uniforms["iris_color"], np.float32) ** np.float32(1 / 2.2)


def _ramp(colors: list[str], t: float) -> Float32:
    """Linear RGB (3,) at ``t`` from the first (0) to the last (1) sRGB stop; gamma 2.2."""
    channels = [[int(color[i : i + 2], 16) / 255.0 for i in (1, 3, 5)] for color in colors]
    stops = np.array(channels, np.float32)
    at = np.clip(t, 0.0, 1.0) * (len(colors) - 1)
    low = min(int(at), len(colors) - 2)
    mixed = stops[low] + (at - low) * (stops[low + 1] - stops[low])
    return np.asarray(mixed, np.float32) ** 2.2


def _unit(value: float, scale: float) -> float:
    """A logistic curve from 0 to 1, ½ at value 0."""
    return 0.5 + 0.5 * float(np.tanh(value / scale))


def _soft(value: float) -> float:
    """tanh(0.8·value), −1 to 1."""
    return float(np.tanh(0.8 * value))


def appearance(values: dict[str, float]) -> Appearance:
    """The look of a head with these attribute numbers (see ``latent.ATTRIBUTES``)."""
    smile = _soft(values["smile"] + 0.5)
    happy, sad = max(0.0, smile), max(0.0, -smile)
    jaw = 0.40 * max(0.0, float(np.tanh(0.7 * (values["jaw"] - 0.8))))
    openness = _soft(values["eye_openness"])
    brows = _soft(values["brow_height"])
    expressions: dict[str, float] = {"jawOpen": jaw}

    def both(name: str, weight: float) -> None:
        expressions[name + "_L"] = expressions[name + "_R"] = weight

    both("mouthSmile", 0.78 * happy)
    both("cheekSquint", 0.30 * happy)
    both("mouthDimple", 0.20 * happy)
    both("mouthUpperUp", 0.10 * happy)
    both("mouthFrown", 0.20 * sad)
    both("mouthPress", 0.12 * sad)
    both("eyeBlink", max(0.0, -0.24 * openness))
    both("eyeWide", max(0.0, 0.18 + 0.42 * openness))
    both("eyeSquint", 0.04 + 0.12 * happy)
    both("browDown", 0.06 + 0.65 * max(0.0, -brows))
    both("browOuterUp", 0.60 * max(0.0, brows))
    both("browInnerUp", 0.55 * max(0.0, brows))

    skin_t = _unit(values["skin"], 1.35)
    skin = _ramp(_SKIN, skin_t)
    tone = _soft(values["undertone"])
    skin = skin * np.array([1.0 + 0.02 * tone, 1.0 - 0.035 * tone, 1.0 - 0.02 * tone])
    light_skin = 1.0 - skin_t

    # Dark skin rarely comes with blond hair or blue eyes, so darker skin darkens hair and irises.
    lightness = _unit(values["hair_lightness"] - 0.35 - 2.2 * max(0.0, skin_t - 0.45), 1.3)
    redness = _soft(values["hair_redness"])
    hair = _ramp(_HAIR, lightness)
    other = _ramp(_COPPER if redness > 0 else _GREY, lightness)
    amount = max(0.0, abs(redness) - 0.25) / 0.75 * (0.95 if redness > 0 else 0.85)
    hair = hair + amount * (other - hair)
    tip = hair * (1.75 - 0.45 * lightness) + 0.012
    brow = np.minimum(hair * 0.5 + 0.12 * skin, 0.27 * skin + 0.003)
    iris = _ramp(_IRIS, _unit(values["iris"] - 0.2 - 1.6 * max(0.0, skin_t - 0.4), 1.1))
    lips = _ramp(_LIPS, _unit(values["lips"], 1.2))
    depth = max(0.0, 1.6 * skin_t - 0.6)
    lips = lips + depth * (0.45 * lips + skin * np.array([0.75, 0.35, 0.40]) - lips)
    lips = 0.68 * lips + skin * np.array([0.32, 0.21, 0.20])

    azimuth = 0.7425 * _soft(values["light_azimuth"] + 0.35)
    elevation = 0.62 + 0.30 * _soft(values["light_elevation"])
    warmth = _soft(values["light_warmth"])
    key = np.array([1.0 + 0.07 * warmth, 1.0, 1.0 - 0.10 * warmth]) * 1.10
    direction = (
        float(np.cos(elevation) * np.sin(azimuth)),
        float(np.sin(elevation)),
        float(np.cos(elevation) * np.cos(azimuth)),
    )
    # The light's mirror image for a viewer in front, moved towards the pupil so that most eyes
    # show a catchlight.
    glint = np.array(direction) + np.array([0.0, 0.0, 1.0])
    glint = glint / np.linalg.norm(glint) * np.array([0.55, 0.55, 1.0])
    beard = max(0.0, float(np.tanh(0.75 * (values["beard"] - 0.6))))
    style = HairStyle(
        length=float(np.interp(values["hair_length"], *_LENGTHS)),
        volume=1.0 + 0.45 * _soft(values["hair_volume"]),
        hairline=0.2 + 0.95 * _soft(values["hairline"]),
        sideburns=-1.1 * _soft(values["sideburns"]),
        nape=-1.3 * _soft(values["nape"]),
        waviness=_unit(values["waviness"] - 0.4, 1.1),
        parting=_soft(values["parting"]),
    )
    uniforms: Uniforms = {
        "key_direction": direction,
        "key_color": _triple(key),
        "glint": _triple(glint),
        "sky_color": (0.42, 0.415, 0.43),
        "ground_color": (0.21, 0.175, 0.155),
        "fill_color": (0.10, 0.11, 0.13),
        "skin": _triple(skin),
        "flush_color": (1.02, 0.70 - 0.06 * tone, 0.68),
        "flush": 0.48 + 0.34 * tone,
        "skin_light": light_skin,
        "lip_color": _triple(lips),
        "iris_color": _triple(iris),
        "hair_color": _triple(hair),
        "hair_tip": _triple(tip),
        "brow_color": _triple(brow),
        "beard": beard,
        "brow_thickness": 0.78 + 0.30 * _soft(values["brow_thickness"]),
        "waviness": style.waviness,
        "parting": style.parting,
    }
    return Appearance(expressions, style, uniforms)


def _triple(color: npt.NDArray[np.floating]) -> tuple[float, float, float]:
    return float(color[0]), float(color[1]), float(color[2])
