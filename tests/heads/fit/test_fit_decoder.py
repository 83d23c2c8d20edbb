"""The fit's decoder phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylesdf_core.heads.fit import field
from stylesdf_core.heads.fit.bank import HeadBank
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.decoder_phases import SupervisedDecoderPhase
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.heads.fit.windows import draw_windows
from stylesdf_core.rendering.volume_rendering import sample_depths
from stylesdf_core.training.phase import Models


def test_it_learns_from_as_many_samples_as_it_will_be_shown(
    tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(samples: int, like: Tensor) -> Tensor:
        taken.append(samples)
        return sample_depths(samples, like)

    monkeypatch.setattr(field, "sample_depths", counted)
    generator = initial_generator(tiny.generator, 0)
    bank = HeadBank(Path(tiny.data))
    phase = SupervisedDecoderPhase(Models.of(generator), bank, tiny)
    batch = draw_windows(phase.random(0), bank.held_out(), 4, tiny.generator.thumb_size)
    with torch.no_grad():
        phase.show(batch, phase.random(0))
    assert taken == [tiny.generator.samples]
    assert tiny.generator.samples != FitConfig().generator.samples
