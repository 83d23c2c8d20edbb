"""Where a mesh file puts a mesh: unit of length, axes, name, and the files of its textures."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np

from stylesdf_core.errors import InputError
from stylesdf_core.rendering.camera import METRES_PER_UNIT

if TYPE_CHECKING:
    from stylesdf_core.mesh.surface import SurfaceMesh

Unit: TypeAlias = Literal["m", "cm", "mm"]
Up: TypeAlias = Literal["y", "z"]

_PER_METRE: dict[Unit, float] = {"m": 1.0, "cm": 100.0, "mm": 1000.0}
#: Formats of 3D printers: slicers count millimetres and stand things on the plane z = 0.
_PRINTED = (".stl", ".3mf")
#: Control characters, and what stands for bytes of a file's name that are no UTF-8.
_NO_TEXT = r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]"


@dataclass(frozen=True)
class MeshPlacement:
    """How world coordinates become a file's.

    Attributes:
        unit: unit of the file's numbers.
        up: axis that points up. The face looks along +z if that is y, along −y if it is z.
        name: of the object in the file; no control characters.
        metres_per_unit: length of a world unit, above 0.

    Raises:
        InputError: a value is out of range.
    """

    unit: Unit
    up: Up
    name: str = "head"
    metres_per_unit: float = METRES_PER_UNIT

    def __post_init__(self) -> None:
        if not 1e-6 <= self.metres_per_unit <= 1e6:
            raise InputError(
                "metres_per_unit, the length of a world unit in metres, must lie between 1e-6 and "
                f"1e6, not {self.metres_per_unit:g}."
            )
        if re.search(_NO_TEXT, self.name):
            raise InputError(
                f"The name {self.name!r} cannot stand in a mesh file, since it holds control "
                "characters or bytes that are no text; choose another."
            )

    @property
    def scale(self) -> float:
        """The file's units in a world unit."""
        return self.metres_per_unit * _PER_METRE[self.unit]

    def apply(self, mesh: SurfaceMesh) -> SurfaceMesh:
        """The mesh in the file's coordinates."""
        turned = [mesh.vertices, mesh.normals]
        if self.up == "z":
            turned = [np.stack([v[:, 0], -v[:, 2], v[:, 1]], axis=1) for v in turned]
        return replace(mesh, vertices=turned[0] * np.float32(self.scale), normals=turned[1])

    def __str__(self) -> str:
        return f"unit {self.unit}, {self.up} up"


def placement_for(
    suffix: str,
    *,
    unit: Unit | None = None,
    up: Up | None = None,
    name: str = "head",
    metres_per_unit: float = METRES_PER_UNIT,
) -> MeshPlacement:
    """The placement in a format, by default as its readers take it.

    Args:
        suffix: in small letters, such as ``.glb``.
        unit: None for millimetres in STL and 3MF, metres in others.
        up: None for z in STL and 3MF, y in others.

    Raises:
        InputError: glTF with z up, which the format does not know.
    """
    printed = suffix in _PRINTED
    if suffix == ".glb" and up == "z":
        raise InputError("In GLB y points up, always: leave out --up z, or choose another format.")
    return MeshPlacement(
        unit or ("mm" if printed else "m"), up or ("z" if printed else "y"), name, metres_per_unit
    )


def companions(path: Path) -> list[Path]:
    """The files beside the mesh file ``path`` that hold its textures."""
    names = {
        ".obj": [f"{path.stem}.mtl", color_name(path), normal_name(path)],
        ".ply": [color_name(path)],
    }
    return [path.with_name(name) for name in names.get(path.suffix.lower(), [])]


def color_name(path: Path) -> str:
    """Name of the picture beside a mesh file that holds its base colour."""
    return f"{path.stem}-basecolor.png"


def normal_name(path: Path) -> str:
    """Name of the picture beside a mesh file that holds its normal map."""
    return f"{path.stem}-normalmap.png"
