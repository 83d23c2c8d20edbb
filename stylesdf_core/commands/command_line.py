"""A request as the command that would do the same: the studio's "Copy as command"."""

from __future__ import annotations

import dataclasses
import shlex

from stylesdf_core.commands.meshes import ExportMesh
from stylesdf_core.commands.pictures import Demo, RenderImage, RenderTurntable
from stylesdf_core.commands.scene_flags import flags_from_scene
from stylesdf_core.scene import Scene

PROGRAM = "stylesdf-studio"
_NAMES: dict[type, str] = {
    RenderImage: "render",
    RenderTurntable: "turntable",
    ExportMesh: "mesh",
    Demo: "demo",
}


def command_line(request: RenderImage | RenderTurntable | ExportMesh | Demo) -> str:
    """The shell command, defaults left out.

    Raises:
        InputError: the scene holds an explicit z, which only a session file can carry.
    """
    words = [PROGRAM, _NAMES[type(request)]]
    for field in dataclasses.fields(request):
        value = getattr(request, field.name)
        flag = "--" + field.name.replace("_", "-")
        if isinstance(value, Scene):
            words += flags_from_scene(value)
        elif isinstance(value, bool):
            if value != field.default:
                words.append(flag if value else f"--no-{flag[2:]}")
        elif value != field.default:
            words += [flag, str(value)]
    return shlex.join(words)
