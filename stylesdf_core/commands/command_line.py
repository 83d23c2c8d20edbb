"""A request as the shell command that does the same: the window's "Copy as command"."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TypeAlias

from stylesdf_core.commands.meshes import ExportMesh
from stylesdf_core.commands.pictures import Demo, RenderImage, RenderTurntable
from stylesdf_core.commands.rendering import MeshSettings
from stylesdf_core.commands.scene_flags import flags_from_scene
from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.commands.train_stages import (
    TrainDecoder,
    TrainJoint,
    TrainRenderer,
    TrainRequest,
    TrainSphereInit,
)
from stylesdf_core.scene.scene import Scene

PROGRAM = "stylesdf-studio"
_NAMES: dict[type, tuple[str, ...]] = {
    RenderImage: ("render",),
    RenderTurntable: ("turntable",),
    ExportMesh: ("mesh",),
    Demo: ("demo",),
    TrainSphereInit: ("train", "sphere-init"),
    TrainRenderer: ("train", "renderer"),
    TrainDecoder: ("train", "decoder"),
    TrainJoint: ("train", "joint"),
    TrainFit: ("train", "fit"),
}


Request: TypeAlias = RenderImage | RenderTurntable | ExportMesh | Demo | TrainRequest


def command_line(request: Request) -> str:
    """The shell command, defaults left out.

    Raises:
        InputError: the scene holds an explicit z, which only a session file can carry.
    """
    words = [PROGRAM, *_NAMES[type(request)]]
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        if isinstance(value, Scene):
            words += flags_from_scene(value)
        elif isinstance(value, MeshSettings):
            words += _changed_flags(value)
    words += _changed_flags(request)
    return shlex.join(words)


def _changed_flags(settings: Request | MeshSettings) -> list[str]:
    """Flags of the plain fields that differ from their defaults."""
    words: list[str] = []
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if dataclasses.is_dataclass(value) or value == field.default:
            continue
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, bool):
            words.append(flag if value else f"--no-{flag[2:]}")
        else:
            words += [flag, str(value)]
    return words
