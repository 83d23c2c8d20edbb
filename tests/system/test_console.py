"""Signals and streams: a program that is ended or not read any more leaves nothing behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stylesdf_core.system import console

POSIX = pytest.mark.skipif(sys.platform == "win32", reason="signals and pipes of POSIX")
APP = [sys.executable, "-m", "app"]
#: A command that prints what it has found, without the second that it takes to import torch.
LIST = ["train", "list", "--folder", str(Path(__file__).parent)]


@pytest.fixture(autouse=True)
def no_signal_is_ignored() -> Iterator[None]:
    """As in a terminal: a shell's ``&`` or ``nohup`` before the tests has signals ignored."""
    before = {number: signal.getsignal(number) for number in console.END_SIGNALS}
    for number in before:
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        signal.signal(number, default)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, stderr=subprocess.PIPE, timeout=120, check=False, **options)


def test_what_the_terminal_cannot_encode_is_replaced() -> None:
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = run([*APP, "models", "list"], stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"256? images" in done.stdout
    done = run([*APP, "train", "renderer", "--help"], stdout=subprocess.PIPE, env=environment)
    assert (done.returncode, done.stderr) == (0, b"")


@POSIX
@pytest.mark.parametrize("words", [LIST, ["--help"]])
def test_a_reader_that_leaves_is_no_error(words: list[str]) -> None:
    read, write = os.pipe()
    os.close(read)
    done = run([*APP, *words], stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_output_that_cannot_be_printed_ends_with_a_sentence() -> None:
    with open("/dev/full", "wb") as full:
        done = run([*APP, *LIST], stdout=full)
        assert done.returncode == 1
        assert done.stderr.count(b"\n") == 1
        assert b"cannot be printed" in done.stderr
        assert run([*APP, *LIST, "nonsense"], stdout=full).returncode == 2
        silent = subprocess.run(
            [*APP, *LIST], stdout=subprocess.PIPE, stderr=full, timeout=120, check=False
        )
    assert silent.returncode == 0
    assert b"no runs" in silent.stdout


@POSIX
def test_ctrl_c_while_modules_are_imported_leaves_no_traceback() -> None:
    code = """
import os, signal, sys, time
class Interrupted:
    def find_spec(self, name, *_):
        if name == "app.program":
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(5)
sys.meta_path.insert(0, Interrupted())
from app.__main__ import main
main()
"""
    done = run([sys.executable, "-c", code])
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")


@POSIX
@pytest.mark.parametrize("number", console.END_SIGNALS)
def test_a_signal_to_end_takes_temporary_files_away(number: signal.Signals, tmp_path: Path) -> None:
    code = """
import sys, time
from stylesdf_core.system import console
from stylesdf_core.files import atomic_output
console.interrupt_on_signals()
with atomic_output(sys.argv[1]) as file:
    file.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""
    command = [sys.executable, "-c", code, str(tmp_path / "film.mp4")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert len(list(tmp_path.iterdir())) == 1
        process.send_signal(number)
        process.wait(30)
    assert list(tmp_path.iterdir()) == []


def test_the_first_signal_asks_and_the_second_one_ends() -> None:
    calls: list[None] = []

    def interrupted() -> None:
        with console.first_signal(lambda: calls.append(None)) as asked:
            assert not asked.is_set()
            signal.raise_signal(signal.SIGINT)
            assert asked.is_set()
            signal.raise_signal(signal.SIGINT)

    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(calls) == 1
    assert signal.getsignal(signal.SIGTERM) is before
