"""Records of a run while it trains: stats.jsonl, TensorBoard events, and advice in words.

The loop (training/loop.py) passes losses and measurements; runs/health.py makes the advice.
"""

from __future__ import annotations

import math
import threading
import time
import warnings
from collections.abc import Mapping
from typing import Any

import psutil
import torch
from torch import Tensor

from stylesdf_core.training.runs.health import Health
from stylesdf_core.training.runs.run_dir import RunDir

Record = dict[str, float | int | str]


class Monitor:
    """Records a run's figures; a context manager. Only the main process writes.

    Args:
        total: steps of the whole run.
        step: step at which the run begins or resumes; later records are dropped.
    """

    def __init__(
        self, run: RunDir, total: int, step: int, *, is_main: bool, device: torch.device
    ) -> None:
        self.run, self.total = run, total
        self.is_main, self.device = is_main, device
        self.phase, self.batch, self._first = "", 0, 0
        self._health = Health()
        self._since, self._clock = step, time.monotonic()
        self._advice, self._peak = "", 0
        if not is_main:
            return
        run.trim_stats(step)
        for record in run.read_stats():
            self._health.see(record)

    def __enter__(self) -> Monitor:
        self._hook = threading.excepthook
        threading.excepthook = self._thread_failed
        try:
            if self.is_main:
                self._events = _events(self.run, self._since)
        except BaseException:
            threading.excepthook = self._hook
            raise
        return self

    def __exit__(self, *_: object) -> None:
        try:
            if self.is_main:
                self._events.close()
        finally:
            threading.excepthook = self._hook

    def _thread_failed(self, failure: threading.ExceptHookArgs) -> None:
        # TensorBoard's thread hands its error on to whoever writes next; a full disk is said there.
        if type(failure.thread).__name__ != "_AsyncWriterThread":
            self._hook(failure)

    def begin(self, phase: str, batch: int, step: int, *, first: int) -> None:
        """Begin or resume a phase at ``step``.

        Args:
            batch: images per step.
            first: step at which the phase began.
        """
        self.phase, self.batch, self._first = phase, batch, first
        self._since, self._clock = step, time.monotonic()

    def losses(self, step: int, losses: Mapping[str, Tensor]) -> None:
        """Record a step's losses, the speed since the last record, and advice if there is any."""
        now = time.monotonic()
        seconds = (now - self._clock) / max(1, step - self._since)
        self._since, self._clock = step, now
        record: Record = {"step": step, "phase": self.phase, "seconds": seconds}
        record |= {name: float(value.detach()) for name, value in losses.items()}
        if self.batch:
            record["images"] = (step - self._first) * self.batch
            record["images_per_second"] = self.batch / max(seconds, 1e-9)
        record["eta_hours"] = (self.total - step) * seconds / 3600.0
        self._peak = max(self._peak, _memory(self.device))
        record["peak_memory_gb"] = self._peak / 1e9
        self._write(record)
        self._advise(record)

    def figures(self, step: int, figures: Mapping[str, float]) -> None:
        """Record an evaluation's figures; its time does not count as training."""
        self._write({"step": step, "phase": self.phase, **figures})
        self._advise({"step": step, "phase": self.phase, **figures})
        self._clock = time.monotonic()
        self._since = step

    def rolled_back(self, step: int, why: str) -> None:
        """Record that the run was rolled back to ``step``; later records are dropped."""
        if not self.is_main:
            return
        self.run.trim_stats(step)
        self._since, self._clock = step, time.monotonic()
        self._write({"step": step, "phase": self.phase, "event": f"rolled back: {why}"})

    def headline(self, phase: str) -> str:
        """The phase's name, with the present advice if there is any."""
        return f"{phase}: {self._advice}" if self._advice else phase

    def _advise(self, record: Record) -> None:
        advice = self._health.see(record)
        if advice and advice != self._advice:
            self._write({"step": record["step"], "phase": self.phase, "health": advice})
        self._advice = advice

    def _write(self, record: Record) -> None:
        self.run.append_stats(record)
        for name, value in record.items():
            if isinstance(value, str):
                if name in ("event", "health"):
                    self._events.add_text(name, value, int(record["step"]))
            elif name not in ("step", "images") and math.isfinite(value):
                self._events.add_scalar(f"{self.phase}/{name}", value, int(record["step"]))
        self._events.flush()


def _memory(device: torch.device) -> int:
    """The GPU's peak memory so far; without a GPU, the memory of this process now. In bytes."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    return int(psutil.Process().memory_info().rss)


def _events(run: RunDir, step: int) -> Any:
    """TensorBoard's writer; events of steps after ``step`` are marked as void."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies deprecate each other's functions
        from torch.utils.tensorboard import SummaryWriter

        folder = str(run.path / "tensorboard")
        return SummaryWriter(folder, purge_step=step + 1 if step else None)
