"""A recipe: requests one after the other, each of which resumes where it stopped.

The folder's ``recipe.json`` says what is to be done, what has been, how long it took and on which
machine. Killed or failed at any instant: the same command goes on, and finished steps are not
looked at again.
"""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

from stylesdf_core.errors import InputError
from stylesdf_core.files import write_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.settings import by_path

_LEDGER = "recipe.json"
#: Seconds between notes of how long a step has taken so far: what a kill may lose.
_NOTE_EVERY = 20.0
#: Settings that say where a step computes and from which copy of the face model, not what.
_ADJUSTABLE = frozenset({"facekit", "device", "jobs", "threads"})


class Request(Protocol):
    """Any request of the commands: a frozen dataclass that runs."""

    __dataclass_fields__: ClassVar[dict[str, Any]]

    def run(self) -> Operation[Any]:
        """Do it; again if need be."""
        ...


@dataclass(frozen=True)
class Step:
    """One request of a recipe.

    Attributes:
        name: shown, and how the ledger calls it; unique in a recipe.
        request: resumes, or starts again without harm, when it is run a second time.
    """

    name: str
    request: Request

    @property
    def settings(self) -> dict[str, Any]:
        """The request's settings, by dotted path, as JSON values."""
        return {
            path.removeprefix("config."): _plain(value)
            for path, value in by_path(self.request).items()
        }


@dataclass
class Record:
    """What a ledger knows of a step.

    Attributes:
        seconds: that it has taken, over all goes.
        machine: where it last ran; empty before it began.
    """

    name: str
    command: str
    settings: dict[str, Any]
    seconds: float = 0.0
    finished: bool = False
    machine: str = ""


class Ledger:
    """A recipe folder's ``recipe.json``.

    Raises:
        InputError: the folder holds another recipe, or something else.
    """

    def __init__(self, folder: Path, steps: Sequence[Step]) -> None:
        self.file = folder / _LEDGER
        self.records = [
            Record(step.name, type(step.request).__name__, step.settings) for step in steps
        ]
        if self.file.exists():
            self._take_over()
        elif folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no recipe; choose another --out.")
        self.write()

    def write(self) -> None:
        """Write everything, atomically."""
        write_json(self.file, {"steps": [dataclasses.asdict(record) for record in self.records]})

    def _take_over(self) -> None:
        """What earlier goes did; a step that has begun cannot become another one."""
        try:
            rows = json.loads(self.file.read_text(encoding="utf-8"))["steps"]
            found = {row["name"]: Record(**row) for row in rows}
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{self.file} cannot be read as a recipe: {error}.") from error
        for record in self.records:
            before = found.get(record.name)
            if before is None or not before.machine:
                continue
            changed = sorted(
                name
                for name in record.settings.keys() & before.settings.keys()
                if name.split(".")[-1] not in _ADJUSTABLE
                and record.settings[name] != before.settings[name]
            )
            if changed or record.command != before.command:
                raise InputError(
                    f"{self.file.parent} holds a recipe whose step {record.name!r} has another "
                    f"{', '.join(changed) or 'request'}; give its own settings to go on with it, "
                    "or choose another --out."
                )
            record.seconds, record.finished = before.seconds, before.finished
            record.machine = before.machine


def run_steps(ledger: Ledger, steps: Sequence[Step], machine: str) -> Operation[bool]:
    """Run what is not finished, in order; yields Progress in steps.

    Returns:
        Whether all steps are finished; a training run that was asked to stop ends the recipe.
    """
    import torch

    threads = torch.get_num_threads()
    for index, (step, record) in enumerate(zip(steps, ledger.records, strict=True)):
        if record.finished:
            continue
        record.machine = machine
        before, start = record.seconds, time.monotonic()
        noted = start
        ledger.write()
        operation = step.request.run()
        try:
            with closing(operation):
                while True:
                    try:
                        progress = next(operation)
                    except StopIteration as stop:
                        record.finished = bool(getattr(stop.value, "finished", True))
                        break
                    message = f"{step.name}: {progress.message}"
                    yield Progress(index + progress.fraction, len(steps), message)
                    now = time.monotonic()
                    if now - noted > _NOTE_EVERY:
                        noted, record.seconds = now, before + now - start
                        ledger.write()
        finally:
            record.seconds = before + time.monotonic() - start
            ledger.write()
            torch.set_num_threads(threads)  # a step's own number is not the next one's
        if not record.finished:
            return False
        yield Progress(index + 1, len(steps), f"{step.name}: done")
    return True


def _plain(value: Any) -> Any:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value
