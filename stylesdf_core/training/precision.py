"""Half precision in the paper's stages: for decoder and discriminators, not for the field.

The supervised fit has its own mixed precision (heads/fit/field.py).
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch

from stylesdf_core.system.arithmetic import fast_dtype
from stylesdf_core.training.run_config import Precision

_HALF = {"bfloat16": torch.bfloat16, "float16": torch.float16}


def product_dtype(precision: Precision, device: torch.device) -> torch.dtype:
    """Type of the products that a run's setting allows in half precision, on ``device``."""
    if precision == "auto":
        return fast_dtype(device)
    return _HALF.get(precision, torch.float32)


class Autocast:
    """A run's autocast and loss scaling.

    Args:
        precision: the run's setting; float32 and tf32 switch autocast and scaling off, and so does
            auto where bfloat16 is not faster.
        device: where the run computes.
    """

    def __init__(self, precision: Precision, device: torch.device) -> None:
        self.dtype = product_dtype(precision, device)
        self.device = device
        self._scaled = precision == "float16"

    def on(self, wanted: bool = True) -> AbstractContextManager[Any]:
        """Compute the block in half precision, if the run's setting is a half precision."""
        if self.dtype == torch.float32 or not wanted:
            return nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """Loss scaling for one backward pass; without effect unless in float16."""
        return torch.amp.GradScaler(self.device.type, enabled=self._scaled)


def allow_tf32(precision: Precision) -> None:
    """Let float32 matrix products use TF32 where the GPU has it, unless the run forbids it."""
    torch.set_float32_matmul_precision("highest" if precision == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = precision != "float32"
