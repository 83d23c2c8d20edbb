"""The commands of the program by their names, and their types for tyro.

A command's module is imported when the command line names the command; only ``--help`` without a
command, and the question which command has an option, need all modules.
"""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Annotated, Any, get_args

import tyro

if TYPE_CHECKING:
    from stylesdf_core.training.adversarial.config.stages import PresetName


DESCRIPTION = """StyleSDF Studio: explore 3D-aware generated faces.

Without arguments the studio's window opens. The commands below do the same work without a
display; with --quiet, before or after the command, they print nothing but errors."""


@dataclass(frozen=True)
class Group:
    """Commands of two words.

    Attributes:
        about: description, for ``--help``.
        commands: requests by the second word, as in :data:`COMMANDS`.
    """

    about: str
    commands: Mapping[str, str]


#: The request of each command, as module and class; those of ``stylesdf_core`` are public names.
COMMANDS: Mapping[str, str | Group] = {
    "open": "app.command_line.open_window:OpenWindow",
    "render": "stylesdf_core:RenderImage",
    "mesh": "stylesdf_core:ExportMesh",
    "turntable": "stylesdf_core:RenderTurntable",
    "animate": "stylesdf_core:Animate",
    "batch": "stylesdf_core:Batch",
    "sheet": "stylesdf_core:RenderSheet",
    "compare": "stylesdf_core:RenderComparison",
    "demo": "stylesdf_core:Demo",
    "invert": "stylesdf_core:Invert",
    "drag": "stylesdf_core:DragFace",
    "measure": Group(
        "A model, its fits to pictures and drags of its faces in figures.",
        {
            "heads": "stylesdf_core:Measure",
            "invert": "stylesdf_core:MeasureInvert",
            "drag": "stylesdf_core:MeasureDrag",
        },
    ),
    "evaluate": "stylesdf_core:Evaluate",
    "serve": "app.serve.command:Serve",
    "bench": "app.bench.command:ProgramBench",
    "info": "stylesdf_core:Info",
    "models": Group(
        "List, fetch and convert models; name directions.",
        {
            "list": "stylesdf_core:ModelsList",
            "fetch": "stylesdf_core:ModelsFetch",
            "export": "stylesdf_core:ModelsExport",
            "directions": "stylesdf_core:ModelsDirections",
        },
    ),
    "heads": "stylesdf_core:MakeHeads",
    "dataset": Group(
        "Check images to train on, pack images, crop faces of photographs.",
        {
            "check": "stylesdf_core:DatasetCheck",
            "pack": "stylesdf_core:DatasetPack",
            "align": "stylesdf_core:DatasetAlign",
        },
    ),
    "train": Group(
        "Train a model, resume a run, list runs.",
        {
            "list": "stylesdf_core.commands.train.listing:TrainList",
            "sphere-init": "stylesdf_core:TrainSphereInit",
            "renderer": "stylesdf_core:TrainRenderer",
            "decoder": "stylesdf_core:TrainDecoder",
            "joint": "stylesdf_core:TrainJoint",
            "fit": "stylesdf_core:TrainFit",
        },
    ),
    "recipe": Group(
        "Run many commands in order; resume them.",
        {"heads": "stylesdf_core:RecipeHeads", "compare": "stylesdf_core:RecipeCompare"},
    ),
}


def command_names() -> list[str]:
    """All commands but ``open``, which opens the window."""
    return [name for name in COMMANDS if name != "open"]


def unknown_command(words: Sequence[str]) -> str | None:
    """What is wrong with a command line that names no command; None where it names one."""
    known: Iterable[str] = COMMANDS
    entry = COMMANDS.get(words[0])
    if isinstance(entry, Group) and words[1:] and not words[1].startswith("-"):
        known, words = entry.commands, [" ".join(words[:2]), *words[1:]]
        entry = entry.commands.get(words[1])
    if entry is not None or words[0].startswith("-"):
        return None
    return f"There is no command {words[0]}; known: {', '.join(known)}."


@dataclass(frozen=True)
class Chosen:
    """The command that a command line names, or the group, or all commands, for tyro.

    Attributes:
        kind: the type of its flags.
        words: of the command line, how many name it.
        about: description; None where the type's docstring is the description.
        default: holds the defaults of flags, where the type does not have them.
    """

    kind: Any
    words: int
    about: str | None = None
    default: Any = tyro.MISSING_NONPROP


def chosen(words: Sequence[str]) -> Chosen:
    """What the words name; to be asked once :func:`unknown_command` has no objection."""
    entry = COMMANDS.get(words[0])
    if entry is None:  # --help
        return every_command(words)
    if isinstance(entry, str):
        return Chosen(resolve_name(entry), 1)
    second = words[1] if len(words) > 1 else ""
    if second not in entry.commands:
        return Chosen(_kind_of(words[0], words), 1, entry.about)
    kind = resolve_name(entry.commands[second])
    return Chosen(kind, 2, default=_default(words[0], kind, words))


def every_command(words: Sequence[str]) -> Chosen:
    """All commands.

    Args:
        words: the command line; the value of ``--preset`` decides the defaults of other flags.
    """
    kinds = []
    for name, entry in COMMANDS.items():
        about = entry.about if isinstance(entry, Group) else None
        mark = tyro.conf.subcommand(name, description=about)
        kinds.append(Annotated[_kind_of(name, words), mark])
    return Chosen(functools.reduce(operator.or_, kinds), 0, DESCRIPTION)


def _kind_of(name: str, words: Sequence[str]) -> Any:
    """The type of a command, or of the commands of a group."""
    entry = COMMANDS[name]
    if isinstance(entry, str):
        return resolve_name(entry)
    kinds: list[Any] = []
    for second, place in entry.commands.items():
        kind = resolve_name(place)
        default = _default(name, kind, words)
        kinds.append(Annotated[kind, tyro.conf.subcommand(second, default=default)])
    return functools.reduce(operator.or_, kinds)


def _default(name: str, kind: Any, words: Sequence[str]) -> Any:
    """A training stage with the settings of the command line's preset."""
    if name != "train":
        return tyro.MISSING_NONPROP
    from stylesdf_core.commands.train.stages import TRAIN_COMMANDS, default_config

    if kind not in TRAIN_COMMANDS.values():
        return tyro.MISSING_NONPROP
    config = default_config(kind, _preset(words), missing=tyro.MISSING)
    return kind(run_dir=tyro.MISSING, config=config)


def _preset(words: Sequence[str]) -> PresetName:
    """The value of ``--preset``; the first of all presets without it, or for an unknown value."""
    from stylesdf_core.training.adversarial.config.stages import PresetName

    known: tuple[PresetName, ...] = get_args(PresetName)
    pairs = itertools.pairwise(" ".join(words).replace("--preset=", "--preset ").split())
    named = [value for flag, value in pairs if flag == "--preset"]
    return next((name for name in known if name in named), known[0])
