"""Peak memory of one picture, measured in a process that does nothing else.

``python -m stylesdf_core.evaluation.bench.memory_probe {reference,engine} MODEL DEVICE THREADS``
writes the mebibytes that drawing one image took beyond the loaded model.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Literal

import psutil
import torch

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.evaluation.bench.full_model import bench_model
from stylesdf_core.evaluation.bench.reference_path import ReferencePath
from stylesdf_core.model.model import Model, load_model, select_device
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene

PathName = Literal["reference", "engine"]
#: Name of the bench's own full-size model, where other models have a name or a file.
FULL = "full"
_MIB = 1 << 20


def peak_memory(path: PathName, model: str, device: torch.device) -> float:
    """Mebibytes that one image takes beyond the loaded model; in a new process.

    Args:
        model: ``full``, or a name or file for :func:`~stylesdf_core.model.model.load_model`.

    Raises:
        StyleSDFError: the process failed; the message ends with its last line.
    """
    module = "stylesdf_core.evaluation.bench.memory_probe"
    words = [path, model, device.type, str(torch.get_num_threads())]
    done = subprocess.run(
        [sys.executable, "-m", module, *words], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise StyleSDFError(f"Measuring the memory of {model} failed: {reason}")
    return float(done.stdout.split()[-1])


def _measure_here(path: str, model: Model, device: str) -> float:
    """As :func:`peak_memory`, in this process, which should have done nothing else before."""
    compiled_loops.usable()  # their compiler's memory is the program's, not the picture's
    before = psutil.Process().memory_info().rss
    with suppress(OSError):  # resets the peak, on Linux only; elsewhere loading the model counts
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    if path == "reference":
        ReferencePath(model, device).image(Scene())
    else:
        Engine(model, device).render(Scene(), "image")
    on = select_device(device)
    if on.type == "cuda":
        weights = sum(p.numel() * p.element_size() for p in model.generator.parameters())
        return (torch.cuda.max_memory_allocated(on) - weights) / _MIB
    return max(0, _peak() - before) / _MIB


def _peak() -> int:
    """Most bytes of memory that this process has held."""
    status = Path("/proc/self/status")
    if status.exists():  # getrusage would count the parent process too
        lines = status.read_text(encoding="ascii").splitlines()
        (line,) = (line for line in lines if line.startswith("VmHWM:"))
        return int(line.split()[1]) * 1024
    if os.name == "nt":
        return int(getattr(psutil.Process().memory_info(), "peak_wset"))  # noqa: B009
    import resource

    usage = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return usage if sys.platform == "darwin" else usage * 1024


def _main(path: str, name: str, device: str, threads: str) -> int:
    """Exit status: 0 with the figure on stdout, 1 with the reason on stderr."""
    torch.set_num_threads(int(threads))
    try:
        model = drain(bench_model(1024, device=device)) if name == FULL else load_model(name)
        used = _measure_here(path, model, device)
    except StyleSDFError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    sys.stdout.write(f"{used:.1f}\n")
    return 0


if __name__ == "__main__":
    sys.exit(_main(*sys.argv[1:]))
