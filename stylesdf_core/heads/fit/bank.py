"""Batches for the fit, from prepared heads that are read from shards and kept on the device.

A data folder holds ``surface/shard-*.npz`` (points of the heads' surfaces, written by
:mod:`stylesdf_core.heads.surfaces`) and ``views/shard-*.npz`` (one picture of each head, written
by :mod:`stylesdf_core.heads.fit.views`). The arrays stay on the device in their compact form and
are converted batch by batch, so that a GPU does not wait for the CPU.
"""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TypeAlias
from zipfile import BadZipFile

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.views import COVERAGE_SIZE
from stylesdf_core.heads.person.anatomy import HAIR, SCLERA
from stylesdf_core.heads.person.appearance import appearance, iris_tint
from stylesdf_core.heads.person.latent import ATTRIBUTES, IDENTITY_MODES, attribute_values
from stylesdf_core.heads.rasterizer.renderer import BACKGROUND
from stylesdf_core.heads.shards import Arrays, read_shard, shard_fingerprint, shard_path
from stylesdf_core.heads.surfaces import POINT_STEP
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.rendering.camera import OrbitCamera, focal_length
from stylesdf_core.rendering.rays import Rays, cam2world, make_rays
from stylesdf_core.training.runs.run_data import RunData

SURFACE_ARRAYS = frozenset(
    {
        *("z", "points", "normals", "rgb", "material", "rest", "strands"),
        *("free_points", "free_distance"),
    }
)
VIEW_ARRAYS = frozenset({"z", "azimuth", "elevation", "images", "covered", "eyes"})
#: Count of the first numbers of z, which have a meaning; the other numbers are set to zero.
USED_LATENTS = IDENTITY_MODES + len(ATTRIBUTES)
#: Standard deviations of the offsets from the surface, world units (2 and 8 mm on the head).
NEAR_STD, WIDE_STD = 0.0015, 0.006
#: Beyond this distance from the surface, world units, colour is the background's.
EMPTY_DISTANCE = 0.015
#: Radii of the neutral head's irises and of the visible part of its eyeballs, decimetres.
IRIS_RADIUS, EYE_RADIUS = 0.068, 0.157
#: Middle of the neutral head's mouth, and radius within which the lips lie, decimetres.
MOUTH, MOUTH_RADIUS = (0.0, -0.34, 1.08), 0.3
#: Half opening angle of all views, degrees.
VIEW_FOV = OrbitCamera().fov

#: Arrays by name, (heads, …) each, as the shards store them.
Table: TypeAlias = dict[str, Tensor]


@dataclass(frozen=True)
class ShaderTruth:
    """Values that the shader computes on its way to the colours of B heads' near points.

    Attributes:
        rest: (B, N, 3), the surface's place on the neutral head, decimetres.
        strands: (B, N, 3), the hair's waves, −1 to 1.
        hair: (B, N, 1), 1 on the hair.
        parts: (B, N, 3), 1 on the left (+x) eyeball, on the right one, and around the mouth.
        catchlight: (B, 1, 3), place of the catchlight relative to an eye's centre on the neutral
            head, in iris radii.
        iris: (B, 1, 3), the iris's colour, sRGB in [0, 1].
    """

    rest: Tensor
    strands: Tensor
    hair: Tensor
    parts: Tensor
    catchlight: Tensor
    iris: Tensor

    @property
    def places(self) -> Tensor:
        """``rest`` in iris radii."""
        return self.rest / IRIS_RADIUS


@dataclass(frozen=True)
class PointBatch:
    """Points of B heads.

    Attributes:
        z: (B, z_dim), unused numbers zero.
        near: (B, N, 3), surface points moved along their normals, world.
        near_distance: (B, N, 1), signed length of the move.
        near_normal, near_color: (B, N, 3); colours in [0, 1].
        space: (B, M, 3), uniform in the volume.
        space_distance: (B, M, 1), signed.
        empty: (B, M, 1), 1 where only background is.
        background: (3,), colour in [0, 1].
        shader: the shader's values at the near points.
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
    shader: ShaderTruth


@dataclass(frozen=True)
class ViewBatch:
    """Rendered truth of B heads, one view each.

    Attributes:
        rows: (B,), number of each view, unique in this process.
        z: (B, z_dim), unused numbers zero.
        azimuth, elevation: (B,), radians.
        images: (B, 3, S, S) in [−1, 1].
        covered, eyes: (B, 1, 64, 64), shares of each pixel that show the head and its eyeballs.
    """

    rows: Tensor
    z: Tensor
    azimuth: Tensor
    elevation: Tensor
    images: Tensor
    covered: Tensor
    eyes: Tensor

    def rays(self, size: int) -> Rays:
        """Rays (B, size, size, 3) of the views' cameras."""
        return make_rays(
            cam2world(self.azimuth, self.elevation), focal_length(VIEW_FOV, size), size
        )

    def thumbs(self, size: int) -> Tensor:
        """The images averaged down to (B, 3, size, size)."""
        return F.adaptive_avg_pool2d(self.images, size)

    def coverage(self, size: int) -> Tensor:
        """Shares that show the head, averaged to (B, 1, size, size)."""
        return F.adaptive_avg_pool2d(self.covered, size)

    def outline(self, size: int) -> Tensor:
        """Where coverage changes from a pixel to its neighbours, (B, 1, size, size), 0 to 1."""
        covered = self.coverage(size)
        most, least = F.max_pool2d(covered, 3, 1, 1), -F.max_pool2d(-covered, 3, 1, 1)
        return most - least


def check_folder(folder: Path, generator: GeneratorConfig) -> None:
    """Refuse a data folder of another version, or of other pictures, before hours of work.

    Raises:
        InputError: names the file and the arrays that it lacks, or the pictures' size.
    """
    for kind, names in (("surface", SURFACE_ARRAYS), ("views", VIEW_ARRAYS)):
        for file in sorted((folder / kind).glob("shard-*.npz")):
            # Only the names are read here. A damaged file is refused when its arrays are read.
            with suppress(OSError, ValueError, BadZipFile), np.load(file) as stored:
                _check_names(file, stored.files, names)
    first, size = shard_path(folder / "views", 0), generator.output_size
    if generator.has_image and first.exists():
        edge = read_shard(first)["images"].shape[1]
        if edge != size:
            raise InputError(
                f"{folder} holds pictures of {edge}² pixels, but generator.output_size is {size}; "
                "give their size, or another folder."
            )


def heads_in(folder: Path) -> RunData:
    """The record, in a run's folder, of the heads in a data folder."""
    marks = {kind: shard_fingerprint(folder / kind) for kind in ("surface", "views")}
    known = tuple((kind, mark) for kind, mark in marks.items() if mark is not None)
    return RunData("heads", known)


def _check_names(file: Path, found: Collection[str], wanted: Collection[str]) -> None:
    if missing := sorted(set(wanted) - set(found)):
        raise InputError(
            f"{file} lacks {', '.join(missing)}, since another version wrote it; delete it to have "
            "it made again, or choose another folder."
        )


class HeadBank:
    """Random access to the heads of a data folder.

    Batches are drawn by generators on the device of the heads.

    Args:
        folder: the data folder.
        held_out: number of heads, the first ones, that are kept for evaluation.
        device: where the heads are kept (a few hundred kilobytes each) and batches are made.

    Raises:
        InputError: at the first batch, if the folder lacks the first shard or a shard lacks arrays.
    """

    def __init__(
        self, folder: Path, held_out: int = 16, *, device: torch.device | None = None
    ) -> None:
        self._folder, self._held_out = folder, held_out
        self.device = device or torch.device("cpu")
        self._background = torch.tensor(BACKGROUND, device=self.device)

    @cached_property
    def _surfaces(self) -> Table:
        arrays = _read_shards(self._folder / "surface", SURFACE_ARRAYS)
        return self._table({**arrays, "eyes": _eyes(arrays["z"])})

    @cached_property
    def _views(self) -> Table:
        return self._table(_read_shards(self._folder / "views", VIEW_ARRAYS))

    def _table(self, arrays: Arrays) -> Table:
        return {name: torch.from_numpy(array).to(self.device) for name, array in arrays.items()}

    def points(self, random: torch.Generator, heads: int, near: int, space: int) -> PointBatch:
        """A random batch with ``near`` and ``space`` points of each head."""
        table = self._surfaces
        row = self._draw(random, table, heads)[:, None]
        chosen = self._integers(random, 0, table["points"].shape[1], (heads, near))
        free = self._integers(random, 0, table["free_points"].shape[1], (heads, space))
        normal = F.normalize(table["normals"][row, chosen].float(), dim=-1)
        where = random.device
        is_near = torch.rand(heads, near, 1, generator=random, device=where) < 0.5
        distance = torch.randn(heads, near, 1, generator=random, device=where)
        distance = (torch.where(is_near, NEAR_STD, WIDE_STD) * distance).to(self.device)
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
            shader=_shader_truth(table, row, chosen),
        )

    def views(self, random: torch.Generator, heads: int) -> ViewBatch:
        """Random views of random heads."""
        table = self._views
        return _view_batch(table, self._draw(random, table, heads))

    def held_out(self) -> ViewBatch:
        """The views that are never trained on."""
        table = self._views
        return _view_batch(table, torch.arange(self._held_out, device=self.device))

    def _draw(self, random: torch.Generator, table: Table, count: int) -> Tensor:
        return self._integers(random, self._held_out, len(table["z"]), (count,))

    def _integers(
        self, random: torch.Generator, low: int, high: int, shape: tuple[int, ...]
    ) -> Tensor:
        drawn = torch.randint(low, high, shape, generator=random, device=random.device)
        return drawn.to(self.device)


def _read_shards(folder: Path, names: Collection[str]) -> Arrays:
    """The arrays of these names from all shards of a folder."""
    files = sorted(folder.glob("shard-*.npz"))
    if not files:
        raise InputError(
            f"{folder} holds no shard-00000.npz, so no prepared heads; give --heads.facekit to "
            "prepare them."
        )
    shards = []
    for file in files:
        arrays = read_shard(file)
        _check_names(file, arrays, names)
        shards.append({name: arrays[name] for name in names})
    # One array after the other, so that memory holds only one of them twice.
    return {name: np.concatenate([shard.pop(name) for shard in shards]) for name in names}


def _eyes(z: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Catchlight and iris (heads, 6) of each head as in :class:`ShaderTruth`."""
    uniforms = [appearance(attribute_values(row)).uniforms for row in z]
    glints = np.array([look["glint"] for look in uniforms])
    glints *= EYE_RADIUS / IRIS_RADIUS / np.linalg.norm(glints, axis=1, keepdims=True)
    tints = np.stack([iris_tint(look) for look in uniforms])
    return np.concatenate([glints, tints], axis=1).astype(np.float32)


def _shader_truth(table: Table, row: Tensor, chosen: Tensor) -> ShaderTruth:
    rest, material = table["rest"][row, chosen].float() / 10.0, table["material"][row, chosen]
    eyeball, left = material == SCLERA, rest[..., 0] > 0.0
    mouth = (rest - rest.new_tensor(MOUTH)).norm(dim=-1) < MOUTH_RADIUS
    catchlight, iris = table["eyes"][row].split(3, dim=-1)
    return ShaderTruth(
        rest=rest,
        strands=table["strands"][row, chosen].float() / 127.0,
        hair=(material == HAIR).float()[..., None],
        parts=torch.stack([eyeball & left, eyeball & ~left, mouth], dim=-1).float(),
        catchlight=catchlight,
        iris=iris,
    )


def _used(z: Tensor) -> Tensor:
    return torch.cat([z[:, :USED_LATENTS], torch.zeros_like(z[:, USED_LATENTS:])], dim=1)


def _view_batch(table: Table, rows: Tensor) -> ViewBatch:
    shape = (len(rows), 1, COVERAGE_SIZE, COVERAGE_SIZE)
    return ViewBatch(
        rows=rows,
        z=_used(table["z"][rows]),
        azimuth=table["azimuth"][rows],
        elevation=table["elevation"][rows],
        images=table["images"][rows].float().movedim(-1, 1) / 127.5 - 1.0,
        covered=(table["covered"][rows].float() / 255.0).view(shape),
        eyes=(table["eyes"][rows].float() / 255.0).view(shape),
    )
