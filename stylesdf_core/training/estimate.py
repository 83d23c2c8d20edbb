"""What a training run will take: a few steps of each phase, measured without a run folder.

:func:`estimate` takes a run that a stage has prepared, as
:func:`stylesdf_core.training.loop.train` does.
"""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psutil
import torch

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.progress import Operation, Progress, duration
from stylesdf_core.training.peak_memory import PeakMemory, memory_of
from stylesdf_core.training.phase import Phase, PreparedRun
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import read_config

#: A measurement is repeated until it has taken this many seconds; of a step, at most so many times.
_SECONDS, _TIMES = 3.0, 5
#: Steps among which the combinations of lazy terms are counted.
_LONGEST_RHYTHM = 1_000


@dataclass(frozen=True)
class PhaseEstimate:
    """A phase, measured.

    Attributes:
        name: of the phase.
        steps: optimizer steps.
        batch: a process's images per step; 0 where the phase counts no images.
        seconds: a step's mean time, terms computed only every few steps in proportion.
        memory: the most bytes in use, by kind of step (``step``, ``step with R1`` …).
        reading: images a second that the workers read from the disk; None without images.
    """

    name: str
    steps: int
    batch: int
    seconds: float
    memory: Mapping[str, int]
    reading: float | None = None

    @property
    def hours(self) -> float:
        """Time of all steps."""
        return self.steps * self.seconds / 3600.0


@dataclass(frozen=True)
class Estimate:
    """What a run takes from its first step to its last; as text, a table.

    Attributes:
        settings: the stage's settings, as in config.json.
        found: sentences on the data and on the weights that the run starts from.
        parameters: number of weights by network.
        phases: the phases in their order.
        processes: processes that share every batch; one of them was measured.
        machine: where the steps were measured.
        idle, memory: bytes in use before the first step, and in all.
        checkpoint, average: bytes of a checkpoint, its averaged model included, and of an averaged
            model.
        checkpoints, averages: number of checkpoints, and of averaged models beside them, that stay
            on the disk.
        free: free bytes on the disk of the run's folder.
    """

    settings: Mapping[str, Any]
    found: tuple[str, ...]
    parameters: Mapping[str, int]
    phases: tuple[PhaseEstimate, ...]
    machine: str
    idle: int
    memory: int
    checkpoint: int
    average: int
    checkpoints: int
    averages: int
    free: int = 0
    processes: int = 1

    @property
    def hours(self) -> float:
        """Time of all steps; evaluations and checkpoints come on top."""
        return sum(phase.hours for phase in self.phases)

    @property
    def peak(self) -> int:
        """The most bytes that a process needs."""
        return max(peak for phase in self.phases for peak in phase.memory.values())

    @property
    def disk(self) -> int:
        """Bytes of all checkpoints and averaged models that are kept."""
        return self.checkpoints * self.checkpoint + self.averages * self.average

    def on_disk(self, folder: Path) -> Estimate:
        """The estimate with the free space of the disk on which ``folder`` lies or will lie."""
        there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
        return replace(self, free=shutil.disk_usage(there).free)

    def __str__(self) -> str:
        whole = (
            f"{duration(3600.0 * self.hours)} to the end, evaluations and checkpoints not counted"
        )
        rows = [("time", whole)]
        there = _size(self.memory)
        rows.append(("memory", f"a process needs {_size(self.peak)} of the {there} installed"))
        kept = _counted(self.checkpoints, "checkpoint", self.checkpoint)
        if self.averages:
            kept += f", {_counted(self.averages, 'averaged model', self.average)}"
        room = "are free" if self.disk < self.free else "are free, too little"
        rows.append(("disk", f"{_size(self.disk)} for {kept}; {_size(self.free)} {room}"))
        for phase in self.phases:
            rows += self._phase_rows(phase)
        rows += [("data", sentence) for sentence in self.found]
        counts = [f"{name} {n / 1e6:,.2f}" for name, n in self.parameters.items() if n]
        rows.append(("weights", f"{', '.join(counts)} million"))
        rows.append(("machine", self.machine))
        rows += [("settings", line) for line in _settings_lines(self.settings)]
        return "\n".join(
            f"{'' if rows[i - 1][0] == name and i else name:<10}{text}"
            for i, (name, text) in enumerate(rows)
        )

    def _phase_rows(self, phase: PhaseEstimate) -> list[tuple[str, str]]:
        steps = (
            f"{phase.steps:,} steps of {_seconds(phase.seconds)}: {duration(3600.0 * phase.hours)}"
        )
        rows = [(phase.name, steps)]
        if phase.batch:
            speed = phase.batch / phase.seconds
            shown = f"{self.processes * speed:.3g} images a second"
            if self.processes > 1:
                shown += f" on {self.processes} devices like this one, if they lose nothing"
            if phase.reading is not None:
                shown += f"; its workers read {phase.reading:,.0f} a second from the disk"
                if phase.reading < speed:
                    shown += ", too few: raise images.workers, or pack the images"
            rows.append((phase.name, shown))
        for kind, peak in phase.memory.items():
            more = _size(max(0, peak - self.idle))
            text = f"{kind}: at most {_size(peak)} in use, {more} more than before the first"
            rows.append((phase.name, text))
        return rows


def estimate_run(config: Any) -> Operation[Estimate]:
    """Measure a few steps of each phase of a config, in a folder that is deleted afterwards.

    Raises:
        InputError: the config, the data or the initial weights are wrong.
        KeyboardInterrupt: a signal ended the measurement.
    """
    with TemporaryDirectory(prefix="stylesdf-dry-run-") as folder:
        run = RunDir(Path(folder))
        run.write_config(to_json(config))
        stage, config = read_config(run)
        found: Estimate = yield from stage.train(run, config, estimate)
    return found


def estimate(prepared: PreparedRun) -> Operation[Estimate]:
    """Measure a few steps of every phase; the models are spent afterwards.

    Args:
        prepared: its folder lasts for a short time only, and its stop file ends the measurement.

    Raises:
        KeyboardInterrupt: the measurement was asked to stop.
    """
    run, models, plans = prepared.folder, prepared.models, prepared.plans
    cadence, device = prepared.cadence, prepared.world.device
    idle = _in_use(device)
    parameters = {
        name: _count(network) for name, network in models.live.named_children() if _count(network)
    }
    phases: list[PhaseEstimate] = []
    checkpoint = average = 0
    for number, plan in enumerate(plans):
        yield Progress(number, len(plans), f"{plan.name}: first step")
        phase = plan.begin(models)
        phase.step(0)
        _go_on(run)
        seconds, memory = 0.0, {}
        for kind, (index, share) in _rhythm(phase.lazy).items():
            yield Progress(number + 0.5, len(plans), f"{plan.name}: {kind}")
            time_of_kind, memory[kind] = _measured(phase, index, device)
            seconds += share * time_of_kind
            _go_on(run)
        reading = phase.reading_speed(_SECONDS)
        phases.append(PhaseEstimate(plan.name, plan.steps, phase.batch, seconds, memory, reading))
        parameters |= {name: _count(network) for name, network in phase.networks.items()}
        average = _bytes(models.ema.state_dict())
        state = [
            models.live.state_dict(),
            *(optimizer.state_dict() for optimizer in phase.optimizers.values()),
            *(network.state_dict() for network in phase.networks.values()),
            dict(phase.carried),
        ]
        checkpoint = max(checkpoint, _bytes(state) + 2 * average)
        del phase, state
    total = prepared.steps
    written = math.ceil(total / cadence.checkpoint_every)
    return Estimate(
        settings=prepared.config,
        found=tuple(str(record["event"]) for record in run.read_stats() if "event" in record),
        parameters=parameters,
        phases=tuple(phases),
        machine=_machine(device),
        idle=idle,
        memory=memory_of(device),
        checkpoint=checkpoint,
        average=average,
        checkpoints=min(written, cadence.keep + 1),
        averages=total // max(cadence.keep_every, cadence.checkpoint_every),
    )


def _go_on(run: RunDir) -> None:
    if run.stop_requested():
        raise KeyboardInterrupt("The dry run was cancelled; it leaves no file behind.")


def _rhythm(lazy: Mapping[str, int]) -> dict[str, tuple[int, float]]:
    """Kinds of steps by name: the first step of the kind, and its share of all steps.

    Args:
        lazy: see :attr:`~stylesdf_core.training.phase.Phase.lazy`.
    """
    period = min(math.lcm(*lazy.values()), _LONGEST_RHYTHM)
    kinds: dict[str, list[int]] = {}
    for index in range(1, period + 1):
        terms = [name for name, every in lazy.items() if index % every == 0]
        kinds.setdefault(f"step with {' and '.join(terms)}" if terms else "step", []).append(index)
    return {kind: (indices[0], len(indices) / period) for kind, indices in kinds.items()}


def _measured(phase: Phase, index: int, device: torch.device) -> tuple[float, int]:
    """Mean seconds of a step, and the most bytes in use while it runs.

    The first of several repetitions is not timed: it reads its images from the disk, while steps of
    a run find theirs read ahead.
    """
    times: list[float] = []
    with PeakMemory(device) as memory:
        while not times or (sum(times) < _SECONDS and len(times) < _TIMES):
            start = time.perf_counter()
            phase.step(index)
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            times.append(time.perf_counter() - start)
    timed = times[1:] or times
    return sum(timed) / len(timed), memory.peak


def _in_use(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.memory_allocated(device))
    return int(psutil.Process().memory_info().rss)


def _count(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


def _bytes(state: Any) -> int:
    """Size of all tensors in nested containers."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    inner = state.values() if isinstance(state, Mapping) else state
    return sum(map(_bytes, inner)) if isinstance(state, Mapping | list | tuple) else 0


def _machine(device: torch.device) -> str:
    from stylesdf_core.evaluation.bench.machine import describe_machine

    here = describe_machine(device)
    where = f"{here.device}, " if here.device != "cpu" else ""
    busy = (
        "; other programs were busy there, so that an idle machine is faster" if here.busy else ""
    )
    threads = f"{here.threads} thread{'s' * (here.threads != 1)}"
    return f"{where}{here.processor}, {threads}, torch {here.torch}{busy}"


def _settings_lines(settings: Mapping[str, Any]) -> list[str]:
    """The settings of the top level in one line, and each group in a line of its own."""
    plain = {name: value for name, value in settings.items() if not isinstance(value, Mapping)}
    groups = {name: value for name, value in settings.items() if isinstance(value, Mapping)}
    return [_written(plain)] + [f"{name}: {_written(value)}" for name, value in groups.items()]


def _written(settings: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items() if value is not None)


def _counted(count: int, name: str, size: int) -> str:
    return f"{count:,} {name}{'s' * (count != 1)} of {_size(size)}"


def _size(count: int) -> str:
    return f"{count / 1e9:.2f} GB" if count >= 1e8 else f"{count / 1e6:.1f} MB"


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1.0 else f"{1000.0 * seconds:.0f} ms"
