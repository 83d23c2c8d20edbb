"""The levels of detail of a picture that moves, coarse to fine, and the work that each takes.

The studio shows the finest level that is rendered in time (``PassPlanner`` of
``app/workers/pass_planner.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from stylesdf_core.engine.march.ray_march import TYPICAL_SAMPLES
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.decoder import decoder_channels
from stylesdf_core.scene.scene import View

#: Edges of volume renders, pixels. Below 32 a face can no longer be recognised.
_EDGES = (32, 48, 64)
#: Edges of the direct view, whose rays take a third of a volume render's samples.
_DIRECT_EDGES = (64, 96, 128, 192)
#: Time of a pass that does not depend on its rays, in rays. Measured on the shipped model.
_PASS_WORK = 768
#: Time of a decoder's multiplication over that of a field's: a decoder multiplies larger matrices,
#: in 16 bits, and spends less time between two products. Measured with AVX-512 BF16 on two cores.
_DECODER_SHARE = 0.2


@dataclass(frozen=True)
class Level:
    """How finely a picture is rendered.

    Attributes:
        rays: along each side of the volume render; twice the thumb size to decode the mean features
            of four rays.
        image: edge of the decoded image, pixels: the model's, or half the model's for the skip
            generator's sum without its last resolution. 0 shows the volume render itself.
        work: estimated time, in any unit that all levels of a model share.
    """

    rays: int
    image: int = 0
    work: float = field(default=0.0, compare=False)

    @property
    def pixels(self) -> int:
        """Edge of the picture, pixels."""
        return self.image or self.rays


def volume_level(edge: int) -> Level:
    """A volume render of ``edge``² pixels by itself."""
    return Level(edge, work=float(edge * edge + _PASS_WORK))


def drawn_view(config: GeneratorConfig, view: View) -> View:
    """The view that is shown for ``view``: some models' image is the direct view."""
    return "direct" if view == "image" and config.is_direct else view


def levels(config: GeneratorConfig, view: View, device: str) -> tuple[Level, ...]:
    """The levels in which a moving view can be shown, coarse to fine.

    Args:
        device: type of the engine's device. Only a GPU has the time for four rays a pixel.
    """
    thumb, whole = config.thumb_size, config.output_size
    if drawn_view(config, view) == "direct":
        return tuple(map(volume_level, _DIRECT_EDGES))
    found = [volume_level(edge) for edge in sorted({min(edge, thumb) for edge in _EDGES})]
    if view == "image" and config.has_decoder:
        march = volume_level(thumb).work
        if config.upsamplings > 1:
            half = _decoder_work(config, config.upsamplings - 1)
            found.append(Level(thumb, whole // 2, march + half))
        decoder = _decoder_work(config, config.upsamplings)
        found.append(Level(thumb, whole, march + decoder))
        if device != "cpu":
            found.append(Level(2 * thumb, whole, volume_level(2 * thumb).work + decoder))
    return tuple(found)


def _decoder_work(config: GeneratorConfig, upsamplings: int) -> float:
    """Work of the decoder up to a number of upsamplings, in rays of a volume render."""
    channels = decoder_channels(0, config.channel_multiplier)
    products = config.thumb_size**2 * config.width * channels
    for level in range(1, upsamplings + 1):
        before, channels = channels, decoder_channels(level, config.channel_multiplier)
        pixels = (config.thumb_size << level) ** 2
        products += pixels // 4 * before * channels + pixels * channels * channels
    ray = TYPICAL_SAMPLES * (config.depth + 1) * config.width**2
    return _DECODER_SHARE * 9 * products / ray
