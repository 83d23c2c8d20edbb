"""The command line of `stylesdf-studio`: opens the window, or runs a command without a display.

The command line becomes a request, and the request is run. Modules are imported when a command
needs them: ``--help`` waits neither for torch nor for Dear PyGui.
"""

from __future__ import annotations

import contextlib
import io
import itertools
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import tyro

from app.command_line.commands import (
    Chosen,
    chosen,
    command_names,
    every_command,
    unknown_command,
)
from app.command_line.parser_messages import (
    empty_word,
    is_strange_option,
    missing_command,
    one_sentence,
    overwritten_input,
)
from app.workers.concurrency.process import end_if_busy, start_collector
from stylesdf_core.commands.field_help import help_in_whole_lines
from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import (
    OUT_OF_MEMORY,
    GraphicsError,
    InputError,
    StyleSDFError,
    is_out_of_memory,
)
from stylesdf_core.foreign import printable
from stylesdf_core.progress import Announcement, Operation
from stylesdf_core.system.opengl import has_display

PROGRAM = "stylesdf-studio"
DONE, FAILED, USER_MISTAKE, INTERRUPTED = 0, 1, 2, 130

#: What `measure` measures; `heads` may be left out.
_MEASURES = ("heads", "invert", "drag", "-h", "--help")
#: Of `models`, what takes a model; its flag, --model, may be left out: `models fetch ffhq1024`.
_WITH_MODEL = ("fetch", "export", "directions")
#: Seconds between two lines of progress where stderr is a file.
_LOG_EVERY = 30.0
_CANCELLED = "Cancelled; no incomplete file has its final name."


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; returns 0 for success, 2 for a user's mistake, 130 if interrupted, else 1."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    quiet = "--quiet" in words
    words = [word for word in words if word != "--quiet"]
    try:
        if not words:
            return _open_window(None)
        command = _parse(words)
        if words[0] == "open":
            return _open_window(command.file)
        check_finite(command)
        if not quiet and hasattr(command, "scene"):
            from stylesdf_core.commands.scenes.options.scene_flags import note_on_weights

            if note := note_on_weights(command):
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
    if wrong := unknown_command(words):
        raise InputError(wrong)
    return _read(chosen(words), words)


def _read(command: Chosen, words: list[str]) -> Any:
    """The request of a command, or of one of its group or of all commands."""
    complaint = io.StringIO()
    try:
        with contextlib.redirect_stderr(complaint), help_in_whole_lines():
            return tyro.cli(
                command.kind,
                args=words[command.words :],
                prog=" ".join((PROGRAM, *words[: command.words])),
                description=command.about,
                default=command.default,
                config=(tyro.conf.OmitSubcommandPrefixes,),
            )
    except SystemExit as stop:
        if stop.code in (0, None):
            raise
        box = complaint.getvalue()
    if command.words and is_strange_option(box):
        return _read(every_command(words), words)  # which says whose option it is
    raise InputError(one_sentence(box, words, PROGRAM))


def _run(operation: Operation[Any], quiet: bool) -> Any:
    """Iterate an operation behind a progress bar on stderr; returns its result.

    Where stderr is no terminal, a line every _LOG_EVERY seconds stands for the bar.
    """
    form = "{desc:<32.32} {percentage:3.0f}% |{bar}| {elapsed}<{remaining}"
    from tqdm import tqdm

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
            is_told = bar.disable and not quiet and progress.message
            if is_told and time.monotonic() - logged >= _LOG_EVERY:
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
        from app.state.wording import is_showable
        from app.studio import run
    except ImportError as error:  # Dear PyGui without the system's OpenGL or X libraries
        raise GraphicsError(f"The window cannot be opened here: {error}.") from error
    from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES, is_named
    from stylesdf_core.scene.session_files import read_scene

    if file is not None and not is_showable(file):
        raise InputError(f"The name {file} is not UTF-8; rename it first.")
    model: str | None = None
    session = file
    if file is not None and not file.exists():
        if not is_named(str(file)):
            raise InputError(f"There is no file, folder or model {file}.")
        model, session = str(file), None
    elif file is not None and (file.is_dir() or file.suffix.lower() in WEIGHT_SUFFIXES):
        model, session = str(file.absolute()), None
    if session is not None:
        read_scene(session)  # a file without session is refused before the window opens
    try:
        status = run(model, session)
    except KeyboardInterrupt:  # a signal has closed the window, which saves as it closes
        complain(_CANCELLED)
        status = INTERRUPTED
    end_if_busy(status)
    return status
