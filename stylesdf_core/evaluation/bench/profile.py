"""Where time goes, operation by operation."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity

_ROWS = 15


def profile(work: Callable[[], object], device: torch.device) -> str:
    """The most expensive torch operations of ``work()``, as torch's own table."""
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with torch.profiler.profile(activities=activities) as profiler:
        work()
    order = "self_cuda_time_total" if device.type == "cuda" else "self_cpu_time_total"
    table: str = profiler.key_averages().table(
        sort_by=order, row_limit=_ROWS, max_name_column_width=40
    )
    return table
