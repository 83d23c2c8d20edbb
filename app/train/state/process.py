"""The process that trains in a run's folder, started and stopped by the studio.

A run belongs to its folder, not to the studio: the process may have been started by a terminal, or
by the studio before it was closed and opened again.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

from stylesdf_core.training.runs import processes
from stylesdf_core.training.runs.run_dir import RunDir


class TrainingProcess:
    """The process that trains in a folder; only a process of this program has an exit status.

    Attributes:
        status: exit status of the last process; None before its end, or without a process.
        is_stopping: whether the process was asked to stop and has not ended yet.
    """

    def __init__(self, path: Path) -> None:
        self.run = RunDir(path)
        self.status: int | None = None
        self.is_stopping = False
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def is_starting(self) -> bool:
        """Whether the process has been started here and does not own the folder yet."""
        return self._process is not None and self.run.running_process() is None

    def start(self, count: int | None = None) -> None:
        """Train, or go on training, in a process that outlives this program.

        Args:
            count: number of processes, one a GPU; None for the number of the last start.

        Raises:
            OutputError: the process cannot be started.
        """
        self.poll()
        if self._process is not None or self.run.running_process() is not None:
            return
        self.is_stopping, self.status = False, None
        number = count or processes.processes_before(self.run)
        self._process = processes.start(self.run, number, background=True)

    def stop(self) -> None:
        """Ask the process to save and end; :meth:`poll` goes on asking.

        A process deletes, while it starts, requests to stop that are older than the process.
        """
        self.is_stopping = True
        self.run.request_stop()

    def poll(self) -> bool:
        """To be called now and then: True if the process has ended since the last call."""
        ended = False
        if self._process is not None and self._process.poll() is not None:
            self.status, self._process, ended = self._process.returncode, None, True
        if self.is_stopping:
            if self._process is None and self.run.running_process() is None:
                self.is_stopping = False
                self.run.stop_file.unlink(missing_ok=True)
            elif not self.run.stop_requested():
                self.run.request_stop()
        return ended
