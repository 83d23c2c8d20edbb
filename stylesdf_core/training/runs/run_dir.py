"""The run folder, which holds all settings, figures and weights of one training run.

::

    config.json                  the settings of the stage, as its config dataclass
    stats.jsonl                  one JSON object a line, each with its ``step``
    checkpoints/step-XXXXXXXX.pt whole training state (plain tensors, read with weights_only)
    checkpoints/ema-XXXXXXXX.safetensors   the averaged generator, loadable as a model
    checkpoints/latest.json      names the newest state and average
    checkpoints/best.json        names the state and average nearest to the images
    samples/XXXXXXXX.png         sample grid: truth above render, or latents from eight sides
    samples/XXXXXXXX-thumb.png, XXXXXXXX.ply   volume renders and a mesh, of adversarial runs
    tensorboard/                 the figures of stats.jsonl as events
    data.json                    fingerprints of the training data (training/runs/run_data.py)
    init.json                    digest of the initial weights (training/runs/run_init.py)
    stop                         when this file appears the run saves and ends
    process.json                 the process that trains here; a killed process leaves the file
    start.json                   number of processes of the last start, which resuming uses again
    training.log                 output of processes that were not started in a terminal

A run killed at any instant loses only the steps since its last checkpoint.
"""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

from stylesdf_core.errors import InputError, OutputError, TrainingError
from stylesdf_core.files import json_line, locked, write_json, write_text
from stylesdf_core.foreign import parse_json, read_json, reading
from stylesdf_core.system.console import first_signal
from stylesdf_core.training.settings import differences

if TYPE_CHECKING:
    from stylesdf_core.model.networks.generator import Generator

#: Bytes in which the last line of stats.jsonl is sure to be found.
_LONGEST_LINE = 64 << 10
#: Seconds between two updates of process.json, and seconds without an update after which another
#: machine takes the process for dead; on its own machine the system knows whether it runs.
_BEAT, _SILENCE = 30.0, 300.0


@dataclass(frozen=True)
class RunDir:
    """One run's folder; making the object does not touch the disk."""

    path: Path

    @property
    def checkpoints(self) -> Path:
        """Folder of training states and averaged generators."""
        return self.path / "checkpoints"

    @property
    def stop_file(self) -> Path:
        """The file whose appearance asks the run to save and end."""
        return self.path / "stop"

    @property
    def stats_file(self) -> Path:
        """One JSON object a line."""
        return self.path / "stats.jsonl"

    @property
    def data_file(self) -> Path:
        """Fingerprints of the data that the run is trained on."""
        return self.path / "data.json"

    @property
    def log_file(self) -> Path:
        """Output of the processes that train in the background."""
        return self.path / "training.log"

    # --- config --------------------------------------------------------------------------------

    def read_config(self) -> dict[str, Any]:
        """The JSON object in config.json.

        Raises:
            InputError: the file is missing or holds no JSON object.
        """
        file = self.path / "config.json"
        if not file.exists():
            raise InputError(f"{self.path} is no run folder: it holds no config.json.")
        config = read_json(file)
        if not isinstance(config, dict):
            raise InputError(f"{file} holds no JSON object of settings.")
        return config

    def write_config(self, config: Any, adjustable: Set[str] = frozenset()) -> None:
        """Make the folder with ``config`` (a JSON object), or check that the folder holds it.

        Before the first checkpoint all settings may change, since nothing has been learned yet.

        Args:
            adjustable: settings, by dotted path, that a resumed run may change.

        Raises:
            InputError: the folder already belongs to a run with other settings.
            TrainingError: the run is being trained, and ``config`` would change its settings.
        """
        file = self.path / "config.json"
        if not file.exists() or (self.latest() is None and self.running_process() is None):
            write_json(file, config)
            return
        before, after = _flat(self.read_config()), _flat(config)
        changed = [key for key in {**after, **before} if before.get(key) != after.get(key)]
        fixed = [key for key in changed if key not in adjustable]
        if fixed:
            # Between two stages nearly all settings differ.
            named = ["stage"] if "stage" in fixed else fixed
            different = differences(before, after, named)
            raise InputError(
                f"{self.path} already holds a run with {different}; resume it with its own "
                "settings or choose a new folder."
            )
        if changed:
            if self.running_process() is not None:
                raise TrainingError(
                    f"{self.path} is being trained; stop the run before you change its settings."
                )
            write_json(file, config)

    # --- statistics and samples ----------------------------------------------------------------

    def append_stats(self, record: Mapping[str, float | int | str]) -> None:
        """Append one line; ``record`` holds ``step``.

        Raises:
            OutputError: the disk is full or cannot be written.
        """
        try:
            with open(self.stats_file, "a", encoding="utf-8") as stream:
                stream.write(json_line(record) + "\n")
        except OSError as error:
            raise OutputError(f"Cannot write {self.stats_file}: {error.strerror}.") from error

    def read_stats(self) -> list[dict[str, Any]]:
        """All whole lines, oldest first; a line cut short by a kill is left out."""
        if not self.stats_file.exists():
            return []
        return records_in(self.stats_file.read_bytes())

    def last_stats(self) -> dict[str, Any] | None:
        """The newest whole line, read from the file's end; None before the first line."""
        if not self.stats_file.exists():
            return None
        with open(self.stats_file, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_LINE))
            records = records_in(stream.read())
        return records[-1] if records else None

    def trim_stats(self, step: int) -> None:
        """Drop the records after ``step``, since these steps will run again."""
        kept = [record for record in self.read_stats() if record["step"] <= step]
        write_text(self.stats_file, "".join(json_line(record) + "\n" for record in kept))

    def sample_path(self, step: int) -> Path:
        """Where the sample grid of ``step`` goes."""
        folder = self.path / "samples"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{step:08d}.png"

    # --- checkpoints ---------------------------------------------------------------------------

    def save_checkpoint(
        self,
        step: int,
        state: Mapping[str, Any],
        ema: Generator,
        *,
        keep: int,
        keep_every: int = 0,
        metadata: Mapping[str, str] | None = None,
        best: bool = False,
    ) -> None:
        """Write the state, the averaged generator and, last, latest.json; delete old checkpoints.

        Args:
            state: nested containers of tensors, numbers and strings.
            keep: newest checkpoints to keep.
            keep_every: steps between averaged generators that are kept for good, the first at or
                after each multiple; 0 for none.
            metadata: entries of the averaged generator's file besides the step.
            best: keep this checkpoint until the next best one.

        Raises:
            OutputError: the disk is full or cannot be written; the older checkpoints are intact.
        """
        from stylesdf_core.model.checkpoints.checkpoints import save_safetensors, save_tensors

        names = {"state": f"step-{step:08d}.pt", "ema": f"ema-{step:08d}.safetensors"}
        save_tensors(state, self.checkpoints / names["state"])
        metadata = {**(metadata or {}), "step": str(step)}
        save_safetensors(ema, self.checkpoints / names["ema"], metadata=metadata)
        if best:
            write_json(self.checkpoints / "best.json", {"step": step, **names})
        write_json(self.checkpoints / "latest.json", {"step": step, **names})
        kept = {path.name for path in (self.best("state"), self.best("ema")) if path}
        if keep_every:
            # The first at or after each multiple: there need not be a checkpoint at the multiple.
            history: dict[int, str] = {}
            for at, path in self.averages().items():
                history.setdefault(at // keep_every, path.name)
            kept |= {name for multiple, name in history.items() if multiple > 0}
        for pattern, newest in (("step-*.pt", names["state"]), ("ema-*.safetensors", names["ema"])):
            # Files of later steps are left-overs of a run that was set back to an older checkpoint,
            # or killed before latest.json named them: they must not push out this checkpoint.
            written = [p for p in sorted(self.checkpoints.glob(pattern)) if p.name <= newest]
            for old in written[:-keep]:
                if old.name not in kept:
                    old.unlink(missing_ok=True)

    def latest(self, kind: str = "state") -> Path | None:
        """The newest training state ("state") or averaged generator ("ema"); None without one.

        Without latest.json, which a kill or a copy can leave out, the newest whole checkpoint
        counts: a run that began anew would drop the figures of its steps.
        """
        named = self._named("latest.json", kind)
        if named is None and (whole := self._whole_checkpoints()):
            return whole[max(whole)][kind]
        return named

    def saved_step(self) -> int:
        """Step of the newest checkpoint; 0 before the first checkpoint."""
        if (self.checkpoints / "latest.json").exists():
            return self._step("latest.json")
        return max(self._whole_checkpoints(), default=0)

    def averages(self) -> dict[int, Path]:
        """All averaged generators there are, by their step, ascending."""
        found = sorted(self.checkpoints.glob("ema-*.safetensors"))
        steps = {path.stem.removeprefix("ema-"): path for path in found}
        return {int(step): path for step, path in steps.items() if step.isdecimal()}

    def _whole_checkpoints(self) -> dict[int, dict[str, Path]]:
        """State and average of each step of which both are there."""
        pairs = {
            step: {"state": self.checkpoints / f"step-{step:08d}.pt", "ema": average}
            for step, average in self.averages().items()
        }
        return {step: pair for step, pair in pairs.items() if pair["state"].exists()}

    def best(self, kind: str = "ema") -> Path | None:
        """The best training state ("state") or averaged generator ("ema"); None without one."""
        return self._named("best.json", kind)

    def _step(self, list_name: str) -> int:
        try:
            return int(read_json(self.checkpoints / list_name)["step"])
        except (InputError, ValueError, KeyError, TypeError):
            return 0

    def _named(self, list_name: str, kind: str) -> Path | None:
        file = self.checkpoints / list_name
        if not file.exists():
            return None
        with reading(file, "a list of checkpoints"):
            return self.checkpoints / str(read_json(file)[kind])

    def load_checkpoint(self) -> dict[str, Any] | None:
        """The newest training state, on the CPU; None before the first checkpoint.

        Raises:
            TrainingError: the file is missing or damaged.
        """
        from stylesdf_core.model.checkpoints.tensor_pickles import load_tensors

        file = self.latest()
        if file is None:
            return None
        advice = (
            "To go on from an older checkpoint, write its step and file names into "
            f"{self.checkpoints / 'latest.json'}."
        )
        with reading(file, "a checkpoint", error=TrainingError, advice=advice):
            return dict(load_tensors(file))

    # --- process -------------------------------------------------------------------------------

    def stop_requested(self) -> bool:
        """Whether the file ``stop`` is there."""
        return self.stop_file.exists()

    def request_stop(self) -> None:
        """Ask the process that trains here to save and end."""
        self.stop_file.touch()

    def running_process(self) -> int | None:
        """Id of the process that trains here, on this or another machine; None if none does."""
        file = self.path / "process.json"
        with suppress(InputError), reading(file, "the id of a process"):
            owner = read_json(file)
            if owner["host"] != platform.node():
                is_silent = time.time() - file.stat().st_mtime > _SILENCE
                return None if is_silent else int(owner["pid"])
            process = psutil.Process(owner["pid"])
            # The system may have given the id to another program since.
            same = abs(process.create_time() - owner["started"]) < 1.0
            # A zombie has ended; its parent has not read its exit status yet.
            dead = process.status() == psutil.STATUS_ZOMBIE
            return process.pid if same and not dead else None
        return None

    @property
    def was_killed(self) -> bool:
        """Whether the last process that trained here was killed, so that process.json remains."""
        return (self.path / "process.json").exists() and self.running_process() is None

    @contextmanager
    def owned(self) -> Iterator[None]:
        """Hold the folder for this process; an old stop request is deleted.

        The first Ctrl+C or other signal that ends programs asks the run to stop, as the stop file
        does; a second signal ends the process.

        Raises:
            TrainingError: another process trains here.
            KeyboardInterrupt: a signal stopped the run, which is saved; names the step.
        """
        file = self.path / "process.json"
        # Of two processes that start at once, the second looks only after the first has written.
        with locked(self.path / ".starting"):
            owner = self.running_process()
            if owner is not None:
                raise TrainingError(
                    f"{self.path} is being trained by process {owner} (see {file}); create the "
                    f"file {self.stop_file} to stop it, or choose another folder."
                )
            me = psutil.Process(os.getpid())
            host = platform.node()
            write_json(file, {"pid": me.pid, "host": host, "started": me.create_time()})
        self.stop_file.unlink(missing_ok=True)
        for left in self.checkpoints.glob(".*.tmp*"):  # of a process that was killed while writing
            left.unlink(missing_ok=True)
        ended = threading.Event()
        threading.Thread(target=_beat, args=(file, ended), daemon=True).start()
        try:
            with first_signal(self.request_stop) as asked:
                yield
        finally:
            ended.set()
            file.unlink(missing_ok=True)
            self.stop_file.unlink(missing_ok=True)
        if asked.is_set():
            raise KeyboardInterrupt(self.stopped_in_words())

    def stopped_in_words(self) -> str:
        """A sentence: at which step the run stopped, and how to resume it."""
        return f"Stopped at step {self.saved_step()}; the same command goes on from there."


def _beat(file: Path, ended: threading.Event) -> None:
    """Update the time of ``file`` until ``ended``, for machines that share the disk."""
    while not ended.wait(_BEAT):
        with suppress(OSError):
            os.utime(file)


def records_in(content: bytes) -> list[dict[str, Any]]:
    """The records in lines of stats.jsonl: JSON objects with a step, of numbers and texts.

    Lines that are cut short are left out, and so are figures that could not be measured (null).
    """
    records = []
    for line in content.splitlines():
        with suppress(ValueError):
            record = parse_json(line)
            if isinstance(record, dict) and isinstance(record.get("step"), (int, float)):
                kept = {k: v for k, v in record.items() if isinstance(v, (int, float, str))}
                records.append(kept)
    return records


def _flat(value: Any, prefix: str = "") -> dict[str, Any]:
    """Nested objects as one level with dotted keys."""
    if not isinstance(value, dict):
        return {prefix: value}
    flat: dict[str, Any] = {}
    for key, inner in value.items():
        flat |= _flat(inner, f"{prefix}.{key}" if prefix else str(key))
    return flat
