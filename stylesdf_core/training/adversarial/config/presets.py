"""Presets of the stages that train from images: settings that differ from the paper's for FFHQ."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from stylesdf_core.training.adversarial.config.stages import PresetName, StageConfig
from stylesdf_core.training.settings import by_path, with_values

Config = TypeVar("Config", bound=StageConfig)

#: For each preset, values of settings by dotted path. A stage takes the settings that it has. A
#: mapping as value gives a value for each stage.
PRESETS: dict[PresetName, Mapping[str, Any]] = {
    "ffhq": {},
    "afhq": {"output_size": 512, "poses.azimuth_std": 0.15, "image.r1": 50.0},
    # For the synthetic heads; networks of the shipped model's size.
    "heads": {
        "generator.width": 128,
        "generator.depth": 6,
        "output_size": 256,
        "channel_multiplier": 1,
        "poses.static_viewdirs": True,
        "augment.mode": "auto",
        "volume.generator_rate": 5e-5,
        "patch.anneal_steps": 30_000,
        "steps": {"renderer": 60_000, "decoder": 80_000, "joint": 20_000},
    },
    # To see a result within minutes on two CPU cores.
    "tiny": {
        "generator.width": 48,
        "generator.depth": 3,
        "generator.thumb_size": 32,
        "generator.output_size": 32,
        "generator.samples": 8,
        "output_size": 64,
        "channel_multiplier": 1,
        "poses.static_viewdirs": True,
        "patch.image_size": 128,
        "patch.anneal_steps": 600,
        "sphere.steps": 200,
        "sphere.batch": 8,
        "sphere.rays": 64,
        "sphere.learning_rate": 1e-3,
        "sphere.beta": 0.01,
        "volume.minimal_surface": 0.01,
        "volume.geometry_rays": 32,
        # An opaque sphere, held until colours have formed: faces form on its outside and turn with
        # the camera. Of a soft surface (β 0.05) the inside is seen as well, and some seeds' faces
        # lie deeper than their hair, like the inside of a mask, and turn the wrong way.
        "volume.anchor": 1000.0,
        "volume.anchor_steps": 600,
        # Of a harder surface, so few samples a ray would give no gradient.
        "volume.least_beta": 0.002,
        "volume.r1_every": 4,
        "volume.generator_rate": 1.2e-4,
        "volume.discriminator_rate": 1.5e-4,
        "volume.discriminator_channels": 24,
        # After 9,600 images of synthetic heads (one seed), the Fréchet distance is 2.9; with the
        # published initial weights, gain 1, it is 7.0.
        "volume.discriminator_gain": 2.45,
        "image.widest": 64,
        "images.compare": 250,
        "augment.mode": "auto",
        "augment.images": 50_000,
        "run.record_every": 10,
        "run.evaluate_every": 200,
        "run.checkpoint_every": 200,
        "run.ema": 0.98,
        "run.precision": "float32",
        "steps": {"renderer": 1_600, "decoder": 300, "joint": 200},
        "batch": {"renderer": 8, "decoder": 4, "joint": 4},
    },
}


def preset(kind: type[Config], name: PresetName, **given: Any) -> Config:
    """A stage's settings with the values of a preset.

    Args:
        given: settings of the top level, such as ``data`` and ``init``, which have no default.
    """
    config = kind(**{**given, "preset": name})
    known = {path for path in by_path(config) if path.split(".")[0] not in given}
    values = {
        path: value[config.stage] if isinstance(value, Mapping) else value
        for path, value in PRESETS[name].items()
        if path in known
    }
    return with_values(config, values)
