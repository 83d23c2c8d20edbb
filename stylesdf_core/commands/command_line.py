"""A request as the shell command that does the same: the window's "Copy as command"."""

from __future__ import annotations

import dataclasses
import os
import re
import shlex
import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeAlias

from stylesdf_core.commands.drag import DragFace
from stylesdf_core.commands.field_help import settings_of
from stylesdf_core.commands.scenes.batch import Batch
from stylesdf_core.commands.scenes.compare import RenderComparison
from stylesdf_core.commands.scenes.demo import Demo
from stylesdf_core.commands.scenes.films import Animate, RenderTurntable
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.scene_flags import camera_flags, flags_from_scene
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.commands.scenes.sheets import RenderSheet
from stylesdf_core.commands.train.base import TrainStage
from stylesdf_core.commands.train.stages import TRAIN_COMMANDS, TrainRequest, default_config
from stylesdf_core.errors import InputError
from stylesdf_core.model.model_zoo import is_named
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.training.adversarial.config.stages import PresetName
from stylesdf_core.training.settings import by_path

PROGRAM = "stylesdf-studio"
_NAMES: dict[type, tuple[str, ...]] = {
    RenderImage: ("render",),
    RenderTurntable: ("turntable",),
    Animate: ("animate",),
    Batch: ("batch",),
    RenderSheet: ("sheet",),
    RenderComparison: ("compare",),
    ExportMesh: ("mesh",),
    Demo: ("demo",),
    **{command: ("train", stage) for stage, command in TRAIN_COMMANDS.items()},
}


Request: TypeAlias = (
    RenderImage
    | RenderTurntable
    | Animate
    | ExportMesh
    | Batch
    | RenderSheet
    | Demo
    | TrainRequest
    | RenderComparison
)


def program_words() -> tuple[str, ...]:
    """What starts this very program from any shell and folder of this machine.

    The program's name where it is found in PATH; else, as after ``scripts/studio``, which leaves
    the environment's folder out of PATH, the path of the program.
    """
    scripts = Path(sys.executable).parent
    found = shutil.which(PROGRAM)
    if found is not None and Path(found).parent == scripts:
        return (PROGRAM,)
    own = shutil.which(PROGRAM, path=str(scripts))
    return (own,) if own is not None else (sys.executable, "-m", "app")


def command_line(request: Request, program: Sequence[str] = (PROGRAM,)) -> str:
    """The shell command, defaults left out.

    Args:
        program: the words that start the program, see :func:`program_words`.

    Raises:
        InputError: the scene holds an explicit z, which only a session file can carry.
    """
    return _joined(command_words(request, program))


def command_words(request: Request, program: Sequence[str] = (PROGRAM,)) -> list[str]:
    """The words of :func:`command_line`, to start a process with."""
    words = [*program, *_NAMES[type(request)]]
    if isinstance(request, TrainStage):
        return [*words, *_changed_settings(request)]
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        if isinstance(value, Scene):
            prefix = "" if field.name == "scene" else f"{field.name}."
            words += [re.sub(r"^--(?=\w)", f"--{prefix}", word) for word in flags_from_scene(value)]
        elif dataclasses.is_dataclass(value):
            words += _changed_flags(value)
    return words + _changed_flags(request)


def drag_line(
    drags: Sequence[DragFace], start: Path | None = None, program: Sequence[str] = (PROGRAM,)
) -> str:
    """The shell commands that make drags one after the other, each on the face of the one before.

    Args:
        drags: at least one; all write the same session.
        start: a session of the face before the first drag; None to describe it by flags.

    Raises:
        InputError: the first face needs a session, or a face was changed between two drags in a
            way that no flag repeats.
    """
    first, lines = drags[0], []
    shown = first.scene.camera
    for before, drag in zip((None, *drags), drags, strict=False):
        if before is None and start is None:
            words = flags_from_scene(first.scene)
        else:
            words = ["--scene", str(start if before is None else before.out)]
            if not is_named(first.scene.model):
                words += ["--model", first.scene.model]
        if before is not None:
            words += _changes(before.scene, drag.scene)
        if drag.scene.camera != shown or (before is None and start is not None):
            words += camera_flags(drag.scene.camera)
            shown = drag.scene.camera
        # A point may begin with a minus, which only stands after "=".
        words += [f"--{name}={text}" for name in ("move", "pin") for text in drag.spots(name)]
        lines.append(_joined([*program, "drag", *words, "--out", str(drag.out)]))
    return " && ".join(lines)


def _changes(before: Scene, after: Scene) -> list[str]:
    """Flags of the directions that were edited after the drag of one face, before the next."""
    edits = {
        name: value
        for name, value in after.identity.edits
        if dict(before.identity.edits).get(name) != value
    }
    identity = replace(before.identity, offsets=after.identity.offsets)
    for name, value in edits.items():
        identity = identity.edited(name, value)
    if replace(before, identity=identity, camera=after.camera) != after:
        raise InputError(
            "Between the drags, the face was changed in a way that no flag repeats; save the "
            "session and use --scene FILE.json."
        )
    return flags_from_scene(Scene(identity=Identity(edits=identity.edits))) if edits else []


def _joined(words: list[str]) -> str:
    """The words as this system's shell reads them."""
    return " ".join(map(_quoted_for_windows, words)) if os.name == "nt" else shlex.join(words)


def _quoted_for_windows(word: str) -> str:
    r"""A word for cmd.exe and PowerShell, which know no common quotes but double ones.

    Programs take ``\"`` for a quote, and backslashes before a quote for half as many.
    """
    if re.fullmatch(r"[\w./\\:=+-]+", word):
        return word
    return '"' + re.sub(r'(\\*)("|$)', lambda end: end[1] * 2 + '\\"' * bool(end[2]), word) + '"'


def _changed_settings(request: TrainRequest) -> list[str]:
    """Flags of the settings in which a training request differs from its preset."""
    command = type(request)
    preset: PresetName = getattr(request.config, "preset", "ffhq")
    default = command(run_dir=Path(), config=default_config(command, preset))
    values, defaults = by_path(request), by_path(default) | {"config.preset": "ffhq"}
    words: list[str] = []
    for setting in settings_of(command):
        if values[setting.path] != defaults[setting.path]:
            words += _flag(setting.flag, values[setting.path])
    return words


def _changed_flags(settings: Any) -> list[str]:
    """Flags of the plain fields that differ from their defaults."""
    kind: type = type(settings)
    flags = {setting.path: setting.flag for setting in settings_of(kind)}
    words: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if field.name in flags and value != field.default:
            words += _flag(flags[field.name], value)
    return words


def _flag(flag: str, value: object) -> list[str]:
    """A flag with its value, or in its negative form: ``--images.no-flip``."""
    if value is True:
        return [flag]
    if value is False:
        *group, name = flag.removeprefix("--").split(".")
        return [f"--{'.'.join([*group, f'no-{name}'])}"]
    return [flag, *map(str, value if isinstance(value, tuple) else (value,))]
