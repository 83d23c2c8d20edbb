"""Settings of how a stage runs, whatever the stage trains: seed, device, precision, intervals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.model.config import check_seed

Precision = Literal["auto", "float32", "tf32", "bfloat16", "float16"]


#: More threads than any machine has cores would only exhaust its memory.
_MOST_THREADS = 1024


def check_threads(count: int, least: int, name: str = "threads") -> None:
    """Refuse a number of threads that no machine has use for.

    Raises:
        InputError: names the setting.
    """
    check_range(name, count, least, _MOST_THREADS)


@dataclass(frozen=True, kw_only=True)
class Cadence:
    """Settings of the training loop: intervals in steps, and the averaged weights."""

    record_every: int = 50
    """Steps between records of the losses."""

    evaluate_every: int = 2_000
    """Steps between sample grids and measurements of the averaged weights. Only checkpoints of such
    steps can be the best."""

    checkpoint_every: int = 2_000
    """Steps between checkpoints."""

    keep: int = 3
    """Newest checkpoints kept; the best checkpoint is kept as well."""

    keep_every: int = 10_000
    """Steps between averaged models that are kept for good, the run's history: of the checkpoints,
    the first at or after each multiple."""

    ema: float = 0.5 ** (32.0 / 10_000.0)
    """Decay of the averaged weights per step; the longer the run, the nearer to 1."""

    def __post_init__(self) -> None:
        for name in ("record_every", "evaluate_every", "checkpoint_every", "keep", "keep_every"):
            check_range(name, getattr(self, name), 1)
        if not 0.0 <= self.ema < 1.0:
            raise InputError(f"ema must lie in [0, 1), not {self.ema}.")


@dataclass(frozen=True, kw_only=True)
class RunConfig(Cadence):
    """How the stage runs; only seed, precision and ema change what is learned."""

    seed: int = 0
    """Seed of initial weights, latents, cameras and the images' order."""

    device: Literal["auto", "cpu", "cuda", "mps"] = "auto"
    """Where to compute; auto takes the best device there is."""

    precision: Precision = "tf32"
    """Precision of matrix products. bfloat16 and float16 hold for decoder and discriminators, whose
    kept activations they halve; the field stays in tf32, since its sines' arguments reach tens of
    radians, where neighbouring bfloat16 numbers are about 0.1 rad apart. auto: bfloat16 where
    processor or GPU is clearly faster in it, else tf32."""

    threads: int = 0
    """CPU threads; 0 for torch's choice."""

    max_gradient_norm: float = 1e6
    """Norm of the gradient beyond which a step counts as diverged."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.max_gradient_norm <= 0.0:
            raise InputError(f"max_gradient_norm must lie above 0, not {self.max_gradient_norm}.")
        check_threads(self.threads, 0)
        check_seed(self.seed)
