"""The command line of `stylesdf-studio`: opens the window, or runs a command without a display.

The command line becomes a request, and the request is run. Modules are imported when a command
needs them: ``--help`` waits neither for torch nor for Dear PyGui.
"""

from __future__ import annotations

import contextlib
import functools
import io
import itertools
import operator
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeAlias, get_args

import tyro
from tqdm import tqdm

from app.bench.command import ProgramBench
from app.parser_messages import empty_word, missing_command, one_sentence, overwritten_input
from app.serve.command import Serve
from app.workers.concurrency.process import end_if_busy, start_collector
from stylesdf_core.commands.dataset import DatasetAlign, DatasetCheck, DatasetPack
from stylesdf_core.commands.directions import ModelsDirections
from stylesdf_core.commands.drag import DragFace
from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.field_help import help_in_whole_lines
from stylesdf_core.commands.heads.make import MakeHeads
from stylesdf_core.commands.heads.measure import Measure
from stylesdf_core.commands.heads.measure_drag import MeasureDrag
from stylesdf_core.commands.heads.measure_invert import MeasureInvert
from stylesdf_core.commands.info import Info
from stylesdf_core.commands.invert import Invert
from stylesdf_core.commands.models import ModelsExport, ModelsFetch, ModelsList
from stylesdf_core.commands.recipes.compare import RecipeCompare
from stylesdf_core.commands.recipes.heads import RecipeHeads
from stylesdf_core.commands.scenes.batch import Batch
from stylesdf_core.commands.scenes.compare import RenderComparison
from stylesdf_core.commands.scenes.demo import Demo
from stylesdf_core.commands.scenes.films import Animate, RenderTurntable
from stylesdf_core.commands.scenes.meshes import ExportMesh
from stylesdf_core.commands.scenes.options.scene_flags import note_on_weights
from stylesdf_core.commands.scenes.pictures import RenderImage
from stylesdf_core.commands.scenes.sheets import RenderSheet
from stylesdf_core.commands.train.listing import TrainList
from stylesdf_core.commands.train.stages import TRAIN_COMMANDS, default_config
from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import (
    OUT_OF_MEMORY,
    GraphicsError,
    InputError,
    StyleSDFError,
    is_out_of_memory,
)
from stylesdf_core.foreign import printable
from stylesdf_core.model import model_zoo
from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES
from stylesdf_core.progress import Announcement, Operation
from stylesdf_core.scene.session_files import SESSION_SUFFIXES, read_scene
from stylesdf_core.system.opengl import has_display
from stylesdf_core.training.adversarial.config.stages import PresetName

PROGRAM = "stylesdf-studio"
DONE, FAILED, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130

#: What `measure` measures; `heads` may be left out.
_MEASURES = ("heads", "invert", "drag", "-h", "--help")
#: Of `models`, what takes a model; its flag, --model, may be left out: `models fetch ffhq1024`.
_WITH_MODEL = ("fetch", "export", "directions")
#: Seconds between two lines of progress where stderr is a file.
_LOG_EVERY = 30.0
_CANCELLED = "Cancelled; no incomplete file has its final name."

DESCRIPTION = """StyleSDF Studio: explore 3D-aware generated faces.

Without arguments the studio's window opens. The commands below do the same work without a
display; with --quiet, before or after the command, they print nothing but errors."""


@dataclass(frozen=True)
class OpenWindow:
    """Open the window on a model, a session, or an exported picture or mesh."""

    file: Annotated[
        Path,
        tyro.conf.Positional,
        tyro.conf.arg(
            help=f"{', '.join(SESSION_SUFFIXES)}; {', '.join(WEIGHT_SUFFIXES)}; a folder of a "
            "training run; or a name of `models list`."
        ),
    ]


Models: TypeAlias = Annotated[
    Annotated[ModelsList, tyro.conf.subcommand("list")]
    | Annotated[ModelsFetch, tyro.conf.subcommand("fetch")]
    | Annotated[ModelsExport, tyro.conf.subcommand("export")]
    | Annotated[ModelsDirections, tyro.conf.subcommand("directions")],
    tyro.conf.subcommand("models", description="List, fetch and convert models; name directions."),
]
Measures: TypeAlias = Annotated[
    Annotated[Measure, tyro.conf.subcommand("heads")]
    | Annotated[MeasureInvert, tyro.conf.subcommand("invert")]
    | Annotated[MeasureDrag, tyro.conf.subcommand("drag")],
    tyro.conf.subcommand(
        "measure", description="A model, its fits to pictures and drags of its faces in figures."
    ),
]
Dataset: TypeAlias = Annotated[
    Annotated[DatasetCheck, tyro.conf.subcommand("check")]
    | Annotated[DatasetPack, tyro.conf.subcommand("pack")]
    | Annotated[DatasetAlign, tyro.conf.subcommand("align")],
    tyro.conf.subcommand(
        "dataset", description="Check images to train on, pack images, crop faces of photographs."
    ),
]
Recipe: TypeAlias = Annotated[
    Annotated[RecipeHeads, tyro.conf.subcommand("heads")]
    | Annotated[RecipeCompare, tyro.conf.subcommand("compare")],
    tyro.conf.subcommand("recipe", description="Run many commands in order; resume them."),
]


def _command_type(words: Sequence[str]) -> Any:
    """All commands, as the type that tyro reads its subcommands and flags from.

    Args:
        words: the command line; the value of ``--preset`` decides the defaults of other flags.
    """
    return (
        Annotated[OpenWindow, tyro.conf.subcommand("open")]
        | Annotated[RenderImage, tyro.conf.subcommand("render")]
        | Annotated[ExportMesh, tyro.conf.subcommand("mesh")]
        | Annotated[RenderTurntable, tyro.conf.subcommand("turntable")]
        | Annotated[Animate, tyro.conf.subcommand("animate")]
        | Annotated[Batch, tyro.conf.subcommand("batch")]
        | Annotated[RenderSheet, tyro.conf.subcommand("sheet")]
        | Annotated[RenderComparison, tyro.conf.subcommand("compare")]
        | Annotated[Demo, tyro.conf.subcommand("demo")]
        | Annotated[Invert, tyro.conf.subcommand("invert")]
        | Annotated[DragFace, tyro.conf.subcommand("drag")]
        | Measures
        | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
        | Annotated[Serve, tyro.conf.subcommand("serve")]
        | Annotated[ProgramBench, tyro.conf.subcommand("bench")]
        | Annotated[Info, tyro.conf.subcommand("info")]
        | Models
        | Annotated[MakeHeads, tyro.conf.subcommand("heads")]
        | Dataset
        | _train_type(_preset(words))
        | Recipe
    )


def command_names() -> list[str]:
    """All commands but ``open``, which opens the window."""
    commands = get_args(_command_type(()))
    return [name for kind in commands if (name := kind.__metadata__[0].name) != "open"]


def _train_type(preset: PresetName) -> Any:
    """``train`` with its subcommands, whose flags default to the preset's settings."""
    subcommands: list[Any] = [Annotated[TrainList, tyro.conf.subcommand("list")]]
    for stage, command in TRAIN_COMMANDS.items():
        config = default_config(command, preset, missing=tyro.MISSING)
        default = command(run_dir=tyro.MISSING, config=config)
        subcommands.append(Annotated[command, tyro.conf.subcommand(stage, default=default)])
    return Annotated[
        functools.reduce(operator.or_, subcommands),
        tyro.conf.subcommand("train", description="Train a model, resume a run, list runs."),
    ]


def _preset(words: Sequence[str]) -> PresetName:
    """The value of ``--preset``; the first of all presets without it, or for an unknown value."""
    known: tuple[PresetName, ...] = get_args(PresetName)
    pairs = itertools.pairwise(" ".join(words).replace("--preset=", "--preset ").split())
    named = [value for flag, value in pairs if flag == "--preset"]
    return next((name for name in known if name in named), known[0])


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 for success, 2 for a user's mistake, 130 if interrupted, else 1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    quiet = "--quiet" in words
    words = [word for word in words if word != "--quiet"]
    try:
        if not words:
            return _open_window(None)
        command = _parse(words)
        if isinstance(command, OpenWindow):
            return _open_window(command.file)
        check_finite(command)
        if not quiet and (note := note_on_weights(command)):
            complain(note)
        result = _run(command.run(), quiet)
        if result is not None and not quiet:
            print(result)
    except StyleSDFError as error:
        complain(str(error))
        return USER_MISTAKE if isinstance(error, InputError) else FAILED
    except OSError as error:  # of a path that no file system takes, or may not be read
        if not isinstance(error.filename, str | bytes):
            raise
        complain(f"{os.fsdecode(error.filename)}: {error.strerror}.")
        return USER_MISTAKE
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        complain(OUT_OF_MEMORY)
        return FAILED
    except KeyboardInterrupt as interrupt:
        complain(str(interrupt) or _CANCELLED)
        return INTERRUPTED
    return DONE


def complain(sentence: str) -> None:
    """Say a sentence on stderr, without what could command a terminal."""
    print(f"{PROGRAM}: {printable(sentence)}", file=sys.stderr)


def _parse(words: list[str]) -> Any:
    """The request that the words describe.

    Raises:
        InputError: the words cannot be understood; tyro's message as one sentence.
        SystemExit: after ``--help``.
    """
    if wrong := (empty_word(words) or missing_command(words, PROGRAM) or overwritten_input(words)):
        raise InputError(wrong)
    if words[0] == "measure" and words[1:2] and words[1] not in _MEASURES:
        words = ["measure", "heads", *words[1:]]
    if words[0] == "models" and words[1:2] and words[1] in _WITH_MODEL:
        is_named = any(word.partition("=")[0] == "--model" for word in words)
        if words[2:] and not words[2].startswith("-") and not is_named:
            words = [*words[:2], "--model", *words[2:]]
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), help_in_whole_lines():
            return tyro.cli(
                _command_type(words),
                args=words,
                prog=PROGRAM,
                description=DESCRIPTION,
                config=(tyro.conf.OmitSubcommandPrefixes,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        raise InputError(one_sentence(complaint.getvalue(), words, PROGRAM)) from None


def _run(operation: Operation[Any], quiet: bool) -> Any:
    """Iterate an operation behind a progress bar on stderr; returns its result.

    Where stderr is no terminal, a line every _LOG_EVERY seconds stands for the bar.
    """
    form = "{desc:<32.32} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
    # disable=None hides the bar where stderr is no terminal
    with (
        contextlib.closing(operation),
        tqdm(total=1.0, bar_format=form, disable=True if quiet else None, leave=False) as bar,
    ):
        logged = time.monotonic()
        steps = itertools.count()
        while True:
            if next(steps) == 2:  # by now the operation has imported what it needs
                start_collector()
            try:
                progress = next(operation)
            except StopIteration as stop:
                return stop.value
            if isinstance(progress, Announcement):
                bar.clear()
                if not quiet:
                    print(progress.message, flush=True)
                continue
            bar.set_description_str(progress.message, refresh=False)
            bar.update(progress.fraction - bar.n)
            if bar.disable and not quiet and time.monotonic() - logged >= _LOG_EVERY:
                logged = time.monotonic()
                print(f"{progress.fraction:4.0%} {progress.message}", file=sys.stderr, flush=True)


def _open_window(file: Path | None) -> int:
    if not has_display():
        complain(
            f"There is no display to open a window on; the commands {', '.join(command_names())} "
            "work without a display (see --help)."
        )
        return FAILED
    try:
        from app.studio import run
    except ImportError as error:  # Dear PyGui without the system's OpenGL or X libraries
        raise GraphicsError(f"The window cannot be opened here: {error}.") from error
    model: str | None = None
    session = file
    if file is not None and not file.exists():
        if str(file) not in {entry.name for entry in model_zoo.list_models()}:
            raise InputError(f"There is no file, folder or model {file}.")
        model, session = str(file), None
    elif file is not None and (file.is_dir() or file.suffix.lower() in WEIGHT_SUFFIXES):
        model, session = str(file), None
    if session is not None:
        read_scene(session)  # a file without session is refused before the window opens
    try:
        status = run(model, session)
    except KeyboardInterrupt:  # a signal has closed the window, which saves as it closes
        complain(_CANCELLED)
        status = INTERRUPTED
    end_if_busy(status)
    return status
