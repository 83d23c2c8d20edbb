"""The form of a new run: the settings of a training command as text, and the request they make.

Listed here are the headings, each stage's explanation and the runs it can start from; the settings
themselves come from the command's dataclass and the preset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from app.state.wording import in_window
from stylesdf_core.commands.field_help import Setting, settings_of
from stylesdf_core.commands.train.stages import TRAIN_COMMANDS, TrainRequest, default_config
from stylesdf_core.errors import InputError
from stylesdf_core.files import free_path
from stylesdf_core.resources import expanded
from stylesdf_core.training.adversarial.config.stages import PresetName
from stylesdf_core.training.runs.run_summary import RunSummary
from stylesdf_core.training.settings import by_path, with_values

Kind = Literal["text", "folder", "choice", "flag"]

STAGE_HELP: dict[str, str] = {
    "renderer": "Stage 1: the volume renderer learns shape and colours from your images",
    "decoder": "Stage 2: the decoder learns to make large images from a finished stage 1",
    "joint": "Fine-tune renderer and decoder together, starting from a finished stage 2",
    "sphere-init": "Only stage 1's first steps, in which the field becomes a sphere: a common "
    "start for several renderers",
    "fit": "Supervised: field and decoder learn synthetic heads, rendered here from a face model",
}
#: The stages whose runs a stage can start from.
STARTS_FROM: dict[str, tuple[str, ...]] = {
    "renderer": ("sphere-init", "renderer"),
    "decoder": ("renderer",),
    "joint": ("decoder", "joint", "fit"),
    "fit": ("fit",),
}
#: Stages that need weights to start from, and the sentence that asks for the weights.
WANTED: dict[str, str] = {
    "decoder": "Stage 2 trains a decoder on a finished renderer. Choose a stage-1 run, or a file.",
    "joint": "Stage joint fine-tunes a whole model. Choose a stage-2 run, or a file.",
}
NO_HEADS = (
    "Give a face model to make heads from (a clone of ICT-FaceKit, or its .npz), or a folder of "
    "prepared heads as data."
)
#: The request's field that holds all other settings; names in the form omit this prefix.
_CONFIG = "config."
#: Settings that stand at the top of the form, under no heading.
_APART = ("run_dir", "dry_run", "preset", "init")
_FOLDERS = ("data", "heads.facekit")
#: Headings in their order, each with the settings or groups of settings under it.
_HEADINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Heads", ("data", "heads")),
    ("Length", ("steps", "batch", "chunk", "batch_factor")),
    ("Reading", ("images",)),
    ("Small data sets", ("augment",)),
    ("Patches", ("output", "patch")),
    ("Model", ("generator", "output_size", "channel_multiplier", "decoder_kind")),
    ("Cameras", ("poses",)),
    ("Sphere", ("sphere",)),
    ("Learning the volume render", ("volume", "renderer_rate")),
    ("Learning the image", ("image",)),
    ("Phase 1: points", ("points",)),
    ("Phase 2: volume renders", ("render",)),
    ("Phase 3: decoder", ("decoder",)),
    ("Phase 4: end to end", ("end_to_end",)),
    ("Phase 5: refinement", ("refine",)),
    (
        "Run",
        (
            "run", "gpus", "seed", "device", "precision", "compiled", "threads", "ema",
            "record_every", "evaluate_every", "checkpoint_every", "keep", "keep_every",
        ),
    ),
)  # fmt: skip


class FieldError(InputError):
    """A field of the form is wrong.

    Attributes:
        name: of the field; empty where the message concerns several.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


@dataclass(frozen=True)
class FormField:
    """One setting.

    Attributes:
        name: its dotted path in the command's config, as in ``volume.r1``.
        kind: "folder" is a text that can also be chosen.
        choices: of a "choice"; empty otherwise.
        help: the setting's meaning.
    """

    name: str
    kind: Kind
    choices: tuple[str, ...]
    help: str

    @property
    def label(self) -> str:
        """The text before the field."""
        return _label(self.name)


@dataclass(frozen=True)
class RunForm:
    """A filled-in form.

    Attributes:
        stage: a key of :data:`~stylesdf_core.commands.train.stages.TRAIN_COMMANDS`.
        name: of the run's folder; empty for a name made from data and stage.
        data: folder of images.
        init: run folder, weights file or model name to start from; empty for fresh weights.
        texts: of the other fields, by stage and name; absent or empty for the default.
    """

    stage: str = "renderer"
    preset: PresetName = "tiny"
    name: str = ""
    data: str = ""
    init: str = ""
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The text in a field of the present stage."""
        return self.texts.get((self.stage, name), "")

    def with_text(self, name: str, text: str) -> RunForm:
        """The form with another text in a field of the present stage."""
        return replace(self, texts={**self.texts, (self.stage, name): text.strip()})

    @property
    def is_locked(self) -> bool:
        """Whether the stage still needs weights to start from."""
        return self.stage in WANTED and not self.init

    @property
    def wants_images(self) -> bool:
        """Whether the stage trains from images."""
        return self.stage not in ("sphere-init", "fit")

    @property
    def has_preset(self) -> bool:
        """Whether the stage has presets."""
        return "preset" in _settings(self.stage)

    @property
    def lacks_heads(self) -> bool:
        """Whether the stage needs heads and the form names neither a face model nor heads."""
        return self.stage == "fit" and not (self.text("heads.facekit") or self.text("data"))


def sections(stage: str) -> list[tuple[str, list[FormField]]]:
    """The stage's settings under their headings; a setting without a heading comes last."""
    found: dict[str, list[FormField]] = {
        heading: [] for heading in (*(title for title, _ in _HEADINGS), "More")
    }
    for name, setting in _settings(stage).items():
        if not is_apart(stage, name):
            group = name.split(".")[0]
            heading = next((title for title, groups in _HEADINGS if group in groups), "More")
            found[heading].append(_form_field(name, setting))
    return [(heading, here) for heading, here in found.items() if here]


def is_apart(stage: str, name: str) -> bool:
    """Whether a setting stands at the top of the form, under no heading."""
    return name in _APART or (name == "data" and stage != "fit")


def presets() -> tuple[str, ...]:
    """All presets, smallest first."""
    return tuple(reversed(get_args(PresetName)))


def defaults(form: RunForm) -> dict[str, str]:
    """The default values of the stage's settings, as text; the preset decides them."""
    return _defaults(form.stage, form.preset)


@cache
def _defaults(stage: str, preset: PresetName) -> dict[str, str]:
    values = by_path(_default_request(stage, preset))
    return {path.removeprefix(_CONFIG): _written(value) for path, value in values.items()}


def request_of(form: RunForm, folder: Path, *, name: str = "") -> TrainRequest:
    """The request that the form describes; the run's folder lies in ``folder``.

    Args:
        name: of the run, if the form gives none.

    Raises:
        FieldError: a field cannot be read, or its value is out of range.
    """
    settings = _settings(form.stage)
    values: dict[str, Any] = {"run_dir": folder / (form.name or name)}
    if form.wants_images:
        values["data"] = str(expanded(form.data).absolute())
    if form.init and "init" in settings:
        values["init"] = form.init
    for setting_name, setting in settings.items():
        text = form.text(setting_name)
        if text and not is_apart(form.stage, setting_name):
            values[setting_name] = _read(setting_name, setting.kind, text)
    paths = {settings[name].path: value for name, value in values.items()}
    try:
        return with_values(_default_request(form.stage, form.preset), paths)
    except InputError as error:
        wrong = (name for name in values if name.split(".")[-1] in str(error))
        raise FieldError(next(wrong, ""), str(error)) from error


def free_name(form: RunForm, folder: Path) -> str:
    """A name for the run, from its images and its stage, that no folder has yet."""
    data = expanded(form.data).name if form.wants_images else ""
    stem = "-".join(filter(None, (data, form.stage)))
    return free_path(folder / stem).name


def checked_name(form: RunForm, folder: Path) -> str:
    """The run's name, which no folder may have yet.

    Raises:
        FieldError: the name cannot be a folder's, or a folder has it already.
    """
    name = form.name.strip()
    if not name:
        return free_name(form, folder)
    if any(c in name for c in '/\\:*?"<>|') or name in (".", ".."):
        raise FieldError("name", f"{name!r} cannot be the name of a folder.")
    if (folder / name).exists():
        raise FieldError(
            "name", f"There is a run {name} already: resume it in the list, or choose another name."
        )
    return name


def starting_points(stage: str, runs: tuple[RunSummary, ...]) -> tuple[RunSummary, ...]:
    """Runs that a stage can start from: runs of :data:`STARTS_FROM` that have weights."""
    stages = STARTS_FROM.get(stage, ())
    return tuple(run for run in runs if run.stage in stages and run.has_weights)


@cache
def _settings(stage: str) -> dict[str, Setting]:
    """The settings of a stage's command by their names in the form."""
    found = settings_of(TRAIN_COMMANDS[stage])
    return {setting.path.removeprefix(_CONFIG): setting for setting in found}


@cache
def _default_request(stage: str, preset: PresetName) -> TrainRequest:
    command = TRAIN_COMMANDS[stage]
    return command(run_dir=Path(), config=default_config(command, preset))


def _form_field(name: str, setting: Setting) -> FormField:
    explained = in_window(setting.help)
    if get_origin(setting.kind) is Literal:
        choices = tuple(str(choice) for choice in get_args(setting.kind))
        return FormField(name, "choice", choices, explained)
    if setting.kind is bool:
        return FormField(name, "flag", (), explained)
    return FormField(name, "folder" if name in _FOLDERS else "text", (), explained)


def _label(name: str) -> str:
    last = name.rsplit(".", maxsplit=1)[-1]
    special = {"r1": "R1 weight γ", "gpus": "GPUs", "facekit": "face model"}
    return special.get(last, last.replace("_", " "))


def _read(name: str, kind: Any, text: str) -> Any:
    """The typed text, converted to the type of its setting."""
    label = _label(name)
    if kind is bool:
        return text == "yes"
    plain = text.replace("−", "-").replace(" ", "").replace("_", "")
    if kind is int:
        try:
            return int(plain.replace(",", ""))
        except ValueError:
            raise FieldError(name, f"{label} takes a whole number, not {text!r}.") from None
    if kind is float:
        try:
            return float(plain.replace(",", "."))
        except ValueError:
            raise FieldError(name, f"{label} takes a number, not {text!r}.") from None
    return text


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:g}" if isinstance(value, float) else "" if value is None else str(value)
