"""The most memory that a block of code needs, on a GPU or a CPU."""

from __future__ import annotations

import threading

import psutil
import torch

#: Seconds between two looks at this process's memory.
_PERIOD = 0.002


class PeakMemory:
    """A context manager that measures its block.

    On a GPU it is what torch had allocated at most; otherwise the resident memory of this process,
    looked at every few milliseconds.

    Attributes:
        peak: bytes; valid after the block.
    """

    def __init__(self, device: torch.device) -> None:
        self.peak = 0
        self._device = device
        self._process = psutil.Process()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def __enter__(self) -> PeakMemory:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            self._thread = threading.Thread(target=self._watch, daemon=True)
            self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._thread is None:
            self.peak = torch.cuda.max_memory_allocated(self._device)
        else:
            self._ended.set()
            self._thread.join()

    def _watch(self) -> None:
        while True:
            self.peak = max(self.peak, int(self._process.memory_info().rss))
            if self._ended.wait(_PERIOD):
                return


def memory_of(device: torch.device) -> int:
    """All memory of a GPU, else of this machine, in bytes."""
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory)
    return int(psutil.virtual_memory().total)
