"""`stylesdf-studio models list`, `fetch` and `export`."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stylesdf_core.data.frame_presets import FRAME_PRESET
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import CheckpointError, InputError
from stylesdf_core.files import check_destination
from stylesdf_core.model import model_zoo
from stylesdf_core.model.model_zoo import ModelEntry
from stylesdf_core.model.poses import POSES
from stylesdf_core.progress import Operation, Progress


@dataclass(frozen=True)
class ModelTable:
    """All models with a name; as text, one model a line."""

    entries: tuple[ModelEntry, ...]

    def __str__(self) -> str:
        width = max((len(entry.name) for entry in self.entries), default=0)
        return "\n".join(
            f"{entry.name:{width}}  {entry.kind.value:9}  {entry.size / 1e6:6.1f} MB  "
            f"{'ready     ' if entry.is_ready else 'to fetch  '}  {entry.description}"
            for entry in self.entries
        )


@dataclass(frozen=True)
class ModelsList:
    """List the models that have a name: shipped with the program, or published and to fetch."""

    def run(self) -> Operation[ModelTable]:
        """Look into the program's folder and the cache."""
        yield from ()
        return ModelTable(tuple(map(_described, model_zoo.list_models())))


def _described(entry: ModelEntry) -> ModelEntry:
    """The entry, whose description says so where the model has a background field."""
    from stylesdf_core.model.checkpoints.checkpoints import read_architecture

    if entry.path.suffix != ".safetensors":  # the only format that holds such models
        return entry
    with suppress(CheckpointError):  # a damaged file is named when it is loaded
        if read_architecture(entry.path).has_background:
            return replace(entry, description=f"{entry.description}, with a background field")
    return entry


@dataclass(frozen=True)
class ModelsFetch:
    """Download published weights into the user's cache; an interrupted download continues."""

    model: str
    """ffhq1024, afhq512, ffhq-renderer, afhq-renderer or sphere-init."""

    def run(self) -> Operation[Path]:
        """Yield bytes received; the result is the file.

        Raises:
            ModelNotFoundError: no published model has that name.
            DownloadError: the file did not arrive whole.
        """
        return (yield from model_zoo.fetch(self.model))


@dataclass(frozen=True)
class ExportedModel:
    """A model in another file format; as text, the file and what is to be known about it."""

    path: Path
    note: str = ""

    def __str__(self) -> str:
        return f"{self.path}\n{self.note}" if self.note else str(self.path)


@dataclass(frozen=True)
class ModelsExport:
    """Write a model to another file format."""

    model: str
    """A name of `models list`, a weights file, or a run folder (its newest averaged weights)."""

    out: Path
    """FILE.safetensors for this program, or FILE.pt in the layout of the published code."""

    half: bool = False
    """Store 16-bit floats (.safetensors only): half the size, the same picture to rounding."""

    def run(self) -> Operation[ExportedModel]:
        """Read, convert, write; the result is the file.

        Raises:
            InputError: the suffix is neither .safetensors nor .pt, or ``half`` is set for a .pt.
            ModelNotFoundError: no model has that name.
            CheckpointError: the model's weights file is damaged.
            OutputError: ``out`` cannot be written.
        """
        check_destination(self.out, (".safetensors", ".pt"))
        suffix = self.out.suffix.lower()
        if self.half and suffix == ".pt":
            raise InputError("The published layout holds 32-bit floats; leave out --half.")
        import torch

        from stylesdf_core.model.checkpoints.checkpoints import save_published, save_safetensors
        from stylesdf_core.model.tuning import load_tuned

        yield Progress(0, 2, "reading")
        loaded, _ = load_tuned(model_zoo.resolve(self.model).path)
        yield Progress(1, 2, f"writing {self.out.name}")
        if suffix == ".pt":
            save_published(loaded.generator, self.out)
            generator, notes = loaded.generator, []
            config, level = generator.config, float(generator.surface_level)
            if level != 0.0:
                notes.append(
                    f"The layout does not say that the surface lies at the distance {level:.2g}: "
                    f"meshes of the file need --level {level:.2g}."
                )
            if config.width != config.z_dim:
                notes.append(
                    "The published code can load this only once its FiLM layer no longer takes the "
                    f"field's width ({config.width}) for the size of w ({config.z_dim})."
                )
            return ExportedModel(self.out, "\n".join(notes))
        dtype = torch.float16 if self.half else torch.float32
        metadata = dict(loaded.metadata) | self._known_by_name()
        save_safetensors(loaded.generator, self.out, dtype=dtype, metadata=metadata, means=True)
        return ExportedModel(self.out)

    def _known_by_name(self) -> dict[str, str]:
        """Metadata that the program knows by a model's name, and that its file may lack."""
        known = {}
        if (poses := model_zoo.trained_poses(self.model)) is not None:
            known[POSES] = json.dumps(to_json(poses))
        if (preset := model_zoo.trained_frame_preset(self.model)) is not None:
            known[FRAME_PRESET] = preset
        return known
