"""Digests of weights files, which tell damaged files from whole ones, and equal names apart.

A safetensors file that the program writes carries the SHA-256 of its tensors and metadata in its
header; :mod:`.checkpoints` compares it when the file is loaded. A session names its model's digest,
so that the program can say when another file has the model's name.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from safetensors import safe_open

from stylesdf_core.errors import CheckpointError
from stylesdf_core.foreign import reading

if TYPE_CHECKING:
    from torch import Tensor

#: Entry of the metadata that holds the digest of everything else in the file but the mean latents,
#: which follow from the weights, and the level at which meshes are made: the same weights have the
#: same digest without both.
DIGEST = "digest"
#: Entry of the metadata that holds the digest of mean latents and level.
BESIDE_DIGEST = "means_digest"
#: Entry of the metadata of a file that only tunes a model: that model's name or absolute path.
BASE = "base"
#: Digits of a digest that sessions name.
_SHOWN = 16


def content_digest(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str:
    """SHA-256 of the tensors' names, types, shapes and numbers, and of the metadata's texts."""
    import torch

    digest = hashlib.sha256()
    for name, text in sorted(metadata.items()):
        if name not in (DIGEST, BESIDE_DIGEST):
            digest.update(f"{name}={text};".encode())
    for name in sorted(tensors):
        tensor = tensors[name].contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)};".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def weights_digest(path: Path) -> str:
    """16 hexadecimal digits that tell a weights file from every other one.

    Our own files state their digest, and a zip archive (``.pt``) the checksums of its parts: only
    these are read, which takes some milliseconds. Other files are read whole.

    Raises:
        CheckpointError: the file is missing or damaged.
    """
    with reading(path, "a weights file", error=CheckpointError):
        if path.suffix.lower() == ".safetensors":
            with safe_open(path, framework="np") as file:
                stated = (file.metadata() or {}).get(DIGEST)
            if stated is not None:
                return str(stated)[:_SHOWN]
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                parts = [(part.filename, part.CRC, part.file_size) for part in archive.infolist()]
            return hashlib.sha256(repr(parts).encode()).hexdigest()[:_SHOWN]
        with open(path, "rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()[:_SHOWN]
