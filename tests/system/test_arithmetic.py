"""The decoder's type of numbers is the one that a machine is faster in."""

from __future__ import annotations

import pytest
import torch

from stylesdf_core.system import arithmetic
from stylesdf_core.system.arithmetic import fast_dtype


@pytest.mark.parametrize(
    ("seconds", "dtype"),
    [(0.2, torch.bfloat16), (0.9, torch.float32), (1.8, torch.float32)],
)
def test_a_processor_is_timed(
    seconds: float, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A processor with AVX-512 BF16 but without AMX took 1.8 times as long in bfloat16."""
    calls = []

    def timed(dtype: torch.dtype) -> float:
        calls.append(dtype)
        slow_moment = 5.0 if len(calls) == 1 else 0.0  # of another program
        return slow_moment + (seconds if dtype is torch.bfloat16 else 1.0)

    monkeypatch.setattr(arithmetic, "_seconds", timed)
    arithmetic._cpu_gain.cache_clear()
    try:
        assert fast_dtype(torch.device("cpu")) is dtype
        count = len(calls)
        assert fast_dtype(torch.device("cpu")) is dtype
        assert len(calls) == count, "timed once a process"
    finally:
        arithmetic._cpu_gain.cache_clear()


def test_both_types_are_really_timed() -> None:
    assert all(0.0 < arithmetic._seconds(dtype) < 5.0 for dtype in (torch.float32, torch.bfloat16))


@pytest.mark.parametrize(
    ("capability", "dtype"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_the_graphics_card_decides(
    capability: tuple[int, int], dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert fast_dtype(torch.device("cuda")) is dtype


def test_float32_on_other_devices() -> None:
    assert fast_dtype(torch.device("mps")) is torch.float32
