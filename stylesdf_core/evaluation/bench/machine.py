"""The machine that figures of speed were measured on, in one sentence."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.system.arithmetic import fast_dtype

#: Share of the cores, used by other programs, above which figures of speed mean little.
_BUSY = 0.5
#: Seconds in which the use of the cores is measured. The system's average over the last minute
#: would still count what this program did before.
_LOOK = 0.5


@dataclass(frozen=True)
class Machine:
    """A machine at the time of a measurement.

    Attributes:
        processor: its model's name, as far as the system knows it.
        cores: logical cores this process may use.
        threads: CPU threads of torch.
        instructions: widest vector instructions torch found, such as AVX512.
        torch: version.
        device: cpu, mps, or the GPU's name.
        dtype: type of the weights and of all arithmetic but the engine's decoder.
        decoder_dtype: type of the engine's decoder.
        compiled: whether the engine runs its compiled inner loops.
        load: cores that other programs used at the start.
    """

    processor: str
    cores: int
    threads: int
    instructions: str
    torch: str
    device: str
    dtype: str
    decoder_dtype: str
    compiled: bool
    load: float

    @property
    def busy(self) -> bool:
        """Whether other programs used the machine enough to spoil figures of speed."""
        return self.load > _BUSY * self.cores

    def __str__(self) -> str:
        device = "" if self.device == "cpu" else f", {self.device}"
        text = (
            f"{self.processor}{device}; "
            f"{_counted(self.cores, 'core')}, {_counted(self.threads, 'thread')}, "
            f"{self.instructions}, torch {self.torch}, {self.dtype}; engine: decoder in "
            f"{self.decoder_dtype}, {'with' if self.compiled else 'without'} compiled loops"
        )
        if self.busy:
            text += (
                f". The machine was busy (other programs used {self.load:.1f} cores): "
                "its figures are unreliable, measure again on an idle machine"
            )
        return text


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def describe_machine(device: torch.device) -> Machine:
    """This machine now, computing on ``device``; takes half a second."""
    affinity = getattr(os, "sched_getaffinity", None)  # only Linux has it
    dtypes = torch.get_default_dtype(), fast_dtype(device)
    dtype, decoder_dtype = (str(dtype).removeprefix("torch.") for dtype in dtypes)
    return Machine(
        processor=_processor(),
        cores=len(affinity(0)) if affinity else os.cpu_count() or 1,
        threads=torch.get_num_threads(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        torch=torch.__version__,
        device=torch.cuda.get_device_name(device) if device.type == "cuda" else device.type,
        dtype=dtype,
        decoder_dtype=decoder_dtype,
        compiled=device.type == "cpu" and compiled_loops.usable(),
        load=psutil.cpu_percent(_LOOK) / 100.0 * (psutil.cpu_count() or 1),
    )


def _processor() -> str:
    info = Path("/proc/cpuinfo")  # only Linux has it
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
