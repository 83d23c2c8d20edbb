"""Meshes as assets: fewer triangles, textures, levels of detail, units, a base for printing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from stylesdf_core.dataclass_json import check_finite
from stylesdf_core.errors import InputError
from stylesdf_core.mesh import SUFFIXES, TEXTURED
from stylesdf_core.mesh.files.placement import MeshPlacement, Unit, Up, companions, placement_for
from stylesdf_core.progress import Operation, part
from stylesdf_core.rendering.camera import METRES_PER_UNIT
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.commands.scenes.options.rendering import SurfaceSettings
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.mesh.surface import SurfaceMesh

TEXTURE_EDGES = (512, 1024, 2048, 4096)
_MOST_LODS = 8


@dataclass(frozen=True)
class AssetSettings:
    """How an exported mesh is made ready for other programs."""

    triangles: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N [N …]")] = ()
    """At most so many triangles, 100 or more; without it, all. Several numbers write levels of
    detail: the first into the file of --out, the others beside it as NAME-lod1, NAME-lod2 …"""

    texture: int | None = None
    """Bake textures of this edge, 512, 1024, 2048 or 4096: base colour and, in .glb and .obj, a
    normal map. They take the place of vertex colours. Each level of detail has half the edge of
    the one before, from 512 on."""

    units: Unit | None = None
    """Unit of the file's numbers: m, cm or mm; without it, mm in .stl and .3mf, m in others."""

    up: Up | None = None
    """Axis that points up: y or z; without it, z in .stl and .3mf, y in others. In .glb it is y."""

    metres_per_unit: float = METRES_PER_UNIT
    """Length of a world unit in metres: without it that of the included model, whose heads have
    the size of people; 1 for world coordinates."""

    base: bool = False
    """Put the surface on a flat, closed base, for printing."""

    def __post_init__(self) -> None:
        check_finite(self)
        if self.triangles != tuple(sorted(self.triangles, reverse=True)):
            raise InputError("--triangles must begin with the most triangles.")
        if len(self.triangles) > _MOST_LODS:
            raise InputError(f"--triangles takes at most {_MOST_LODS} numbers.")
        if any(count < 100 for count in self.triangles):
            raise InputError(f"--triangles must be 100 or more, not {self.triangles[-1]}.")
        if self.texture is not None and self.texture not in TEXTURE_EDGES:
            raise InputError(f"--texture must be 512, 1024, 2048 or 4096, not {self.texture}.")

    @property
    def simplifies(self) -> bool:
        """Whether the mesh is not simply that of the grid."""
        return bool(self.triangles) or self.texture is not None

    def placement(self, out: Path, name: str = "") -> MeshPlacement:
        """Unit, axes and name in the file ``out``; without a name, the file's.

        Raises:
            InputError: the file's format cannot hold what is asked for.
        """
        suffix = out.suffix.lower()
        if self.texture is not None and suffix in SUFFIXES and suffix not in TEXTURED:
            raise InputError(
                f"A {suffix} file holds no texture: leave out --texture, or choose one of "
                f"{', '.join(TEXTURED)}."
            )
        return placement_for(
            suffix,
            unit=self.units,
            up=self.up,
            name=name or out.stem,
            metres_per_unit=self.metres_per_unit,
        )

    def files(self, out: Path) -> list[Path]:
        """The mesh file of each level of detail."""
        names = [out.stem, *(f"{out.stem}-lod{level}" for level in range(1, len(self.triangles)))]
        return [out.with_name(name + out.suffix) for name in names]

    def all_files(self, out: Path) -> list[Path]:
        """The mesh files, and the files of their textures beside them."""
        meshes = self.files(out)
        if self.texture is None:
            return meshes
        return meshes + [beside for mesh in meshes for beside in companions(mesh)]


def asset_meshes(
    engine: Engine, scene: Scene, mesh: SurfaceSettings, asset: AssetSettings
) -> Iterator[Operation[SurfaceMesh]]:
    """The meshes of all levels of detail, in world coordinates, as operations to run in order.

    Raises:
        EmptySurfaceError: there is no surface at this level.
        InputError: a library of the extra ``asset`` is not installed.
    """
    from stylesdf_core.mesh.assets.fields import SurfaceFields, on_base
    from stylesdf_core.mesh.assets.libraries import library
    from stylesdf_core.mesh.surface import extract_surface

    if asset.triangles:
        library("fast_simplification", "--triangles")
    if asset.texture is not None:
        library("xatlas", "--texture")
    fields = SurfaceFields(
        engine.sdf(scene), engine.normals(scene), engine.colors(scene), mesh.level
    )
    if asset.base:
        fields = on_base(fields)
    colored = mesh.vertex_colors and asset.texture is None
    surfaces: list[SurfaceMesh] = []

    def full() -> Operation[SurfaceMesh]:
        return extract_surface(
            fields.sdf,
            resolution=mesh.resolution,
            level=mesh.level,
            bounds=fields.bounds,
            normals=None if asset.simplifies else fields.normals,
            colors=fields.colors if colored and not asset.simplifies else None,
            largest_only=mesh.largest_component,
        )

    def level_of_detail(index: int) -> Operation[SurfaceMesh]:
        from stylesdf_core.engine.texturing import bake_textures
        from stylesdf_core.mesh.assets.simplify import simplified

        if not surfaces:
            surfaces.append((yield from part(full(), 0.0, 0.3)))
        if not asset.simplifies:
            return surfaces[0]
        edge = None if asset.texture is None else max(asset.texture >> index, TEXTURE_EDGES[0])
        reduced = yield from part(
            simplified(
                surfaces[0],
                fields,
                triangles=asset.triangles[index] if asset.triangles else None,
                texture_edge=edge,
                vertex_colors=colored,
            ),
            0.3,
            0.5,
        )
        if edge is None:
            return reduced
        return (yield from part(bake_textures(engine, scene, reduced, fields, edge), 0.5, 1.0))

    return (level_of_detail(index) for index in range(max(1, len(asset.triangles))))
