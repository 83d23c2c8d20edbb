"""The data set of rendered heads: what each item is, and how it is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.heads.latent import ATTRIBUTES, IDENTITY_MODES, dataset_latent
from stylesdf_core.heads.model import MorphableModel
from stylesdf_core.heads.renderer import LOOKS, HeadRenderer
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD, FAR, NEAR, OrbitCamera

ImageFormat = Literal["png", "webp"]

#: 16-bit depth of pixels without a surface; the rest is near + value · (far − near) / 65534.
DEPTH_BACKGROUND = 65535
_DEPTH_STEPS = 65534
MAX_AZIMUTH, MAX_ELEVATION = 0.9, 0.45
_SETTINGS_FILE = "dataset.json"
_TABLE_FILE = "metadata.jsonl"


@dataclass(frozen=True)
class DatasetSettings:
    """Everything the pictures of a data set depend on, except how many heads it has.

    Attributes:
        seed: of all latents and cameras.
        size: edge of the pictures, pixels.
        views: pictures of each head.
        depth: whether a 16-bit depth map lies beside each picture.
        format: ``png`` or (lossless) ``webp``.
        model: fingerprint of the morphable model.
        looks: version of the heads' looks.
    """

    seed: int
    size: int
    views: int
    depth: bool
    format: ImageFormat
    model: str
    looks: int = LOOKS


def fingerprint(model: MorphableModel) -> str:
    """Short hash of a morphable model's shapes."""
    digest = hashlib.sha256(model.neutral.tobytes())
    digest.update(model.identity[:IDENTITY_MODES].tobytes())
    return digest.hexdigest()[:16]


def dataset_camera(seed: int, index: int, view: int) -> OrbitCamera:
    """Camera of one view: the training poses of the paper, clipped at (±0.9, ±0.45) rad."""
    azimuth, elevation = np.random.default_rng([seed, index, 2, view]).standard_normal(2)
    return OrbitCamera(
        azimuth=float(np.clip(AZIMUTH_STD * azimuth, -MAX_AZIMUTH, MAX_AZIMUTH)),
        elevation=float(np.clip(ELEVATION_STD * elevation, -MAX_ELEVATION, MAX_ELEVATION)),
    )


@dataclass(frozen=True)
class Item:
    """One picture of a data set, by names relative to its folder."""

    index: int
    view: int
    image: str
    depth: str | None


class HeadsDataset:
    """A folder of rendered heads.

    ``dataset.json`` holds the settings, the latent's layout and the depth's scale;
    ``metadata.jsonl`` one line a picture, ordered by head and view: file, depth, index, view,
    azimuth, elevation, fov and z. The table only names files that are there, whole.

    Raises:
        InputError: the folder holds a data set of other settings, or other files.
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, settings: DatasetSettings) -> None:
        self.folder = folder
        self.settings = settings
        self._open()
        self._rows = self._repair_table()

    def items(self, index: int) -> tuple[Item, ...]:
        """The pictures of head ``index``."""
        return tuple(self._item(index, view) for view in range(self.settings.views))

    def is_complete(self, index: int) -> bool:
        """Whether all files of head ``index`` are there (they only appear whole)."""
        return all(
            (self.folder / name).exists()
            for item in self.items(index)
            for name in (item.image, item.depth)
            if name
        )

    def write_head(self, renderer: HeadRenderer, index: int) -> None:
        """Render and write the files of head ``index`` that are missing."""
        geometry = renderer.shape(dataset_latent(self.settings.seed, index))
        for item in self.items(index):
            camera = dataset_camera(self.settings.seed, index, item.view)
            image = self.folder / item.image
            if not image.exists():
                pixels = renderer.picture(geometry, camera, self.settings.size).image
                with atomic_output(image) as temporary:
                    _save(Image.fromarray(pixels), temporary, self.settings.format)
            if item.depth and not (self.folder / item.depth).exists():
                t = renderer.gbuffer(geometry, camera, self.settings.size).depth
                scaled = np.rint((t - NEAR) / (FAR - NEAR) * _DEPTH_STEPS)
                value = np.where(np.isfinite(t), scaled.clip(0, _DEPTH_STEPS), DEPTH_BACKGROUND)
                with atomic_output(self.folder / item.depth) as temporary:
                    Image.fromarray(value.astype(np.uint16)).save(temporary, compress_level=4)

    def record(self, index: int) -> None:
        """Add head ``index`` to the table; heads are recorded in order, each once."""
        if index * self.settings.views < self._rows:
            return
        with open(self.folder / _TABLE_FILE, "a", encoding="utf-8") as table:
            for row in self._table_rows(index):
                table.write(json.dumps(row) + "\n")
                self._rows += 1

    def _item(self, index: int, view: int) -> Item:
        stem = f"{index:06d}" if self.settings.views == 1 else f"{index:06d}-{view}"
        # A thousand heads a folder: file managers choke on more.
        name = f"{index // 1000:03d}/{stem}"
        return Item(
            index=index,
            view=view,
            image=f"images/{name}.{self.settings.format}",
            depth=f"depth/{name}.png" if self.settings.depth else None,
        )

    def _table_rows(self, index: int) -> Iterator[dict[str, Any]]:
        z = [float(number) for number in dataset_latent(self.settings.seed, index)]
        for item in self.items(index):
            camera = dataset_camera(self.settings.seed, index, item.view)
            yield {
                "file": item.image,
                "depth": item.depth,
                "index": index,
                "view": item.view,
                "azimuth": camera.azimuth,
                "elevation": camera.elevation,
                "fov": camera.fov,
                "z": z,
            }

    def _open(self) -> None:
        description = self.folder / _SETTINGS_FILE
        if not description.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                strangers = next(self.folder.iterdir(), None)
            except OSError as error:
                raise OutputError(f"Cannot use {self.folder}: {error.strerror}.") from error
            if strangers is not None:
                raise InputError(f"{self.folder} is not empty and no data set of heads.")
            write_json(description, self._description())
            return
        try:
            found = json.loads(description.read_text(encoding="utf-8"))["settings"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"{description} does not describe a data set of heads.") from error
        wanted = asdict(self.settings)
        different = [key for key in wanted if found.get(key) != wanted[key]]
        if different:
            was = ", ".join(f"{key} {found.get(key)!r}" for key in different)
            raise InputError(
                f"{self.folder} holds a data set with {was}; to go on with it use these values, "
                "otherwise choose another folder."
            )

    def _description(self) -> dict[str, Any]:
        return {
            "settings": asdict(self.settings),
            "latent": {
                "identity_modes": IDENTITY_MODES,
                "attributes": [attribute.name for attribute in ATTRIBUTES],
            },
            "depth": {
                "unit": "planar depth t = near + value * (far - near) / steps, world units",
                "near": NEAR,
                "far": FAR,
                "steps": _DEPTH_STEPS,
                "background": DEPTH_BACKGROUND,
            },
        }

    def _repair_table(self) -> int:
        """Drop what a killed process left of its last head; returns the rows that stay."""
        table = self.folder / _TABLE_FILE
        if not table.exists():
            return 0
        content = table.read_bytes()
        lines = content.splitlines(keepends=True)
        whole = len(lines) - (1 if lines and not lines[-1].endswith(b"\n") else 0)
        whole -= whole % self.settings.views
        if whole < len(lines):
            with open(table, "rb+") as stream:
                stream.truncate(sum(len(line) for line in lines[:whole]))
        return whole


def _save(image: Image.Image, path: Path, image_format: ImageFormat) -> None:
    if image_format == "webp":
        image.save(path, lossless=True, quality=30, method=1)
    else:
        image.save(path, compress_level=4)
