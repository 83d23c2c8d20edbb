"""Shard files: a fit's training data, a hundred heads in each file, resumable.

Surface samples (:mod:`stylesdf_core.heads.surfaces`) and rendered views
(:mod:`stylesdf_core.heads.fit.views`) are made head by head, stacked, and written here as
``shard-00000.npz``, ``shard-00001.npz`` …; the fit reads the shards while it trains.
"""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.rasterizer.renderer import LOOKS, HeadRenderer
from stylesdf_core.heads.workers import each_head
from stylesdf_core.progress import Operation, Progress

#: Arrays by name: of one head, or of a shard, where their first axis counts heads.
Arrays = dict[str, npt.NDArray[Any]]

#: Heads in one file.
SHARD_SIZE = 100


def fill_shards(
    out: Path,
    settings: Mapping[str, Any],
    make: Callable[[HeadRenderer, int], Arrays],
    *,
    facekit: Path,
    count: int,
    shard_size: int,
    jobs: int,
    message: str,
) -> Operation[Path]:
    """Write the shards of ``count`` heads that ``out`` lacks; ``count`` is rounded up to shards.

    An interruption loses the heads of the unfinished shard only.

    Args:
        settings: settings of all shards of the folder; stored in ``cache.json``, beside the
            fingerprint of the face model and the version of hair, colours and light.
        make: returns the arrays of head i as they are stored; see
            :func:`~stylesdf_core.heads.workers.each_head`.
        jobs: processes that render.
        message: text of the progress, which counts heads.

    Raises:
        InputError: ``out`` holds shards of other settings, or ``facekit`` is no face model.
        GraphicsError: no OpenGL context can be made.
        StyleSDFError: a process died.
    """
    out.mkdir(parents=True, exist_ok=True)
    shards = range(-(-count // shard_size))
    missing = [shard for shard in shards if not shard_path(out, shard).exists()]
    settings = {**settings, "shard_size": shard_size, "looks": LOOKS}
    if missing:  # a complete folder needs no face model
        settings["model"] = MorphableModel.load(facekit).fingerprint
    description = out / "cache.json"
    if description.exists():
        with reading(description, "the description of a folder of shards"):
            known = dict(read_json(description))
        if any(known.get(name) != value for name, value in settings.items()):
            raise InputError(
                f"{out} holds heads of other settings ({description.name} lists them); choose "
                "another folder."
            )
    else:
        write_json(description, settings)
    indices = [shard * shard_size + row for shard in missing for row in range(shard_size)]
    heads: list[Arrays] = []
    with closing(each_head(make, facekit, indices, jobs)) as made:
        for done, head in enumerate(made, start=1):
            heads.append(head)
            if len(heads) == shard_size:
                stacked = {name: np.stack([arrays[name] for arrays in heads]) for name in head}
                write_shard(shard_path(out, missing[(done - 1) // shard_size]), stacked)
                heads = []
            yield Progress(done, len(indices), message)
    return out


def shard_path(folder: Path, shard: int) -> Path:
    """File of shard number ``shard``."""
    return folder / f"shard-{shard:05d}.npz"


def write_shard(path: Path, arrays: Mapping[str, Any]) -> None:
    """Write the arrays of one shard."""
    # No allow_pickle argument: numpy 1.26 would store the argument as an array of that name.
    with atomic_output(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **arrays)


def shard_fingerprint(folder: Path) -> str | None:
    """16 hexadecimal digits by which a folder's heads are recognised; None without a first shard.

    The digits depend on the arrays of the first shard, by the checksums in the file. More shards
    leave them as they are.

    Raises:
        InputError: the first shard is damaged.
    """
    path = shard_path(folder, 0)
    if not path.exists():
        return None
    with _reading(path), zipfile.ZipFile(path) as archive:
        parts = sorted((part.filename, part.CRC) for part in archive.infolist())
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def read_shard(path: Path) -> Arrays:
    """The arrays of one shard as they are stored.

    Arrays without axes are left out, since numpy 1.26 stored a flag ``allow_pickle`` in shards.

    Raises:
        InputError: the file is damaged, or its arrays do not count the same heads; names the file.
    """
    with (
        _reading(path),
        open(path, "rb") as stream,
        np.load(stream, allow_pickle=False) as stored,
    ):
        arrays = {name: array for name, array in stored.items() if array.ndim}
        heads = len(arrays["z"])
        if odd := [name for name, array in arrays.items() if len(array) != heads]:
            raise ValueError(f"{', '.join(odd)} should hold {heads} heads, as z does")
    return arrays


def _reading(path: Path) -> AbstractContextManager[None]:
    return reading(path, "a shard of heads", advice="Delete it, and it will be made again.")
