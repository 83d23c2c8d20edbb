"""What a fit learns from, a hundred heads a file: ``shard-00000.npz``, ``shard-00001.npz`` …"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.heads.renderer import HeadRenderer
from stylesdf_core.heads.workers import each_head
from stylesdf_core.progress import Operation, Progress

T = TypeVar("T")

#: Heads in one file.
SHARD_SIZE = 100


def fill_shards(
    out: Path,
    settings: Mapping[str, Any],
    make: Callable[[HeadRenderer, int], T],
    pack: Callable[[Sequence[T]], dict[str, npt.NDArray[Any]]],
    *,
    facekit: Path,
    count: int,
    shard_size: int,
    jobs: int,
    message: str,
) -> Operation[Path]:
    """Write the shards that ``out`` lacks of ``count`` heads; whoever breaks off loses one.

    Args:
        settings: that all shards of the folder share; kept in ``cache.json``.
        make: what there is to keep of head i; see
            :func:`~stylesdf_core.heads.workers.each_head`.
        pack: the arrays of one shard.
        jobs: processes that render.
        message: of the progress, in heads.

    Raises:
        InputError: ``out`` holds shards of other settings, or ``facekit`` is no face model.
        GraphicsError: no OpenGL context can be made.
        StyleSDFError: a process died.
    """
    settings = {**settings, "shard_size": shard_size}
    out.mkdir(parents=True, exist_ok=True)
    description = out / "cache.json"
    if description.exists():
        if json.loads(description.read_text(encoding="utf-8")) != settings:
            raise InputError(f"{out} holds heads of other settings; choose another folder.")
    else:
        write_json(description, settings)
    shards = range(-(-count // shard_size))
    missing = [shard for shard in shards if not shard_path(out, shard).exists()]
    heads = [shard * shard_size + row for shard in missing for row in range(shard_size)]
    rows: list[T] = []
    with closing(each_head(make, facekit, heads, jobs)) as made:
        for done, row in enumerate(made, start=1):
            rows.append(row)
            if len(rows) == shard_size:
                shard = missing[(done - 1) // shard_size]
                with atomic_output(shard_path(out, shard)) as file, open(file, "wb") as stream:
                    np.savez(stream, allow_pickle=False, **pack(rows))
                rows = []
            yield Progress(done, len(heads), message)
    return out


def shard_path(folder: Path, shard: int) -> Path:
    """File of shard number ``shard``."""
    return folder / f"shard-{shard:05d}.npz"
