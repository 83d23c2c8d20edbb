"""What the fit reads: shards of surface supervision and of rendered views, kept in memory.

Shards that another process is still writing are picked up as they appear, so that training can
begin on the first thousand heads.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.latent import ATTRIBUTES, IDENTITY_MODES
from stylesdf_core.heads.renderer import BACKGROUND
from stylesdf_core.heads.supervision import POINT_STEP
from stylesdf_core.training.view_cache import COVERAGE_SIZE

#: The numbers of z that mean something; the others are fed as zeros.
USED_LATENTS = IDENTITY_MODES + len(ATTRIBUTES)
#: Standard deviations of the offsets from the surface, world units (2 and 8 mm on the head).
NEAR_STD, WIDE_STD = 0.0015, 0.006
#: Beyond this distance from the surface, world units, colour is the background's.
EMPTY_DISTANCE = 0.015

_Arrays = dict[str, npt.NDArray[np.generic]]


@dataclass(frozen=True)
class _Row:
    """A head: row ``index`` of a shard's arrays."""

    name: str
    shard: _Arrays
    index: int


@dataclass(frozen=True)
class PointBatch:
    """Points of B heads.

    Attributes:
        z: (B, z_dim), unused numbers zero.
        near: (B, N, 3), surface points moved along their normals, world.
        near_distance: (B, N, 1), by how much.
        near_normal, near_color: (B, N, 3); colours in [0, 1].
        space: (B, M, 3), uniform in the volume.
        space_distance: (B, M, 1), signed.
        empty: (B, M, 1), 1 where only background is.
        background: (3,), colour in [0, 1].
    """

    z: Tensor
    near: Tensor
    near_distance: Tensor
    near_normal: Tensor
    near_color: Tensor
    space: Tensor
    space_distance: Tensor
    empty: Tensor
    background: Tensor

    def to(self, device: torch.device) -> PointBatch:
        """The same on a device."""
        return replace(self, **{name: value.to(device) for name, value in vars(self).items()})


@dataclass(frozen=True)
class ViewBatch:
    """Rendered truth of B heads, one view each.

    Attributes:
        names: what tells each of them from all other views of the folder.
        z: (B, z_dim), unused numbers zero.
        azimuth, elevation: (B,), radians.
        images: (B, 3, S, S) in [−1, 1].
        covered: (B, 1, 64, 64), share of each pixel that the head covers.
    """

    names: tuple[str, ...]
    z: Tensor
    azimuth: Tensor
    elevation: Tensor
    images: Tensor
    covered: Tensor

    def to(self, device: torch.device) -> ViewBatch:
        """The same on a device."""
        tensors = {name: value for name, value in vars(self).items() if name != "names"}
        return replace(self, **{name: value.to(device) for name, value in tensors.items()})

    def thumbs(self, size: int) -> Tensor:
        """The images averaged down to (B, 3, size, size)."""
        return F.adaptive_avg_pool2d(self.images, size)

    def coverage(self, size: int) -> Tensor:
        """Coverage averaged to (B, 1, size, size)."""
        return F.adaptive_avg_pool2d(self.covered, size)

    def outline(self, size: int) -> Tensor:
        """Where coverage changes from a pixel to its neighbours, (B, 1, size, size), 0 to 1."""
        covered = self.coverage(size)
        most, least = F.max_pool2d(covered, 3, 1, 1), -F.max_pool2d(-covered, 3, 1, 1)
        return most - least


class HeadBank:
    """Random access to the heads of a data folder.

    Args:
        folder: holds ``surface/shard-*.npz`` (:mod:`stylesdf_core.heads.supervision`) and
            ``views/shard-*.npz`` (:mod:`stylesdf_core.training.view_cache`).
        held_out: the first this many views are kept for evaluation; surfaces of the same
            indices are not trained on either.
        device: where batches go.

    Raises:
        InputError: when first asked for either: the folder lacks the first shard of it.
    """

    def __init__(
        self, folder: Path, held_out: int = 16, *, device: torch.device | None = None
    ) -> None:
        self._folder = folder
        self._device = device or torch.device("cpu")
        self._held_out = held_out
        self._background = torch.tensor(BACKGROUND)

    @cached_property
    def _surfaces(self) -> _Shards:
        return _Shards(self._folder / "surface", self._held_out)

    @cached_property
    def _views(self) -> _Shards:
        return _Shards(self._folder / "views", self._held_out)

    def points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A random batch; ``near`` and ``space`` points a head."""
        z, points, normals, rgb = [], [], [], []
        free, free_distance = [], []
        for row in self._surfaces.draw(random, heads):
            shard, head = row.shard, row.index
            z.append(shard["z"][head])
            chosen = _choose(random, shard["points"].shape[1], near)
            points.append(shard["points"][head, chosen])
            normals.append(shard["normals"][head, chosen])
            rgb.append(shard["rgb"][head, chosen])
            chosen = _choose(random, shard["free_points"].shape[1], space)
            free.append(shard["free_points"][head, chosen])
            free_distance.append(shard["free_distance"][head, chosen])
        normal = F.normalize(_stack(normals), dim=-1)
        std = torch.where(torch.rand(heads, near, 1, generator=random) < 0.5, NEAR_STD, WIDE_STD)
        distance = std * torch.randn(heads, near, 1, generator=random)
        space_distance = _stack(free_distance)[..., None]
        return PointBatch(
            z=_used(_stack(z)),
            near=_stack(points) * POINT_STEP + distance * normal,
            near_distance=distance,
            near_normal=normal,
            near_color=_stack(rgb) / 255.0,
            space=_stack(free) * POINT_STEP,
            space_distance=space_distance,
            empty=(space_distance > EMPTY_DISTANCE).float(),
            background=self._background,
        ).to(self._device)

    def views(self, random: torch.Generator, heads: int) -> ViewBatch:
        """Random views of random heads."""
        return _view_batch(self._views.draw(random, heads)).to(self._device)

    def held_out(self) -> ViewBatch:
        """The views that are never trained on."""
        return _view_batch(self._views.first(self._held_out)).to(self._device)


class _Shards:
    """Shards of one folder, loaded as they appear and kept as they are stored."""

    def __init__(self, folder: Path, held_out: int) -> None:
        self._folder = folder
        self._held_out = held_out
        self._shards: dict[str, _Arrays] = {}
        self._draws = 0
        self._look()
        if "shard-00000.npz" not in self._shards:
            raise InputError(
                f"{folder} holds no shard-00000.npz; prepare the heads first (train fit does)."
            )

    def _look(self) -> None:
        for file in sorted(self._folder.glob("shard-*.npz")):
            if file.name not in self._shards:
                with np.load(file, allow_pickle=False) as arrays:
                    self._shards[file.name] = dict(arrays)

    def draw(self, random: torch.Generator, count: int) -> list[_Row]:
        """Random heads that are not held out."""
        if self._draws % 500 == 0:
            self._look()
        self._draws += 1
        names = sorted(self._shards)
        sizes = np.array([len(self._shards[name]["z"]) for name in names])
        ends = np.cumsum(sizes)
        numbers = torch.randint(self._held_out, int(ends[-1]), (count,), generator=random).numpy()
        which = np.searchsorted(ends, numbers, side="right")
        return [
            self._row(names[i], int(number - ends[i] + sizes[i]))
            for i, number in zip(which, numbers, strict=True)
        ]

    def first(self, count: int) -> list[_Row]:
        """The first heads of the first shard."""
        return [self._row("shard-00000.npz", index) for index in range(count)]

    def _row(self, name: str, index: int) -> _Row:
        return _Row(f"{name}:{index}", self._shards[name], index)


def _choose(random: torch.Generator, available: int, count: int) -> npt.NDArray[np.int64]:
    chosen: npt.NDArray[np.int64] = torch.randint(available, (count,), generator=random).numpy()
    return chosen


def _stack(arrays: list[npt.NDArray[np.generic]]) -> Tensor:
    return torch.from_numpy(np.stack(arrays)).float()


def _used(z: Tensor) -> Tensor:
    return torch.cat([z[:, :USED_LATENTS], torch.zeros_like(z[:, USED_LATENTS:])], dim=1)


def _view_batch(heads: list[_Row]) -> ViewBatch:
    def stacked(name: str) -> Tensor:
        return _stack([row.shard[name][row.index] for row in heads])

    return ViewBatch(
        names=tuple(row.name for row in heads),
        z=_used(stacked("z")),
        azimuth=stacked("azimuth"),
        elevation=stacked("elevation"),
        images=stacked("images").movedim(-1, 1) / 127.5 - 1.0,
        covered=stacked("covered").view(len(heads), 1, COVERAGE_SIZE, COVERAGE_SIZE) / 255.0,
    )
