"""Rendering heads in several processes, each with an OpenGL context of its own.

The data set and the fit's shards are made by :func:`each_head`, which calls a function with a
renderer and a head's number.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer
from stylesdf_core.system.processes import in_processes

T = TypeVar("T")


def each_head(
    make: Callable[[HeadRenderer, int], T], facekit: Path, indices: Sequence[int], jobs: int
) -> Generator[T, None, None]:
    """Call ``make`` with a renderer for each head of ``indices``; yields the results in order.

    Closing the generator ends the processes as soon as they have finished their current heads.

    Args:
        make: must be picklable if there is more than one job: a function of a module, a bound
            method of a small object, or a ``partial`` of either; its results too.
        facekit: the face model of all heads.
        jobs: processes, from 1 on; a single job runs in this process.

    Raises:
        InputError: ``facekit`` is no face model.
        GraphicsError: no OpenGL context can be made.
        StyleSDFError: a process died.
    """
    jobs = min(jobs, len(indices))
    if jobs > 1:
        yield from in_processes(partial(_make, make, facekit), indices, jobs)
    elif jobs == 1:
        renderer = HeadRenderer(MorphableModel.load(facekit))
        try:
            for index in indices:
                yield make(renderer, index)
        finally:
            renderer.close()


def _make(make: Callable[[HeadRenderer, int], T], facekit: Path, index: int) -> T:
    return make(_renderer(facekit), index)


@cache
def _renderer(facekit: Path) -> HeadRenderer:
    """The renderer of a process, made by the first task, so that errors reach the caller."""
    return HeadRenderer(MorphableModel.load(facekit))
