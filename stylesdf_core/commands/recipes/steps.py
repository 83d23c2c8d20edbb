"""Runs requests one after the other and records each, so that the same command resumes.

A recipe folder's ``recipe.json`` lists the requests, which are finished, how long each took and on
which machine. After a kill or a failure at any instant, the same command resumes with the first
unfinished step.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_json
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.settings import by_path, differences

#: Seconds between two records of a step's duration; a kill loses at most so much of it.
_NOTE_EVERY = 20.0
#: Settings that may change when a recipe resumes, since a step's result does not depend on them.
_ADJUSTABLE = frozenset({"facekit", "device", "jobs", "threads"})


class Request(Protocol):
    """A command's dataclass; run again, it resumes or starts again without harm."""

    def run(self) -> Operation[Any]:
        """Run the command."""
        ...


@dataclass
class Record:
    """A step of a recipe, as in ``recipe.json``.

    Attributes:
        name: name of the step, unique in a recipe.
        command: class of the step's request.
        settings: the request's settings by dotted path, as JSON values; files of the recipe's
            folder relative to it, others absolute.
        seconds: time that the step has taken, over all starts.
        machine: machine on which the step last ran; empty before the step began.
    """

    name: str
    command: str
    settings: dict[str, Any]
    seconds: float = 0.0
    finished: bool = False
    machine: str = ""


def run_steps(folder: Path, steps: Mapping[str, Request], machine: str) -> Operation[list[Record]]:
    """Run the requests that are not finished, in order; yields Progress in steps.

    A training run that was asked to stop ends the recipe.

    Args:
        folder: folder of ``recipe.json``; new, empty, or the folder of an interrupted recipe.
        steps: the requests by their names.
        machine: this machine in words.

    Raises:
        InputError: the folder holds another recipe or other files. Errors of the steps are raised
            as well.
    """
    import torch

    file, records = folder / "recipe.json", _records(folder, steps)

    def write() -> None:
        write_json(file, {"steps": [asdict(record) for record in records]})

    write()
    threads = torch.get_num_threads()
    for index, (record, request) in enumerate(zip(records, steps.values(), strict=True)):
        if record.finished:
            continue
        record.machine = machine
        try:
            with closing(_timed(request.run(), record, write)) as operation:
                for progress in operation:
                    message = f"{record.name}: {progress.message}"
                    yield Progress(index + progress.fraction, len(steps), message)
        finally:
            torch.set_num_threads(threads)  # a step's own number is not the next one's
        if not records[index].finished:
            break
        yield Progress(index + 1, len(steps), f"{record.name}: done")
    return records


def _timed(operation: Operation[Any], record: Record, write: Callable[[], None]) -> Operation[None]:
    """Run a step's operation and record how long it took and whether it finished."""
    before, start = record.seconds, time.monotonic()
    noted = start
    write()
    try:
        with closing(operation):
            while True:
                try:
                    progress = next(operation)
                except StopIteration as stop:
                    record.finished = bool(getattr(stop.value, "finished", True))
                    return
                yield progress
                if (now := time.monotonic()) - noted > _NOTE_EVERY:
                    noted, record.seconds = now, before + now - start
                    write()
    finally:
        record.seconds = before + time.monotonic() - start
        write()


def _records(folder: Path, steps: Mapping[str, Request]) -> list[Record]:
    """Records of the steps, with the results of earlier starts in the folder."""
    file = folder / "recipe.json"
    earlier: dict[str, Record] = {}
    if file.exists():
        with reading(file, "a recipe"):
            earlier = {row["name"]: Record(**row) for row in read_json(file)["steps"]}
    elif folder.is_dir() and any(folder.iterdir()):
        raise InputError(f"{folder} is not empty and holds no recipe; choose another --out.")
    records = []
    for name, request in steps.items():
        written = {path: _in_folder(value, folder) for path, value in by_path(request).items()}
        settings = json.loads(json.dumps(written, default=str))
        record = Record(name, type(request).__name__, settings)
        before = earlier.get(name)
        if before is not None and before.machine:
            changed = sorted(
                path
                for path in {*settings, *before.settings}
                if path.rpartition(".")[2] not in _ADJUSTABLE
                and settings.get(path) != before.settings.get(path)
            )
            if changed or record.command != before.command:
                other = {"command": before.command, **before.settings}
                own = {"command": record.command, **settings}
                different = differences(other, own, ["command", *changed])
                raise InputError(
                    f"{folder} holds a recipe whose step {name!r} has {different}; resume it with "
                    "its own settings, or choose another --out."
                )
            record.seconds, record.finished = before.seconds, before.finished
            record.machine = before.machine
        records.append(record)
    return records


def _in_folder(value: Any, folder: Path) -> Any:
    """A setting that is the same wherever the recipe is resumed from, and where its folder lies."""
    is_inside = isinstance(value, str) and value.startswith(f"{folder}{os.sep}")
    if not (is_inside or isinstance(value, Path)):
        return value
    path, here = Path(value).absolute(), folder.absolute()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
