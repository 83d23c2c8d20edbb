"""Training in separate processes: starts them, ends them, and reads why they failed.

The studio and ``--gpus`` start the entry point (commands/train/process.py) here. The processes'
output goes into the run folder's training.log.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import psutil

from stylesdf_core.errors import InputError, OutputError, StyleSDFError, TrainingError
from stylesdf_core.files import write_json
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.training.runs.run_dir import RunDir

#: Module that trains in a run folder, whatever the run's stage.
ENTRY_POINT = "stylesdf_core.commands.train.process"
#: Beginnings of the entry point's last line: the run failed, or the request was wrong.
FAILURE, MISTAKE = "training: ", "wrong request: "
#: Bytes at a log's end in which the reason of a failure is looked for.
_LONGEST_END = 64 << 10
_STARTED = "--- started "
#: Niceness of background processes: the window comes first.
_NICE = 10
#: Flags on Windows: of every process a group of its own, which Ctrl+C does not reach; of background
#: processes priority below normal, and no console, since closing a console ends its processes.
_OWN_GROUP, _BELOW_NORMAL, _NO_CONSOLE = 0x200, 0x4000, 0x8000000


@dataclass(frozen=True)
class LastWords:
    """Why a process ended.

    Attributes:
        text: one sentence.
        is_mistake: the request was wrong; otherwise the run failed.
    """

    text: str
    is_mistake: bool = False

    def error(self, log: Path) -> StyleSDFError:
        """The exception with this text."""
        kind = InputError if self.is_mistake else TrainingError
        return kind(f"{self.text.rstrip('.')} (see {log}).")


def command(run: RunDir, count: int) -> list[str]:
    """The command that starts ``count`` processes to train in the folder."""
    words = [sys.executable]
    if count > 1:
        words += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [*words, "-m", ENTRY_POINT, str(run.path.absolute())]


def start(run: RunDir, count: int = 1, *, background: bool = False) -> subprocess.Popen[bytes]:
    """Start training in the folder; the processes write into its log.

    Args:
        count: processes, one a GPU (or CPU).
        background: the processes outlive this program, at low priority.

    Raises:
        OutputError: the log cannot be written, or Python cannot be started.
    """
    try:
        write_json(run.path / "start.json", {"processes": count})
        with open(run.log_file, "a", encoding="utf-8") as log:
            now = datetime.now().astimezone().isoformat(" ", "seconds")
            log.write(f"{_STARTED}{now} ---\n")
            log.flush()
            process = subprocess.Popen(
                command(run, count),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(background=background),
                start_new_session=True,  # Ctrl+C must reach this process only
                creationflags=_windows_flags(background=background) if os.name == "nt" else 0,
            )
    except OSError as error:
        raise OutputError(f"Training cannot be started in {run.path}: {error}.") from error
    if background and os.name != "nt":
        with suppress(psutil.Error):  # the process may have ended already
            psutil.Process(process.pid).nice(_NICE)
    return process


def _windows_flags(*, background: bool) -> int:
    return _OWN_GROUP | (_BELOW_NORMAL | _NO_CONSOLE if background else 0)


def processes_before(run: RunDir) -> int:
    """Number of processes of the run's last start; 1 without a readable start.json."""
    file = run.path / "start.json"
    with suppress(InputError), reading(file, "a number of processes"):
        return max(1, int(read_json(file)["processes"]))
    return 1


def last_words(run: RunDir) -> LastWords | None:
    """Why the processes of the newest start failed, from the log; None without a logged reason."""
    lines = _newest_lines(run)
    for beginning, is_mistake in ((MISTAKE, True), (FAILURE, False)):
        said = [line for line in lines if line.startswith(beginning)]
        if said:
            return LastWords(said[-1].removeprefix(beginning), is_mistake)
    if any(line.startswith("Traceback ") for line in lines):
        return LastWords(lines[-1])
    return None


def log_tail(run: RunDir, count: int) -> list[str]:
    """The last lines of the log, at most ``count``."""
    return _lines(run)[-count:]


def wait(process: subprocess.Popen[bytes], run: RunDir, seconds: float) -> None:
    """Ask the run's process to stop and wait for its end; an interruption kills the process.

    The request is repeated, because a process that is still starting takes the stop file for a
    left-over of an earlier run and deletes it.
    """
    try:
        while process.poll() is None:
            run.request_stop()
            time.sleep(seconds)
    except BaseException:
        end(process.pid)
        raise
    run.stop_file.unlink(missing_ok=True)


def end(pid: int) -> None:
    """Kill a process and all that it has started."""
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
        for member in family:
            with suppress(psutil.NoSuchProcess):
                member.kill()
        psutil.wait_procs(family, timeout=5.0)


def _newest_lines(run: RunDir) -> list[str]:
    lines = _lines(run)
    starts = [index for index, line in enumerate(lines) if line.startswith(_STARTED)]
    return lines[starts[-1] + 1 :] if starts else lines


def _lines(run: RunDir) -> list[str]:
    try:
        with open(run.log_file, "rb") as stream:
            stream.seek(max(0, stream.seek(0, os.SEEK_END) - _LONGEST_END))
            text = stream.read().decode("utf-8", "replace")
    except OSError:
        return []
    return [line.rstrip() for line in text.splitlines() if line.strip()]


def environment(*, background: bool) -> dict[str, str]:
    """This process's environment, so that the child imports the same program."""
    root = str(Path(__file__).resolve().parents[2])
    paths = [root, *filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths))}
    environment |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8:replace"}
    if background:
        # Waiting threads sleep instead of spinning, which would take the CPU from the window.
        environment.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    return environment
