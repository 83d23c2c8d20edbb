"""A run's precision: "auto" is what its machine is fast in."""

from __future__ import annotations

import pytest
import torch

from stylesdf_core.training import precision
from stylesdf_core.training.precision import Autocast

CPU = torch.device("cpu")


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_auto_follows_the_machine(dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(precision, "fast_dtype", lambda device: dtype)
    autocast, factors = Autocast("auto", CPU), torch.ones(4, 4)
    with autocast.on():
        assert (factors @ factors).dtype is dtype
    with autocast.on(False):
        assert (factors @ factors).dtype is torch.float32
    assert not autocast.scaler().is_enabled()


def test_a_given_precision_stands() -> None:
    dtypes = [precision.product_dtype(name, CPU) for name in ("tf32", "bfloat16", "float16")]
    assert dtypes == [torch.float32, torch.bfloat16, torch.float16]
