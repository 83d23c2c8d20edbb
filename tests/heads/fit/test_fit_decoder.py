"""The fit's decoder phase."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylesdf_core.heads.fit import decoder_phase as fit_decoder
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.crops import Crop
from stylesdf_core.heads.fit.data import USED_LATENTS, HeadBank
from stylesdf_core.heads.fit.decoder_phase import DecoderPhase
from stylesdf_core.heads.fit.init import initial_generator
from stylesdf_core.rendering.volume_rendering import sample_depths
from stylesdf_core.training.loop import Models


def test_it_learns_from_as_many_samples_as_it_will_be_shown(
    tiny: FitConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken: list[int] = []

    def counted(samples: int, like: Tensor) -> Tensor:
        taken.append(samples)
        return sample_depths(samples, like)

    monkeypatch.setattr(fit_decoder, "sample_depths", counted)
    generator = initial_generator(tiny.generator(256), USED_LATENTS, 0)
    bank = HeadBank(Path(tiny.data))
    phase = DecoderPhase(Models.of(generator), bank, tiny)
    with torch.no_grad():
        phase._decode(bank.held_out(), Crop(0, 0, 4, 4))
    assert taken == [tiny.samples]
    assert tiny.samples != FitConfig.samples
