"""A training process of one run folder: start it, stop it, follow what it records.

The run belongs to its folder, not to this program: a job may be picked up that another start of
the studio, or a terminal, began.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stylesdf_core.training import processes
from stylesdf_core.training.run_dir import RunDir

#: Bytes of stats.jsonl taken at a time, so that the first look at a long run leaves others time.
_PIECE = 1 << 17


class TrainingProcess:
    """The process that trains in a folder, as far as this program started it."""

    def __init__(self, path: Path) -> None:
        self.run = RunDir(path)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopping = False
        #: Exit status of the process that ended last; None while it runs or where none did.
        self.status: int | None = None

    @property
    def is_starting(self) -> bool:
        """Whether our process lives and does not own the folder yet."""
        return self._process is not None and self.run.running_process() is None

    @property
    def is_stopping(self) -> bool:
        """Whether it was asked to stop and has not yet."""
        return self._stopping

    def start(self, count: int | None = None) -> None:
        """Train, or go on training, in a process that outlives this program.

        Args:
            count: processes, one a GPU; None for as many as last time.

        Raises:
            OutputError: it cannot be started.
        """
        self.poll()
        if self._process is not None or self.run.running_process() is not None:
            return
        self._stopping, self.status = False, None
        number = count or processes.processes_before(self.run)
        self._process = processes.start(self.run, number, background=True)

    def stop(self) -> None:
        """Ask it to save and end, and go on asking: one that is starting forgets old requests."""
        self._stopping = True
        self.run.request_stop()

    def poll(self) -> bool:
        """Look whether the process has ended, once in a while; True if it just has."""
        ended = False
        if self._process is not None and self._process.poll() is not None:
            self.status, self._process, ended = self._process.returncode, None, True
        if self._stopping:
            if self._process is None and self.run.running_process() is None:
                self._stopping = False
                self.run.stop_file.unlink(missing_ok=True)
            elif not self.run.stop_requested():
                self.run.request_stop()
        return ended


@dataclass(frozen=True)
class News:
    """What was appended to a run's figures.

    Attributes:
        records: in order.
        starts_over: forget what came before: the file was written anew, as when a run resumes.
        more: there is more to read already.
    """

    records: list[dict[str, Any]]
    starts_over: bool = False
    more: bool = False


class StatsTail:
    """Reads what has been appended to a run's stats.jsonl since the last time."""

    def __init__(self, run: RunDir) -> None:
        self.run = run
        self._file: tuple[int, int] | None = None  # device and inode
        self._offset = 0

    def read(self) -> News:
        """The next lines; a line that is not whole yet waits for its end."""
        try:
            with open(self.run.stats_file, "rb") as stream:
                state = os.fstat(stream.fileno())
                file = (state.st_dev, state.st_ino)
                new = file != self._file or state.st_size < self._offset
                starts_over = new and self._file is not None
                if new:
                    self._file, self._offset = file, 0
                stream.seek(self._offset)
                piece = stream.read(_PIECE)
        except OSError:
            starts_over = self._file is not None
            self._file, self._offset = None, 0
            return News([], starts_over)
        whole = piece[: piece.rfind(b"\n") + 1]
        self._offset += len(whole)
        records = []
        for line in whole.splitlines():
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict) and isinstance(record.get("step"), (int, float)):
                records.append(record)
        return News(records, starts_over, more=bool(whole) and self._offset < state.st_size)
