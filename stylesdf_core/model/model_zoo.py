"""The model zoo: finds the weights file of a model's name, file or run folder.

Models with a name come with the program or were published with the paper; :mod:`.download` fetches
published weights into the user's cache.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path

from safetensors import SafetensorError, safe_open

from stylesdf_core.data.frame_presets import FramePreset
from stylesdf_core.errors import ModelNotFoundError, StyleSDFError
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.model.checkpoints.digests import BASE
from stylesdf_core.model.download import RemoteFile, download
from stylesdf_core.model.poses import FFHQ_POSES, Poses
from stylesdf_core.progress import Operation
from stylesdf_core.resources import expanded, shipped, user_folder

_DRIVE = "https://drive.usercontent.google.com/download"
WEIGHT_SUFFIXES = (".safetensors", ".pt", ".pth")
#: End of the names of files that tune a model, see :mod:`.tuning`.
TUNING_SUFFIX = ".tuning.safetensors"


class ModelKind(Enum):
    """Where a model comes from."""

    SHIPPED = "shipped"
    PUBLISHED = "published"
    FILE = "file"
    RUN = "run"


@dataclass(frozen=True)
class PublishedModel:
    """Weights published with the paper (CC BY-NC-SA 4.0, not for commercial use).

    Attributes:
        name: the model's name in commands.
        file_name: name of the weights file in the cache.
        description: one line for lists of models.
        drive_id: Google Drive identifier.
        size: bytes.
        md5: hexadecimal digest.
        poses: cameras of its training; None for a sphere, which saw none.
    """

    name: str
    file_name: str
    description: str
    drive_id: str
    size: int
    md5: str
    poses: Poses | None = FFHQ_POSES

    @property
    def path(self) -> Path:
        """The weights file in the cache, whether or not it has been fetched."""
        return cache_folder() / self.file_name

    @property
    def is_fetched(self) -> bool:
        """Whether the whole file is in the cache."""
        return self.path.is_file() and self.path.stat().st_size == self.size

    @property
    def remote(self) -> RemoteFile:
        """The file's address, size and digest."""
        url = f"{_DRIVE}?id={self.drive_id}&export=download&confirm=t"
        return RemoteFile(url, self.size, self.md5)


PUBLISHED = (
    PublishedModel(
        "ffhq1024",
        "ffhq1024x1024.pt",
        "StyleSDF, human faces (FFHQ), 1024² images",
        "13s_dH768zJ3IHUjySVbD1DqcMolqKlBi",
        202570217,
        "1ab9522157e537351fcf4faed9c92abb",
    ),
    PublishedModel(
        "afhq512",
        "afhq512x512.pt",
        "StyleSDF, animal faces (AFHQ), 512² images",
        "1jZcV5__EPS56JBllRmUfUjMHExql_eSq",
        184908743,
        "91eeaab2da5c0d2134c04bb56ac5aeb6",
        Poses(azimuth_std=0.15),
    ),
    PublishedModel(
        "ffhq-renderer",
        "ffhq_vol_renderer.pt",
        "volume renderer only, human faces (FFHQ), 64²",
        "1zzB-ACuas7lSAln8pDnIqlWOEg869CCK",
        63736197,
        "fe62f26032ccc8f04e1101b07bcd7462",
    ),
    PublishedModel(
        "afhq-renderer",
        "afhq_vol_renderer.pt",
        "volume renderer only, animal faces (AFHQ), 64²",
        "1xhZjuJt_teghAQEoJevAxrU5_8VqqX42",
        63736197,
        "cb3beb6cd3c43d9119356400165e7f26",
        Poses(azimuth_std=0.15),
    ),
    PublishedModel(
        "sphere-init",
        "sphere_init.pt",
        "volume renderer initialised to a sphere, where training starts",
        "1CcYWbHFrJyb4u5rBFx_ww-ceYWd309tk",
        63736197,
        "a6be653435b0e49633e6838f18ff4df6",
        None,
    ),
)


#: The models that come with the program, with the cameras of their training (see their cards);
#: the window opens with the first one.
_SHIPPED = {
    "heads": (
        "comes with the program: synthetic heads, 256² images",
        Poses(azimuth_std=0.4, elevation_std=0.18, static_viewdirs=True),
    ),
    "heads-gan": (
        "comes with the program: an example of training from images alone, 64² images",
        Poses(static_viewdirs=True),
    ),
}
_NOTES = {"heads-gan": "example of training"}


@dataclass(frozen=True)
class ModelEntry:
    """A model that a name, file or run folder stands for.

    Attributes:
        name: the shipped or published name; for the user's own models, the path as text.
        kind: where the model comes from.
        path: the weights file; a published model's exists once it has been fetched.
        description: one line.
        size: bytes.
        is_ready: whether the weights file exists.
        poses: cameras of a named model's training; None where only the file can state them.
        note: what the model is there for, in a word or two; empty for a model of the best quality.
        frame_preset: how a named model's training pictures frame a face; None where only the file
            can state it.
    """

    name: str
    kind: ModelKind
    path: Path
    description: str
    size: int
    is_ready: bool = True
    poses: Poses | None = None
    note: str = ""
    frame_preset: FramePreset | None = None


def cache_folder() -> Path:
    """Folder of fetched weights: the user's cache, or the folder that ``STYLESDF_CACHE`` names."""
    override = os.environ.get("STYLESDF_CACHE")
    return Path(override or user_folder("cache") / "models")


def list_models() -> tuple[ModelEntry, ...]:
    """All models with a name: the shipped ones, then the published ones."""
    entries = []
    for path in _shipped_weights():
        description, poses = _SHIPPED.get(path.stem, ("comes with the program", None))
        about = (path, description, path.stat().st_size, True, poses)
        note = _NOTES.get(path.stem, "")
        entries.append(ModelEntry(path.stem, ModelKind.SHIPPED, *about, note, "heads"))
    for model in PUBLISHED:
        about = (model.path, model.description, model.size, model.is_fetched, model.poses)
        entries.append(ModelEntry(model.name, ModelKind.PUBLISHED, *about, frame_preset="ffhq"))
    return tuple(entries)


def is_named(reference: str) -> bool:
    """Whether a reference is a name of :func:`list_models`, rather than a path."""
    return reference in {entry.name for entry in list_models()}


def absolute(reference: str) -> str:
    """A reference that means the same from every folder: a name, or an absolute path.

    The path is made from the text alone; no file is looked at.
    """
    return reference if is_named(reference) else os.path.abspath(os.path.expanduser(reference))


def short_name(reference: str) -> str:
    """A model's name in the names of files: a reference without folder and suffix."""
    path = Path(reference)
    is_tuning = path.name.endswith(TUNING_SUFFIX)
    return path.name.removesuffix(TUNING_SUFFIX) if is_tuning else path.stem


def resolve(name_or_path: str | Path) -> ModelEntry:
    """The model of a name of :func:`list_models`, of a weights file or of a run folder.

    The entry's ``path`` is an existing weights file; a run folder's is its newest checkpoint.

    Raises:
        ModelNotFoundError: no model has that name, or its weights have not been fetched yet.
    """
    name = str(name_or_path)
    named = {entry.name: entry for entry in list_models()}
    if name in named:
        entry = named[name]
        if not entry.is_ready:
            raise ModelNotFoundError(
                f"{name} has not been downloaded yet ({entry.size / 1e6:.0f} MB): "
                f"run `stylesdf-studio models fetch {name}` first."
            )
        return entry
    path = expanded(name)
    if path.is_dir():
        newest = _newest_average(path)
        return ModelEntry(name, ModelKind.RUN, newest, f"run {path.name}", newest.stat().st_size)
    if path.is_file():
        entry = ModelEntry(name, ModelKind.FILE, path, path.name, path.stat().st_size)
        for known in named.values():  # what is known of a named model holds for its file
            if known.path.absolute() == path.absolute():
                entry = replace(entry, poses=known.poses, frame_preset=known.frame_preset)
        return entry
    if path.name.endswith(TUNING_SUFFIX):
        raise ModelNotFoundError(
            f"There is no tuning {path}, with which a head was fitted; it lies beside the session."
        )
    if path.suffix.lower() in WEIGHT_SUFFIXES or len(path.parts) > 1:
        raise ModelNotFoundError(f"There is no model file or run folder {path}.")
    raise ModelNotFoundError(
        f"There is no model {name!r}; give a file, a run folder or one of {', '.join(named)}."
    )


def comes_with(session: str | Path, model: str) -> bool:
    """Whether the model that a session names is a tuning, beside it, of a model with a name.

    Such a file leads to no other path, and its numbers are never executed.
    """
    path = Path(model)
    if (
        not model.endswith(TUNING_SUFFIX)
        or path.parent.absolute() != Path(session).parent.absolute()
    ):
        return False
    if not path.is_file():
        return True  # to load it says what is missing
    try:
        with safe_open(path, framework="np") as file:
            return is_named((file.metadata() or {}).get(BASE, ""))
    except (OSError, SafetensorError):
        return False


def trained_poses(reference: str | Path) -> Poses | None:
    """The cameras that a model was trained with; None where neither name nor file states them.

    Args:
        reference: as in :func:`resolve`.

    Raises:
        ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
    """
    from stylesdf_core.model.checkpoints.checkpoints import read_poses

    entry = resolve(reference)
    return entry.poses or read_poses(entry.path)


def trained_frame_preset(reference: str | Path) -> FramePreset | None:
    """How a model's training pictures frame a face; None where neither name nor file states it.

    Args:
        reference: as in :func:`resolve`.

    Raises:
        ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
    """
    from stylesdf_core.model.checkpoints.checkpoints import read_frame_preset

    entry = resolve(reference)
    return entry.frame_preset or read_frame_preset(entry.path)


def published(name: str) -> PublishedModel:
    """The published model of that name.

    Raises:
        ModelNotFoundError: no published model has that name.
    """
    for model in PUBLISHED:
        if model.name == name:
            return model
    known = ", ".join(model.name for model in PUBLISHED)
    raise ModelNotFoundError(f"There is no published model {name!r}; these are: {known}.")


def fetch(name: str) -> Operation[Path]:
    """Download a published model into the cache, yielding Progress in bytes; returns its path.

    An interrupted fetch continues where it stopped; a fetched model is left as it is.

    Raises:
        ModelNotFoundError: no published model has that name.
        DownloadError: the file did not arrive whole; nothing lies under its final name.
    """
    model = published(name)
    return (yield from download(model.remote, model.path))


def _shipped_weights() -> list[Path]:
    try:
        weights = list(shipped("pretrained").glob("*.safetensors"))
    except StyleSDFError:  # an incomplete installation can still open the user's own models
        return []
    first = {name: place for place, name in enumerate(_SHIPPED)}
    return sorted(weights, key=lambda path: (first.get(path.stem, len(first)), path.stem))


def _newest_average(run: Path) -> Path:
    """The averaged generator that a run folder's latest.json names (training/runs/run_dir.py).

    Without latest.json the newest one that has a training state beside it, as the run goes on.
    """
    checkpoints = run / "checkpoints"
    latest = checkpoints / "latest.json"
    if not latest.is_file():
        for average in sorted(checkpoints.glob("ema-*.safetensors"), reverse=True):
            step = average.stem.removeprefix("ema-")
            if step.isdecimal() and (checkpoints / f"step-{step}.pt").is_file():
                return average
        raise ModelNotFoundError(
            f"{run} holds no model: it is no run folder, or the run has not saved a checkpoint yet."
        )
    advice = "Open a file of that folder."
    with reading(latest, "a list of checkpoints", error=ModelNotFoundError, advice=advice):
        path = checkpoints / str(read_json(latest, error=ModelNotFoundError)["ema"])
    if not os.path.isfile(path):
        raise ModelNotFoundError(f"{latest} names {path}, which is missing.")
    return path
