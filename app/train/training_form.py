"""The form of a new run: the training commands' own fields, as text, and the request they make.

Nothing is listed here but the order and the headings of fields; their defaults, choices and
meanings are read from the request's dataclass, so a new flag of the command line appears by itself.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from stylesdf_core.commands.field_help import field_help
from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.commands.train_stages import (
    TrainDecoder,
    TrainJoint,
    TrainRenderer,
    TrainRequest,
    TrainSphereInit,
)
from stylesdf_core.errors import InputError
from stylesdf_core.files import free_path
from stylesdf_core.training.run_summary import RunSummary

Kind = Literal["text", "folder", "choice", "flag"]

STAGES: dict[str, type[TrainRequest]] = {
    "renderer": TrainRenderer,
    "decoder": TrainDecoder,
    "joint": TrainJoint,
    "sphere-init": TrainSphereInit,
    "fit": TrainFit,
}
STAGE_HELP: dict[str, str] = {
    "renderer": "Stage 1: the volume renderer learns shape and colours from your images",
    "decoder": "Stage 2: the decoder learns to make large images of a finished stage 1",
    "joint": "Fine-tune renderer and decoder together, starting from a finished stage 2",
    "sphere-init": "Only the field's beginning, a sphere, to start several renderers from; "
    "stage 1 does this by itself",
    "fit": "Supervised: field and decoder learn synthetic heads, which it makes itself from a face "
    "model",
}
#: Whose results a stage can start from.
STARTS_FROM: dict[str, tuple[str, ...]] = {
    "renderer": ("sphere-init", "renderer"),
    "decoder": ("renderer",),
    "joint": ("decoder", "joint", "fit"),
    "fit": ("fit",),
}
#: What a stage wants before anything else of it can be set.
WANTED: dict[str, str] = {
    "decoder": "Stage 2 trains a decoder on a finished renderer. Choose a stage-1 run, or a file.",
    "joint": "This fine-tunes a whole model. Choose a stage-2 run, or a file.",
}
NO_HEADS = (
    "Give a face model to make heads from (a clone of ICT-FaceKit, or an .npz of it), or a folder "
    "of prepared heads as data."
)
_APART = ("run_dir", "preset", "init")
_HEADINGS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("Heads", ("facekit", "data", "heads", "views")),
    (
        "Length",
        (
            "steps", "batch", "chunk", "points_steps", "render_steps", "decoder_steps",
            "end_to_end_steps", "refine_steps", "batch_factor",
        ),
    ),
    ("Size", ("width", "depth", "output_size", "samples")),
    (
        "Learning",
        (
            "field", "r1", "eikonal", "minimal_surface", "generator_rate", "discriminator_rate",
            "rate", "renderer_rate", "adversarial", "ema",
        ),
    ),
    ("Images", ("flip", "held_out", "split_seed", "workers", "cache_gb")),
    ("Records", ("evaluate_every", "checkpoint_every", "keep")),
    ("Machine", ("device", "precision", "gpus", "threads", "jobs", "compiled", "seed")),
)  # fmt: skip


class FieldError(InputError):
    """A field of the form is wrong.

    Attributes:
        name: of the field.
    """

    def __init__(self, name: str, message: str) -> None:
        self.name = name
        super().__init__(message)


@dataclass(frozen=True)
class FormField:
    """One parameter.

    Attributes:
        name: of the request's field.
        kind: "folder" is a text that can also be chosen.
        choices: of a "choice"; empty otherwise.
        help: what it means, with its flag.
    """

    name: str
    kind: Kind
    choices: tuple[str, ...]
    help: str

    @property
    def label(self) -> str:
        """As people read it."""
        return _label(self.name)


@dataclass(frozen=True)
class RunForm:
    """What has been filled in.

    Attributes:
        stage: a key of STAGES.
        name: of the run's folder; empty for one made from the data's name.
        data: folder of images.
        init: what to start from: a run's folder, a file or a model's name; empty for nothing.
        texts: of the other fields, by stage and name; absent or empty for the default.
    """

    stage: str = "renderer"
    preset: str = "tiny"
    name: str = ""
    data: str = ""
    init: str = ""
    texts: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """What stands in a field of the present stage."""
        return self.texts.get((self.stage, name), "")

    def with_text(self, name: str, text: str) -> RunForm:
        """With another text in a field of the present stage."""
        return replace(self, texts={**self.texts, (self.stage, name): text.strip()})

    @property
    def is_locked(self) -> bool:
        """Whether the stage still wants a result to start from."""
        return self.stage in WANTED and not self.init

    @property
    def wants_images(self) -> bool:
        """Whether the stage trains from images."""
        return self.stage not in ("sphere-init", "fit")

    @property
    def has_preset(self) -> bool:
        """Whether the stage has presets."""
        return "preset" in _hints(self.stage)

    @property
    def lacks_heads(self) -> bool:
        """Whether the stage wants heads and is told of none."""
        return self.stage == "fit" and not (self.text("facekit") or self.text("data"))


def sections(stage: str) -> list[tuple[str, list[FormField]]]:
    """The stage's parameters under their headings; those nobody has sorted come last."""
    request = STAGES[stage]
    texts, hints = field_help(request), _hints(stage)
    names = [item.name for item in dataclasses.fields(request) if not is_apart(stage, item.name)]
    fields = {name: _form_field(name, hints[name], texts.get(name, "")) for name in names}
    found = []
    for heading, listed in _HEADINGS:
        here = [fields.pop(name) for name in listed if name in fields]
        if here:
            found.append((heading, here))
    if fields:
        found.append(("More", list(fields.values())))
    return found


def is_apart(stage: str, name: str) -> bool:
    """Whether a field has a place of its own in the form."""
    return name in _APART or (name == "data" and stage != "fit")


def presets() -> tuple[str, ...]:
    """The presets there are, smallest first."""
    hint = _hints("renderer")["preset"]
    return tuple(str(name) for name in reversed(get_args(hint)))


def defaults(form: RunForm) -> dict[str, str]:
    """What the fields stand for while they are empty, as text; the preset's values among them."""
    try:
        request = request_of(form, Path(), name="RUN_DIR")
    except InputError:  # something typed is wrong; then the defaults know nothing of it
        request = request_of(replace(form, texts={}), Path(), name="RUN_DIR")
    hints = _hints(form.stage)
    empty: dict[str, Any] = {
        item.name: None if type(None) in get_args(hints[item.name]) else item.default
        for item in dataclasses.fields(request)
        if not is_apart(form.stage, item.name) and form.text(item.name)
    }
    # What is empty may depend on what is not, as the chunk does on the batch.
    values = {**request.settings()}
    unset = replace(request, **empty).settings()
    return {name: _written(unset[name] if name in empty else values[name]) for name in values}


def request_of(form: RunForm, folder: Path, *, name: str = "") -> TrainRequest:
    """The request that the form describes, its run in a folder of ``folder``.

    Args:
        name: of the run where the form leaves it open.

    Raises:
        FieldError: names the field that cannot be read.
    """
    request = STAGES[form.stage]
    hints = _hints(form.stage)
    values: dict[str, Any] = {"preset": form.preset} if form.has_preset else {}
    for item in dataclasses.fields(request):
        if not is_apart(form.stage, item.name) and form.text(item.name):
            values[item.name] = _read(item.name, hints[item.name], form.text(item.name))
    if form.wants_images:
        values["data"] = Path(form.data).expanduser()
    if form.stage in WANTED or (form.stage in ("renderer", "fit") and form.init):
        values["init"] = _read("init", hints["init"], form.init)
    return request(run_dir=folder / (form.name or name), **values)


def free_name(form: RunForm, folder: Path) -> str:
    """A name for the run that no folder has yet: from its images and its stage."""
    data = Path(form.data).expanduser().name if form.wants_images else ""
    stem = "-".join(filter(None, (data, form.stage)))
    return free_path(folder / stem).name


def checked_name(form: RunForm, folder: Path) -> str:
    """The run's name, which no folder may have yet.

    Raises:
        FieldError: it is no name for a folder, or taken.
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
    """Runs that a stage can start from: of the stages before, with weights to show."""
    stages = STARTS_FROM.get(stage, ())
    return tuple(run for run in runs if run.stage in stages and run.has_weights)


@cache
def _hints(stage: str) -> dict[str, Any]:
    return typing.get_type_hints(STAGES[stage])


def _form_field(name: str, hint: Any, text: str) -> FormField:
    flag = "--" + name.replace("_", "-")
    explained = f"{text}  {flag}"
    kind = _inner(hint)
    if get_origin(kind) is Literal:
        return FormField(name, "choice", tuple(str(c) for c in get_args(kind)), explained)
    widgets: dict[Any, Kind] = {bool: "flag", Path: "folder"}
    return FormField(name, widgets.get(kind, "text"), (), explained)


def _label(name: str) -> str:
    special = {"r1": "R1 weight γ", "gpus": "GPUs", "facekit": "face model"}
    return special.get(name, name.replace("_", " "))


def _inner(hint: Any) -> Any:
    """The type itself of an optional one."""
    if get_origin(hint) in (Union, types.UnionType):
        (inner,) = (a for a in get_args(hint) if a is not type(None))
        return inner
    return hint


def _read(name: str, hint: Any, text: str) -> Any:
    kind, label = _inner(hint), _label(name)
    if kind is bool:
        return text == "yes"
    if get_origin(kind) is Literal:
        return text
    if kind is Path:
        return Path(text).expanduser()
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
