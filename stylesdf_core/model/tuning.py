"""Tunings: what a model's layers of colour have learned of one person, as a small file.

A tuning stands wherever a model's file may stand: it names the model that it tunes, its base, and
the digest of the base's weights, and holds what is added to them. The base itself stays as it is.
A large weight's change is a product of two thin matrices, ``….left`` and ``….right``. Only weights
of layers of colour may change, so that shapes, directions and landmarks are the base's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from stylesdf_core.data.frame_presets import FRAME_PRESET
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import CheckpointError, StyleSDFError
from stylesdf_core.files import atomic_output
from stylesdf_core.foreign import brief, reading
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints.checkpoints import FORMAT, LoadedModel, load_checkpoint
from stylesdf_core.model.checkpoints.digests import (
    BASE,
    BESIDE_DIGEST,
    DIGEST,
    content_digest,
    weights_digest,
)
from stylesdf_core.model.poses import POSES

if TYPE_CHECKING:
    from stylesdf_core.model.config import GeneratorConfig
    from stylesdf_core.model.networks.generator import Generator
    from stylesdf_core.model.poses import Poses

_BASE_DIGEST = "base_digest"
_LEFT, _RIGHT = ".left", ".right"
_TUNABLE = re.compile(
    r"decoder\.(convs|to_rgbs)\.\d+\.conv\.weight|field\.(view_layer\.linear|rgb_head)\.weight"
)
#: Most columns of the thin matrices.
_RANK = 32


@dataclass(frozen=True)
class Base:
    """The model that a tuning tunes: its weights file and their digest."""

    path: Path
    digest: str


def tunable(generator: Generator) -> dict[str, Tensor]:
    """The weights of the layers of colour by their names; not biases, which colour every face."""
    return {name: value for name, value in generator.named_parameters() if _TUNABLE.fullmatch(name)}


@torch.no_grad()
def factors(changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Changes of weights as :func:`save_tuning` takes them: of large weights the
    product of rank 32 that comes nearest.
    """
    found: dict[str, Tensor] = {}
    for name, change in changes.items():
        matrix = change.detach().flatten(1)
        if _RANK * sum(matrix.shape) >= matrix.numel():
            found[name] = change.detach()
            continue
        left, strengths, right = torch.linalg.svd(matrix, full_matrices=False)
        root = strengths[:_RANK].sqrt()
        found[name + _LEFT] = left[:, :_RANK] * root
        found[name + _RIGHT] = root[:, None] * right[:_RANK]
    return found


def save_tuning(
    changes: Mapping[str, Tensor], path: Path, base: Base, config: GeneratorConfig, poses: Poses
) -> None:
    """Write a tuning.

    Args:
        changes: by name and, of products, with the ends ``.left`` (out, rank) and ``.right``
            (rank, in · kernel²).
        config, poses: of the base.

    Raises:
        OutputError: the file cannot be written.
    """
    tensors = {
        name: change.detach().to("cpu", torch.float16).contiguous()
        for name, change in changes.items()
    }
    header = {
        **_texts(base.path),
        "format": FORMAT,
        "config": json.dumps(to_json(config)),
        POSES: json.dumps(to_json(poses)),
        BASE: _reference(base.path),
        _BASE_DIGEST: base.digest,
    }
    if (preset := model_zoo.trained_frame_preset(header[BASE])) is not None:
        header[FRAME_PRESET] = preset
    header[DIGEST] = content_digest(tensors, header)
    with atomic_output(path) as temporary:
        save_file(tensors, temporary, header)


def load_tuned(path: Path) -> tuple[LoadedModel, Base | None]:
    """The model in a weights file, and the base where the file is a tuning.

    Raises:
        CheckpointError: as of ``load_checkpoint``; or the base is missing or another one than was
            tuned, or the changes are those of another model.
    """
    if not path.name.endswith(model_zoo.TUNING_SUFFIX):
        return load_checkpoint(path), None
    kind, advice = "a safetensors file", "Fit the photograph again."
    with reading(path, kind, error=CheckpointError, advice=advice):
        with safe_open(path, framework="pt") as file:
            texts = dict(file.metadata() or {})
            changes = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if content_digest(changes, texts) != texts.get(DIGEST) or BASE not in texts:
            raise ValueError("its content is not what was written")
    base = _base(texts, path)
    loaded = load_checkpoint(base.path)
    known = tunable(loaded.generator)
    with torch.no_grad():
        for name, change in _whole(changes).items():
            if name not in known or change.numel() != known[name].numel():
                raise CheckpointError(
                    f"{path.name} changes {brief(name)}, which is no layer of colour of the model "
                    f"{texts[BASE]} or has another shape there."
                )
            known[name].add_(change.view_as(known[name]))
    own = {k: v for k, v in texts.items() if k not in ("config", BASE, _BASE_DIGEST, DIGEST)}
    return replace(loaded, path=path, metadata=own), base


def _reference(path: Path) -> str:
    """The name of the model in a weights file, or the file's absolute path."""
    named = {entry.path: entry.name for entry in model_zoo.list_models()}
    return named.get(path) or str(path.absolute())


def _texts(path: Path) -> dict[str, str]:
    """Title, kind of latents and so on, which our own files carry."""
    if path.suffix.lower() != ".safetensors":
        return {}
    with safe_open(path, framework="pt") as file:
        texts: dict[str, str] = dict(file.metadata() or {})
    return {name: text for name, text in texts.items() if name not in (DIGEST, BESIDE_DIGEST)}


def _base(texts: Mapping[str, str], path: Path) -> Base:
    reference, tuned_digest = texts[BASE], texts.get(_BASE_DIGEST, "")
    try:
        found = model_zoo.resolve(reference).path
        digest = weights_digest(found)
    except StyleSDFError as error:
        raise CheckpointError(f"{path.name} tunes the model {brief(reference)}: {error}") from error
    if digest != tuned_digest:
        raise CheckpointError(
            f"{path.name} tunes other weights of the model {brief(reference)} than those here "
            f"(digest {brief(tuned_digest)} instead of {digest}): fit the photograph again."
        )
    return Base(found, digest)


def _whole(changes: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The changes by the names of the weights, products multiplied, float32."""
    found = {}
    for name, change in changes.items():
        if name.endswith(_LEFT):
            weight = name.removesuffix(_LEFT)
            right = changes.get(weight + _RIGHT)
            if right is None or change.dim() != 2 or change.shape[1:] != right.shape[:1]:
                raise CheckpointError(f"The tuning's matrices of {brief(weight)} do not fit.")
            found[weight] = change.float() @ right.float()
        elif not name.endswith(_RIGHT):
            found[name] = change.float()
    return found
