"""The type of numbers in which a machine convolves fastest."""

from __future__ import annotations

import functools
import time

import torch
import torch.nn.functional as F

_CHANNELS, _EDGE = 64, 32  # 38 million products: half a millisecond, and large enough to be typical
_REPEATS = 5
_GAIN = 1.25  # 16 bits have to be at least so much faster than float32, which is exact


def fast_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where convolutions are clearly faster in bfloat16, else float32.

    CUDA has fast products of bfloat16 from compute capability 8.0 on. A processor's flags do not
    tell: AMX makes bfloat16 five to ten times as fast as float32; some processors with AVX-512 BF16
    and without AMX are slower in it; most others emulate it. A small convolution is therefore timed
    in both types, some ten milliseconds once a process.
    """
    if device.type == "cuda":
        is_faster = torch.cuda.get_device_capability(device) >= (8, 0)
    else:
        is_faster = device.type == "cpu" and _cpu_gain() > _GAIN
    return torch.bfloat16 if is_faster else torch.float32


@functools.cache
def _cpu_gain() -> float:
    """How many times as fast a convolution is in bfloat16 as in float32."""
    # In turns: other programs slow both types down alike.
    pairs = [(_seconds(torch.float32), _seconds(torch.bfloat16)) for _ in range(_REPEATS)]
    return min(pair[0] for pair in pairs) / min(pair[1] for pair in pairs)


@torch.no_grad()
def _seconds(dtype: torch.dtype) -> float:
    """Time of one convolution as the decoder's: 3×3, channels last."""
    maps, weight = (
        torch.zeros(shape).to(dtype, memory_format=torch.channels_last)
        for shape in ((1, _CHANNELS, _EDGE, _EDGE), (_CHANNELS, _CHANNELS, 3, 3))
    )
    start = time.perf_counter()
    F.conv2d(maps, weight, padding=1)
    return time.perf_counter() - start
