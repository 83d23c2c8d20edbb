"""``stylesdf-studio serve`` as a process, and in a headless Chromium where one is installed."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.scene.session_files import read_scene

pytest.importorskip("viser", reason="needs the extra serve")

_CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
_FLAGS = (
    "--no-sandbox",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
)


@pytest.fixture
def process(weights: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "app", "serve", "--port", "0", "--model", str(weights)]
    process = subprocess.Popen(
        [*words, "--device", "cpu"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    yield process
    process.kill()
    process.communicate()


def address(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    line = process.stdout.readline()
    said = r"Serving at (http://127\.0\.0\.1:\d+) \(for this machine only; --host 0\.0\.0\.0 lets"
    found = re.match(said, line)
    assert found, line
    return found[1]


def test_it_serves_a_page_until_it_is_interrupted(process: subprocess.Popen[str]) -> None:
    url = address(process)
    with urllib.request.urlopen(url, timeout=20) as page:
        assert page.status == 200
        assert b"<html" in page.read()
    process.terminate()  # not SIGINT, which a shell's background jobs ignore
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out.strip()) == (0, "Stopped.")
    assert "stylesdf-studio:" not in err  # on a busy machine progress is told there


@pytest.mark.skipif(not _CHROMIUM, reason="no Chromium is installed")
def test_in_a_browser(process: subprocess.Popen[str], tmp_path: Path) -> None:
    reason = "playwright is not installed"
    playwright: Any = pytest.importorskip("playwright.sync_api", reason=reason)
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=_CHROMIUM, args=list(_FLAGS))
        page = browser.new_page(viewport={"width": 1000, "height": 700})
        page.goto(address(process))
        page.get_by_text(re.compile(r"image · pass 3/3")).wait_for(timeout=60_000)
        first = _canvas(page)
        assert first.std() > 10, "a picture is shown"
        page.mouse.move(300, 350)
        page.mouse.down()
        page.mouse.move(400, 370, steps=5)
        page.mouse.up()
        page.get_by_text("undo").hover()
        for _ in range(50):
            page.wait_for_timeout(200)
            turned = _canvas(page)
            if np.abs(turned - first).mean() > 1.0:
                break
        assert np.abs(turned - first).mean() > 1.0, "a drag turns the head"
        with page.expect_download(timeout=60_000) as download:
            page.get_by_text("Session", exact=True).click()
        download.value.save_as(tmp_path / "session.json")
        assert read_scene(tmp_path / "session.json").camera.azimuth != 0.0
        browser.close()


def _canvas(page: Any) -> np.ndarray[Any, np.dtype[np.float32]]:
    """What is left of the panel, grey levels."""
    shot = page.screenshot(clip={"x": 0, "y": 120, "width": 640, "height": 560})
    return np.asarray(Image.open(io.BytesIO(shot)).convert("L"), np.float32)
