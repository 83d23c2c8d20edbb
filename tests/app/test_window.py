"""The real window under a real mouse, on Xvfb or another display."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.models import save_tiny

# Half a minute of work, but a machine that is busy otherwise may take many times that.
pytestmark = [pytest.mark.window, pytest.mark.timeout(900)]


def display_command() -> list[str]:
    """What to put before a command that opens a window; skips where there is no display."""
    if not sys.platform.startswith("linux"):
        pytest.skip("driving the window needs xdotool, hence X11")
    if shutil.which("xdotool") is None:
        pytest.skip("driving the window needs xdotool: apt install xdotool")
    if shutil.which("xvfb-run") is not None:  # of its own, so that nobody else's mouse is in it
        return ["xvfb-run", "--auto-servernum", "--server-args", "-screen 0 1280x800x24"]
    if os.environ.get("DISPLAY"):
        return []
    pytest.skip("there is no display and no xvfb-run: apt install xvfb")


def test_the_window_survives_gestures_exports_errors_and_random_events(
    tmp_path: Path, repository: Path
) -> None:
    model = save_tiny(tmp_path / "tiny.safetensors")
    result = subprocess.run(
        [*display_command(), sys.executable, "-m", "tests.app.driver", model, tmp_path],
        cwd=repository,
        capture_output=True,
        text=True,
        timeout=840,
        check=False,
    )
    report = f"{result.stdout}\n{result.stderr}"
    assert result.returncode == 0, report
    assert "all steps succeeded" in result.stdout, report
