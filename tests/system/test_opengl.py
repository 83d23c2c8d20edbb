"""Contexts without a window; Triton is imported before OpenGL."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from stylesdf_core.errors import GraphicsError
from stylesdf_core.system import opengl
from stylesdf_core.system.opengl import prepare_opengl, standalone_context

# Triton's place is taken by a module that notes which OpenGL libraries the process has loaded.
TRITON = """
import pathlib
maps = pathlib.Path("/proc/self/maps").read_text()
pathlib.Path({note!r}).write_text(" ".join(name for name in ("libEGL", "libGL") if name in maps))
"""
DRAW = """
import numpy as np
from stylesdf_core.mesh.preview import MeshPreview
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.rendering.camera import OrbitCamera
corners = np.float32([[0, 0, 0], [0.1, 0, 0], [0, 0.1, 0]])
mesh = SurfaceMesh(corners, np.int32([[0, 1, 2]]), np.float32([[0, 0, 1]] * 3))
with MeshPreview() as preview:
    preview.submit(mesh, OrbitCamera(), 32).result()
assert "libEGL" in open("/proc/self/maps").read()
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc; uses EGL")
def test_mesh_view_imports_triton_before_opengl(tmp_path: Path) -> None:
    note = tmp_path / "note"
    (tmp_path / "triton.py").write_text(TRITON.format(note=str(note)))
    path = os.pathsep.join([str(tmp_path), *filter(None, sys.path)])
    subprocess.run([sys.executable, "-c", DRAW], env={**os.environ, "PYTHONPATH": path}, check=True)
    assert note.read_text() == ""


def test_damaged_triton_is_no_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "triton.py").write_text("raise RuntimeError('no driver')")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "triton", raising=False)
    prepare_opengl()
    assert "triton" not in sys.modules


class Driver:
    """Stands in for moderngl: some devices give a context."""

    def __init__(self, devices: Sequence[bool]) -> None:
        self.devices = devices
        self.asked: list[dict[str, object]] = []

    def create_context(self, **asked: object) -> str:
        self.asked.append(asked)
        index = asked.get("device_index", 0)
        assert isinstance(index, int)
        if index >= len(self.devices):
            raise Exception(
                f"requested device index {index}, but found {len(self.devices)} devices"
            )
        if not self.devices[index]:
            raise Exception(f"device {index} is not yours")
        return f"context of {index}"


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driver]:
    def install(platform: str, *devices: bool) -> Driver:
        driver = Driver(devices)
        monkeypatch.setattr(opengl.sys, "platform", platform)
        monkeypatch.setitem(sys.modules, "moderngl", driver)
        return driver

    return install


def test_the_context_is_of_the_first_device_that_gives_one(driver: Callable[..., Driver]) -> None:
    driver("linux", False, True, True)
    assert standalone_context("A test") == "context of 1"


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_open_their_own_kind_of_context(
    driver: Callable[..., Driver], platform: str
) -> None:
    here = driver(platform, True)
    assert standalone_context("A test") == "context of 0"
    assert here.asked == [{"require": 330, "standalone": True}]


@pytest.mark.parametrize(
    ("platform", "devices", "sentence"),
    [
        (
            "linux",
            (False, False),
            "A test needs OpenGL 3.3, which could not be opened (device 0 is not yours; device 1 "
            "is not yours); install libegl1 and libgl1-mesa-dri (Debian, Ubuntu) or a graphics "
            "driver.",
        ),
        (
            "linux",
            (),
            "A test needs OpenGL 3.3, which could not be opened (requested device index 0, but "
            "found 0 devices); install libegl1 and libgl1-mesa-dri (Debian, Ubuntu) or a graphics "
            "driver.",
        ),
        (
            "darwin",
            (False,),
            "A test needs OpenGL 3.3, which could not be opened (device 0 is not yours); install a "
            "graphics driver with OpenGL 3.3.",
        ),
    ],
)
def test_no_context_says_why_and_what_to_install(
    driver: Callable[..., Driver], platform: str, devices: tuple[bool, ...], sentence: str
) -> None:
    driver(platform, *devices)
    with pytest.raises(GraphicsError) as caught:
        standalone_context("A test")
    assert str(caught.value) == sentence
