"""What the fit reads: shards of surface supervision and of rendered views, kept on the device.

Everything stays as compact as it is stored; a batch is gathered and converted where it is used, so
that a GPU is not kept waiting for it. Shards that another process is still writing are picked up
as they appear: training can begin on the first thousand heads.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.anatomy import HAIR, SCLERA
from stylesdf_core.heads.appearance import appearance, iris_tint
from stylesdf_core.heads.fit.view_cache import COVERAGE_SIZE
from stylesdf_core.heads.latent import ATTRIBUTES, IDENTITY_MODES, attribute_values
from stylesdf_core.heads.renderer import BACKGROUND
from stylesdf_core.heads.shards import Arrays, read_shard
from stylesdf_core.heads.supervision import POINT_STEP

#: The numbers of z that mean something; the others are fed as zeros.
USED_LATENTS = IDENTITY_MODES + len(ATTRIBUTES)
#: Standard deviations of the offsets from the surface, world units (2 and 8 mm on the head).
NEAR_STD, WIDE_STD = 0.0015, 0.006
#: Beyond this distance from the surface, world units, colour is the background's.
EMPTY_DISTANCE = 0.015

#: Those of the neutral head's irises and of what is seen of its eyeballs, decimetres.
IRIS_RADIUS, EYE_RADIUS = 0.068, 0.157
#: Where the neutral head's mouth is, and how far around it lips end, decimetres.
MOUTH, MOUTH_RADIUS = (0.0, -0.34, 1.08), 0.3
#: Batches after which the folder is looked at again.
LOOK_EVERY = 50


@dataclass(frozen=True)
class Guidance:
    """What a shader knows of B heads' near points.

    Attributes:
        rest: (B, N, 3), the surface's place on the neutral head, decimetres.
        strands: (B, N, 3), the hair's waves, −1 to 1.
        hair: (B, N, 1), 1 on the hair.
        parts: (B, N, 3), 1 on the left (+x) eyeball, on the right one, and around the mouth.
        catchlight: (B, 1, 3), from the centre of an eye on the neutral head, in radii of an iris.
        iris: (B, 1, 3), its own colour, sRGB in [0, 1].
    """

    rest: Tensor
    strands: Tensor
    hair: Tensor
    parts: Tensor
    catchlight: Tensor
    iris: Tensor

    @property
    def places(self) -> Tensor:
        """As ``rest``, in radii of an iris."""
        return self.rest / IRIS_RADIUS


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
        guidance: None where the heads were prepared without it.
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
    guidance: Guidance | None


@dataclass(frozen=True)
class ViewBatch:
    """Rendered truth of B heads, one view each.

    Attributes:
        rows: (B,), numbers that tell each of them from all other views of this process.
        z: (B, z_dim), unused numbers zero.
        azimuth, elevation: (B,), radians.
        images: (B, 3, S, S) in [−1, 1].
        covered, eyes: (B, 1, 64, 64), shares of each pixel that show the head and its eyeballs; no
            eyeballs where :attr:`HeadBank.knows_eyes` is false.
    """

    rows: Tensor
    z: Tensor
    azimuth: Tensor
    elevation: Tensor
    images: Tensor
    covered: Tensor
    eyes: Tensor

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


def lacks_guidance(folder: Path) -> bool:
    """Whether a folder's heads, if it has any, were prepared without :class:`Guidance`."""
    return _first_lacks(folder / "surface", "rest")


def lacks_eyes(folder: Path) -> bool:
    """Whether a folder's views, if it has any, do not say where eyes are."""
    return _first_lacks(folder / "views", "eyes")


def _first_lacks(folder: Path, name: str) -> bool:
    first = folder / "shard-00000.npz"
    if not first.exists():
        return False
    return name not in read_shard(first)


class HeadBank:
    """Random access to the heads of a data folder.

    Args:
        folder: holds ``surface/shard-*.npz`` (:mod:`stylesdf_core.heads.supervision`) and
            ``views/shard-*.npz`` (:mod:`stylesdf_core.heads.fit.view_cache`).
        held_out: the first this many views are kept for evaluation; surfaces of the same
            indices are not trained on either.
        device: where the heads are kept and batches are made; a few hundred kilobytes a head.

    Raises:
        InputError: when first asked for either: the folder lacks the first shard of it.
    """

    def __init__(
        self, folder: Path, held_out: int = 16, *, device: torch.device | None = None
    ) -> None:
        self._folder = folder
        self._device = device or torch.device("cpu")
        self._held_out = held_out
        self._background = torch.tensor(BACKGROUND, device=self._device)

    def random(self, seed: int) -> torch.Generator:
        """What to draw a step's batch with: on the GPU, where the heads are there."""
        where = self._device if self._device.type == "cuda" else torch.device("cpu")
        return torch.Generator(where).manual_seed(seed)

    @cached_property
    def _surfaces(self) -> _Shards:
        return _Shards(self._folder / "surface", self._device, _looks)

    @cached_property
    def _views(self) -> _Shards:
        return _Shards(self._folder / "views", self._device)

    def points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A random batch; ``near`` and ``space`` points a head."""
        table = self._surfaces.newest()
        row = self._draw(random, self._surfaces.count, heads)[:, None]
        chosen = self._integers(random, 0, table["points"].shape[1], (heads, near))
        free = self._integers(random, 0, table["free_points"].shape[1], (heads, space))
        normal = F.normalize(table["normals"][row, chosen].float(), dim=-1)
        where = random.device
        is_near = torch.rand(heads, near, 1, generator=random, device=where) < 0.5
        distance = torch.randn(heads, near, 1, generator=random, device=where)
        distance = (torch.where(is_near, NEAR_STD, WIDE_STD) * distance).to(self._device)
        surface = table["points"][row, chosen].float() * POINT_STEP
        space_distance = table["free_distance"][row, free].float()[..., None]
        return PointBatch(
            z=_used(table["z"][row[:, 0]]),
            near=surface + distance * normal,
            near_distance=distance,
            near_normal=normal,
            near_color=table["rgb"][row, chosen].float() / 255.0,
            space=table["free_points"][row, free].float() * POINT_STEP,
            space_distance=space_distance,
            empty=(space_distance > EMPTY_DISTANCE).float(),
            background=self._background,
            guidance=_guidance(table, row, chosen) if "rest" in table else None,
        )

    @property
    def guided(self) -> bool:
        """Whether batches of points come with :class:`Guidance`; InputError as above."""
        return "rest" in self._surfaces.newest()

    @property
    def knows_eyes(self) -> bool:
        """Whether views say where eyes are; InputError as above."""
        return "eyes" in self._views.newest()

    def views(self, random: torch.Generator, heads: int) -> ViewBatch:
        """Random views of random heads."""
        table = self._views.newest()
        return _view_batch(table, self._draw(random, self._views.count, heads))

    def held_out(self) -> ViewBatch:
        """The views that are never trained on."""
        table = self._views.newest()
        return _view_batch(table, torch.arange(self._held_out, device=self._device))

    def _draw(self, random: torch.Generator, available: int, count: int) -> Tensor:
        return self._integers(random, self._held_out, available, (count,))

    def _integers(
        self, random: torch.Generator, low: int, high: int, shape: tuple[int, ...]
    ) -> Tensor:
        drawn = torch.randint(low, high, shape, generator=random, device=random.device)
        return drawn.to(self._device)


class _Shards:
    """Shards of one folder as one growing table an array, as they are stored.

    Args:
        derived: more arrays, from those of a shard.

    Attributes:
        count: heads there are; the tables have room for more.
    """

    def __init__(
        self, folder: Path, device: torch.device, derived: Callable[[Arrays], Arrays] | None = None
    ) -> None:
        self._folder, self._device, self._derived = folder, device, derived
        self._tables: dict[str, Tensor] = {}
        self._known: set[str] = set()
        self._asked = 0
        self.count = 0
        if not (folder / "shard-00000.npz").exists():
            raise InputError(
                f"{folder} holds no shard-00000.npz; prepare the heads first (train fit does)."
            )

    def newest(self) -> dict[str, Tensor]:
        """The tables by name, (room, …) each, with what has appeared in the folder of late."""
        if self._asked % LOOK_EVERY == 0:
            files = sorted(self._folder.glob("shard-*.npz"))
            new = [file for file in files if file.name not in self._known]
            for number, file in enumerate(new):
                arrays = read_shard(file)
                if self._derived is not None:
                    arrays |= self._derived(arrays)
                self._append(file, arrays, shards=len(new) - number)
                self._known.add(file.name)
        self._asked += 1
        return self._tables

    def _append(self, file: Path, arrays: Arrays, shards: int) -> None:
        """Add a shard, and make room at once for ``shards`` of its size.

        What the first shard does not have is left out of the others: a folder that an earlier
        version began goes on as it was.
        """
        if missing := sorted(self._tables.keys() - arrays.keys()):
            raise InputError(
                f"{file} lacks {', '.join(missing)}, which the files before it have; delete it, "
                "and it will be made again."
            )
        if self._tables:
            arrays = {name: arrays[name] for name in self._tables}
        first, end = self.count, self.count + len(arrays["z"])
        for name, array in arrays.items():
            values = torch.from_numpy(array)
            table = self._tables.get(name)
            if table is None or len(table) < end:
                # By half at least: while shards appear one by one, not each shall copy them all.
                room = max(first + shards * len(values), first + first // 2)
                grown = values.new_empty((room, *values.shape[1:]), device=self._device)
                if table is not None:
                    grown[:first] = table[:first]
                self._tables[name] = table = grown
            table[first:end] = values.to(self._device)
        self.count = end


def _looks(arrays: Arrays) -> Arrays:
    """Catchlight and iris of each head, as :class:`Guidance` has them, (S, 6) float32."""
    looks = [appearance(attribute_values(z)).uniforms for z in arrays["z"]]
    glints = np.array([look["glint"] for look in looks])
    glints *= EYE_RADIUS / IRIS_RADIUS / np.linalg.norm(glints, axis=1, keepdims=True)
    tints = np.stack([iris_tint(look) for look in looks])
    return {"looks": np.concatenate([glints, tints], axis=1).astype(np.float32)}


def _guidance(table: dict[str, Tensor], row: Tensor, chosen: Tensor) -> Guidance:
    rest, material = table["rest"][row, chosen].float() / 10.0, table["material"][row, chosen]
    eyeball, left = material == SCLERA, rest[..., 0] > 0.0
    mouth = (rest - rest.new_tensor(MOUTH)).norm(dim=-1) < MOUTH_RADIUS
    catchlight, iris = table["looks"][row].split(3, dim=-1)
    return Guidance(
        rest=rest,
        strands=table["strands"][row, chosen].float() / 127.0,
        hair=(material == HAIR).float()[..., None],
        parts=torch.stack([eyeball & left, eyeball & ~left, mouth], dim=-1).float(),
        catchlight=catchlight,
        iris=iris,
    )


def _used(z: Tensor) -> Tensor:
    return torch.cat([z[:, :USED_LATENTS], torch.zeros_like(z[:, USED_LATENTS:])], dim=1)


def _view_batch(table: dict[str, Tensor], rows: Tensor) -> ViewBatch:
    covered = table["covered"][rows].float() / 255.0
    eyes = table["eyes"][rows].float() / 255.0 if "eyes" in table else torch.zeros_like(covered)
    shape = (len(rows), 1, COVERAGE_SIZE, COVERAGE_SIZE)
    return ViewBatch(
        rows=rows,
        z=_used(table["z"][rows]),
        azimuth=table["azimuth"][rows],
        elevation=table["elevation"][rows],
        images=table["images"][rows].float().movedim(-1, 1) / 127.5 - 1.0,
        covered=covered.view(shape),
        eyes=eyes.view(shape),
    )
