"""Copy as command: the copied line starts this program from any shell and folder."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.commands import command_line
from stylesdf_core.commands.command_line import PROGRAM, program_words
from stylesdf_core.commands.drag import DragFace
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.errors import InputError
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets, encoded
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import save_tiny


def test_a_line_says_the_field_of_view_where_it_is_not_the_model_s_own(tmp_path: Path) -> None:
    wide = str(save_tiny(tmp_path / "wide.safetensors", Poses(fov=12.0)))
    for fov, words in ((12.0, ""), (6.0, " --fov 6")):
        request = RenderImage(out=Path("a.png"), scene=Scene(wide, camera=OrbitCamera(fov=fov)))
        copied = command_line.command_line(request)
        assert copied == f"stylesdf-studio render --model {wide}{words} --out a.png"


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of scripts with a program that prints its arguments; a blank is in its path."""
    scripts = tmp_path / "my env" / "bin"
    scripts.mkdir(parents=True)
    program = scripts / PROGRAM
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(scripts / "python"))
    return scripts


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
@pytest.mark.parametrize("other", ["", "/usr/bin:/bin"])
def test_a_copied_line_works_in_the_shell_that_scripts_studio_was_started_from(
    environment: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setenv("PATH", other)
    words = program_words()
    assert words == (str(environment / PROGRAM),)
    out = Path("/tmp/Größe 1.png")
    line = command_line.command_line(RenderImage(out=out), words)
    result = subprocess.run(
        ["/bin/sh", "-c", line], cwd="/", capture_output=True, text=True, check=True
    )
    assert result.stdout.split("\n")[:3] == ["render", "--out", str(out)]


def test_the_name_is_enough_where_path_has_this_program(
    environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(environment))
    assert program_words() == (PROGRAM,)


def test_another_installation_in_path_is_not_this_program(
    environment: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (environment / PROGRAM).rename(other / PROGRAM)
    monkeypatch.setenv("PATH", str(other))
    assert program_words() == (sys.executable, "-m", "app")


def test_drags_that_no_flag_repeats_ask_for_a_session() -> None:
    points, targets = ((0.0, 0.0, 0.1),), ((0.0, -0.01, 0.1),)
    offsets = StyleOffsets(field=encoded(np.ones(4, np.float32)))
    first = Scene(identity=Identity(seed=2))
    out, session = Path("dragged.json"), Path("head.json")
    later = replace(first, identity=Identity(seed=2, edits=(("smile", 1.0),), offsets=offsets))
    drags = [DragFace.of_points(scene, points, targets, out) for scene in (first, later)]
    one, other = command_line.drag_line(drags).split(" && ")
    assert "--seed 2" in one
    assert "--scene dragged.json" in other
    assert "--set smile=1" in other
    assert "--move=0.00000,0.00000,0.10000:0.00000,-0.01000,0.10000" in other
    with pytest.raises(InputError, match="has been dragged, which no flag can hold"):
        command_line.drag_line(drags[1:])
    assert "--scene head.json" in command_line.drag_line(drags[1:], session)
    mixed = DragFace.of_points(replace(later, truncation_psi=0.5), points, targets, out)
    with pytest.raises(InputError, match="in a way that no flag repeats"):
        command_line.drag_line([drags[0], mixed])
