"""What figures of speed depend on: the machine they were measured on."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import psutil
import torch

from stylesdf_core.engine import cpu_kernels
from stylesdf_core.engine.baked_decoder import fast_dtype

#: Load per core, from others, above which figures of speed mean little.
_BUSY = 0.5


@dataclass(frozen=True)
class Machine:
    """A machine at the time of a measurement.

    Attributes:
        processor: its model's name, as far as the system tells.
        cores: logical cores this process may use.
        threads: that torch uses.
        instructions: widest vector instructions torch found, such as AVX512.
        torch: version.
        device: what computed: cpu, mps, or the GPU's name.
        dtype: of the weights and of all arithmetic but the engine's decoder.
        decoder_dtype: of the engine's decoder.
        compiled: whether the engine runs its compiled inner loops.
        load: processes that were running, averaged over the last minute, at the start.
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
        """Whether others used the machine enough to spoil what is measured."""
        return self.load > _BUSY * self.cores

    def __str__(self) -> str:
        device = "" if self.device == "cpu" else f", {self.device}"
        text = (
            f"{self.processor}{device}; {self.cores} cores, {self.threads} threads, "
            f"{self.instructions}, torch {self.torch}, {self.dtype}; engine: decoder in "
            f"{self.decoder_dtype}, {'with' if self.compiled else 'without'} compiled loops"
        )
        if self.busy:
            text += (
                f". The machine was busy (load {self.load:.1f} over the last minute): "
                "these figures may say little, measure again when it rests"
            )
        return text


def describe_machine(device: torch.device) -> Machine:
    """This machine now, as far as ``device`` concerns."""
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else device.type
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # only Linux knows
        cores = os.cpu_count() or 1
    return Machine(
        processor=_processor(),
        cores=cores,
        threads=torch.get_num_threads(),
        instructions=torch.backends.cpu.get_cpu_capability(),
        torch=torch.__version__,
        device=name,
        dtype=_name(torch.get_default_dtype()),
        decoder_dtype=_name(fast_dtype(device)),
        compiled=cpu_kernels.AVAILABLE and device.type == "cpu",
        load=psutil.getloadavg()[0],
    )


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
