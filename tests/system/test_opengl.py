"""Triton is imported before OpenGL: in the other order, the two copies of LLVM end the process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from stylesdf_core.system.opengl import prepare_opengl

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
