"""`stylesdf-studio batch`: pictures and meshes of many faces in one process, and a table of them.

Each file is made by the request that makes it alone, :class:`.pictures.RenderImage` or
:class:`.meshes.ExportMesh`, on one engine. A batch that is started again reads its table
(:mod:`.batch_table`): files that are there and whole are skipped, and the others are made.
"""

from __future__ import annotations

import json
import string
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, get_args

import numpy as np
import tyro
from PIL import Image

from stylesdf_core.commands.scenes.batch_table import TABLE, BatchFile, BatchTable
from stylesdf_core.commands.scenes.depth_files import scale_path
from stylesdf_core.commands.scenes.meshes import AssetFlags, ExportedMesh, ExportMesh
from stylesdf_core.commands.scenes.options.assets import AssetSettings
from stylesdf_core.commands.scenes.options.rendering import (
    SceneRenderer,
    SurfaceSettings,
    shared_fields,
)
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags, SeedsFlag, seeds_of
from stylesdf_core.commands.scenes.pictures import ImageOptions, RenderImage
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import BatchError, GraphicsError, InputError, OutputError, StyleSDFError
from stylesdf_core.foreign import brief
from stylesdf_core.mesh import SUFFIXES, TEXTURED
from stylesdf_core.model.model_zoo import short_name
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import signed

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine

_LISTED = 8  # ranges of seeds that the last message names

Family = Literal["pictures", "meshes"]


@dataclass(frozen=True)
class BatchKinds:
    """The files that a batch makes of each face."""

    png: bool = False
    """Make a picture of each face, as PNG."""

    webp: bool = False
    """Make a picture of each face, as WebP without loss."""

    npy: bool = False
    """Make an array of each face's view, as `render` does."""

    obj: bool = False
    """Make a mesh of each face, as OBJ."""

    ply: bool = False
    """Make a mesh of each face, as PLY."""

    glb: bool = False
    """Make a mesh of each face, as GLB."""

    stl: bool = False
    """Make a mesh of each face, as STL."""

    three_mf: Annotated[bool, tyro.conf.arg(name="3mf")] = False
    """Make a mesh of each face, as 3MF."""

    @property
    def suffixes(self) -> list[str]:
        """The suffixes of the files, in the order of the fields."""
        names = [item.name for item in fields(self) if getattr(self, item.name)]
        return [f".{name.replace('three_', '3')}" for name in names]


KindFlags: TypeAlias = Annotated[BatchKinds, tyro.conf.arg(name="")]


@dataclass(frozen=True)
class BatchReport:
    """What a batch did; as text, one sentence for each outcome.

    Attributes:
        made, skipped: files made, and files that were there already.
    """

    folder: Path
    made: tuple[BatchFile, ...]
    skipped: tuple[BatchFile, ...]

    @property
    def summary(self) -> str:
        """How many files were made and skipped."""
        skipped = f", {_files(len(self.skipped))} skipped" if self.skipped else ""
        return f"{_files(len(self.made))} made{skipped}"

    def __str__(self) -> str:
        lines = [f"{self.folder}\n{_files(len(self.made))} made, listed in {TABLE} and batch.csv."]
        if self.skipped:
            lines.append(
                f"{_files(len(self.skipped))} skipped, made before: seeds {_ranges(self.skipped)}."
            )
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class Batch(ImageOptions):
    """Make pictures and meshes of many faces, and a table of them.

    Started again, it makes only the files that are not there yet. A face that fails does not end
    the batch; the exit status is then 1.
    """

    out: Path
    """Folder, made if missing; it gets the tables batch.json and batch.csv as well."""

    seeds: SeedsFlag
    """Faces: seeds and ranges, such as 0-99,120. All else of a face, such as --set, is common."""

    kinds: KindFlags = field(default_factory=BatchKinds)

    name: str = "{model}-{seed:06d}"
    """File names without suffix, of {seed}, {model} and {view}; {seed:04d} writes four digits."""

    again: bool = False
    """Make all files anew, also those that are there or were made with other settings."""

    asset: AssetFlags = field(default_factory=AssetSettings)

    scene: SceneFlags = field(default_factory=Scene)

    def run(self) -> Operation[BatchReport]:
        """Make the files; the result says what was made and what was skipped.

        Raises:
            InputError: a setting cannot be used, or the folder holds files of another batch.
            BatchError: some files could not be made; all others are there.
        """
        suffixes, seeds = self.kinds.suffixes, self.check()
        yield Progress(0, 1, "looking at the files that are there")
        table = BatchTable(self.out)
        current = {family: table.setting(self._settings(family)) for family in get_args(Family)}
        wanted = [
            BatchFile(seed, self._file(seed, suffix), settings=current[_family(suffix)])
            for seed in seeds
            for suffix in suffixes
        ]
        todo = wanted if self.again else table.missing(wanted)
        made = yield from self._make(table, todo)
        failed = [line for line in made if line.state == "failed"]
        skipped = len(wanted) - len(todo)
        if failed:
            raise BatchError(_failures(failed, len(made) - len(failed), skipped, self.out))
        left_out = {line.file for line in todo}
        return BatchReport(
            self.out, made, tuple(line for line in wanted if line.file not in left_out)
        )

    def check(self) -> tuple[int, ...]:
        """Refuse what cannot be made; returns the seeds.

        Raises:
            InputError: a setting cannot be used.
        """
        suffixes, seeds = self.kinds.suffixes, seeds_of(self.seeds)
        if not suffixes:
            raise InputError("Say what to make of each face: --png, --glb …; see --help.")
        if len({self._file(seed, "").lower() for seed in seeds}) < len(seeds):
            raise InputError(f"--name {self.name} gives two faces one name: it needs {{seed}}.")
        for suffix in suffixes:
            self._request(seeds[0], suffix).check()
        return seeds

    @property
    def faces(self) -> int:
        """How many faces the seeds are."""
        return len(seeds_of(self.seeds))

    def _make(
        self, table: BatchTable, todo: Sequence[BatchFile]
    ) -> Operation[tuple[BatchFile, ...]]:
        """Make files one after the other, and keep the table up to date."""
        from stylesdf_core.engine.engine import Engine

        count, done = len(todo), list[BatchFile]()
        if not todo:
            return ()
        yield Progress(0, count, "loading the model")
        with ExitStack() as stack:
            renderer = stack.enter_context(self.renderer(self.scene.model))
            exact = renderer.engine
            if self.fast:
                exact = Engine(exact.model, self.device, exact=True)
            face = self._face(todo[0].seed)
            exact.reproducibly(lambda: exact.mapper.styles(face))  # refuses an unknown direction
            stack.enter_context(table.kept(todo))
            for index, line in enumerate(todo):
                yield Progress(index, count, f"{line.file}, {index + 1} of {count}")
                request = self._request(line.seed, Path(line.file).suffix)
                work = _write(request, renderer, exact)
                start = time.monotonic()
                try:
                    facts = yield from part(work, index, index + 1, count, f"{line.file}: ")
                    outcome: dict[str, Any] = {"state": "made", **facts}
                except (OutputError, GraphicsError):
                    raise  # of the folder or the machine, not of the face
                except Exception as error:
                    known = isinstance(error, StyleSDFError)
                    reason = str(error) if known else f"{type(error).__name__}: {error}"
                    outcome = {"state": "failed", "error": brief(reason)}
                outcome["seconds"] = round(time.monotonic() - start, 2)
                done.append(replace(line, **outcome))
                table.put(done[-1])
        return tuple(done)

    def _face(self, seed: int) -> Scene:
        return replace(self.scene, identity=Identity(seed, None, self.scene.identity.edits))

    def _request(self, seed: int, suffix: str) -> RenderImage | ExportMesh:
        """The request that makes one file."""
        face: dict[str, Any] = {"scene": self._face(seed), "device": self.device}
        face["out"] = self.out / self._file(seed, suffix)
        shares = [_family(other) for other in self.kinds.suffixes].count(_family(suffix)) > 1
        if _family(suffix) == "meshes":
            asset = self.asset
            if shares and suffix not in TEXTURED:  # the others have the texture
                asset = replace(asset, texture=None)
            return ExportMesh(**(shared_fields(SurfaceSettings, self.mesh) | face), asset=asset)
        options = shared_fields(ImageOptions, self)
        if shares and suffix == ".npy":  # the others have the background
            options["background"] = "model"
        return RenderImage(**(options | face))

    def _file(self, seed: int, suffix: str) -> str:
        """Name of a file.

        Raises:
            InputError: ``name`` is no template, or its result is no file name.
        """
        values = {"seed": seed, "model": short_name(self.scene.model), "view": self.view}
        try:
            named = {name for _, name, _, _ in string.Formatter().parse(self.name)} - {None}
            if not named <= set(values):
                raise ValueError
            stem = self.name.format(**values)
        except (ValueError, IndexError):
            raise InputError(
                f"--name takes a file name with {{seed}}, {{model}} and {{view}}, such as "
                f"{{model}}-{{seed:04d}}, not {brief(repr(self.name))}."
            ) from None
        if not stem.strip(". ") or any(c in stem for c in '/\\:*?"<>|\0'):
            raise InputError(f"--name gives {stem!r}, which is no file name on every system.")
        return stem + suffix

    def _settings(self, family: Family) -> dict[str, Any]:
        """All on which the contents of a family's files depend but the seed, as JSON values."""
        scene = json.loads(signed(self._face(0)).to_json())
        if family == "meshes":
            surface = to_json(SurfaceSettings(**shared_fields(SurfaceSettings, self.mesh)))
            return {"family": family, "scene": scene, "mesh": surface, "asset": to_json(self.asset)}
        options = to_json(ImageOptions(**shared_fields(ImageOptions, self)))
        for name in ("out", "device"):
            del options[name]
        if self.view not in ("mesh", "slice") and not self.split:
            del options["mesh"]
        return {"family": family, "scene": scene, **options}


def _family(suffix: str) -> Family:
    return "meshes" if suffix in SUFFIXES else "pictures"


def _write(
    request: RenderImage | ExportMesh, renderer: SceneRenderer, exact: Engine
) -> Operation[dict[str, Any]]:
    """Make a file; the result is the fields of :class:`BatchFile` that describe it."""
    if isinstance(request, RenderImage):
        return _of_picture((yield from request.write(renderer)))
    return _of_mesh((yield from request.write(exact)))


def _of_mesh(mesh: ExportedMesh) -> dict[str, Any]:
    beside = [path.name for level in (mesh, *mesh.coarser) for path in level.files]
    beside.remove(mesh.path.name)
    report = mesh.report
    return {
        "bytes": mesh.path.stat().st_size,
        "beside": tuple(beside),
        "triangles": report.triangles,
        "vertices": report.vertices,
        "watertight": report.watertight,
        "extent": mesh.extent,
    }


def _of_picture(path: Path) -> dict[str, Any]:
    if path.suffix == ".npy":
        height, width = np.load(path, mmap_mode="r").shape[-2:]
    else:
        with Image.open(path) as image:
            width, height = image.size
    scale = scale_path(path)
    return {
        "bytes": path.stat().st_size,
        "beside": (scale.name,) if scale.exists() else (),
        "width": width,
        "height": height,
    }


def _failures(failed: Sequence[BatchFile], made: int, skipped: int, folder: Path) -> str:
    first = failed[0]
    more = f" (and {len(failed) - 1:,} more)" if len(failed) > 1 else ""
    skips = f", {_files(skipped)} skipped" if skipped else ""
    return (
        f"{_files(len(failed))} could not be made: {first.file}{more}: {first.error.rstrip('.')}. "
        f"{_files(made)} made{skips}; {folder / 'batch.csv'} lists all. The same command tries the "
        "failed files again."
    )


def _files(count: int) -> str:
    return "1 file" if count == 1 else f"{count:,} files"


def _ranges(lines: Sequence[BatchFile]) -> str:
    """The seeds of files, such as ``0-99, 120``."""
    ends: list[list[int]] = []
    for seed in sorted({line.seed for line in lines}):
        if ends and ends[-1][1] == seed - 1:
            ends[-1][1] = seed
        else:
            ends.append([seed, seed])
    texts = [f"{a}" if a == b else f"{a}-{b}" for a, b in ends]
    return ", ".join(texts if len(texts) <= _LISTED else [*texts[:_LISTED], "…"])
