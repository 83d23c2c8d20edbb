"""Which controls of style mixing change a model's pictures."""

from __future__ import annotations

from dataclasses import replace

import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.mixing_effects import MixingEffects, measure_mixing
from stylesdf_core.model.latents.latents import LatentDirection
from tests.models import tiny_model


def measured(engine: Engine) -> MixingEffects:
    *waits, effects = measure_mixing(engine)
    assert not any(waits)
    assert effects is not None
    return effects


def test_a_latent_and_a_decoder_without_effect_are_found() -> None:
    model = tiny_model()
    named = tuple(LatentDirection(n, n, n, i) for i, n in enumerate(("idle", "shape")))
    model = replace(model, named=(named[0], replace(named[1], unnamed_until=255)))
    with torch.no_grad():
        model.generator.mapping.layers[0].weight[:, 0] = 0.0  # type: ignore[index]
        for conv in [*model.generator.decoder.convs, *model.generator.decoder.to_rgbs]:  # type: ignore[union-attr]
            conv.conv.modulation.weight.zero_()  # type: ignore[union-attr]
    effects = measured(Engine(model, "cpu"))
    changes = dict(effects.groups)
    assert changes["idle"] < 0.01
    assert changes["shape"] > 1.0
    assert max(effects.decoder) < 0.5
    assert len(effects.field) == 3
    words = effects.without_effect()
    assert {"idle", "crossover", "all decoder layers"} <= set(words)
    assert "shape" not in words


def test_words_name_single_layers() -> None:
    effects = MixingEffects((("hair", 5.0),), (3.0, 0.2, 0.9), (2.0, 0.1), 4.0)
    assert effects.without_effect() == ["field layers 1, 2", "decoder layer 1"]
    assert [effects.is_visible_bar(bar) for bar in range(5)] == [True, False, False, True, False]
