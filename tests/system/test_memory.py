"""Freed memory stays with the process until it is given back."""

from __future__ import annotations

import platform
import subprocess
import sys

import pytest

from stylesdf_core.system.memory import give_memory_back, keep_memory

# Blocks of 96 MB are larger than glibc keeps by default.
_PROGRAM = """
import resource, sys
import psutil
from stylesdf_core.system.memory import give_memory_back, keep_memory
if sys.argv[1] == "keep":
    keep_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
bytearray(96 << 20)
before = faults()
for _ in range(4):
    bytearray(b"1") * (96 << 20)
after = faults()
held = psutil.Process().memory_info().rss
give_memory_back()
print(after - before, held - psutil.Process().memory_info().rss)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="sets options of glibc")
def test_pages_are_cleared_once_and_returned_when_asked() -> None:
    """Without ``keep_memory`` every block's pages are cleared again."""

    def run(mode: str) -> tuple[int, int]:
        words = [sys.executable, "-c", _PROGRAM, mode]
        done = subprocess.run(words, capture_output=True, text=True, check=True)
        faults, returned = map(int, done.stdout.split())
        return faults, returned

    faults_by_default, _ = run("default")
    faults, returned = run("keep")
    assert faults < faults_by_default / 3
    assert returned > 90 << 20


def test_both_can_be_called_on_every_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")
    keep_memory()
    give_memory_back()
