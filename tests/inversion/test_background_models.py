"""What photographs and the supervised fit do not do with a background field."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.latents.mean_latents import MeanLatents
from stylesdf_core.model.model import Model
from tests.models import tiny_generator


def test_a_photograph_is_not_fitted_with_such_a_model() -> None:
    generator = tiny_generator(background="sphere")
    model = Model("mine", Path("mine"), generator, MeanLatents(torch.zeros(1, 256), None), ())
    with pytest.raises(InputError, match="The model mine has a background field; photographs are"):
        Fit(model, generator, [PhotoView.framed(torch.zeros(3, 16, 16))])


def test_the_supervised_fit_has_no_backgrounds_to_learn() -> None:
    with pytest.raises(InputError, match=r"generator.background must be none: .* before one"):
        FitConfig(generator=GeneratorConfig(background="sphere"))
