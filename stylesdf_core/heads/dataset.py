"""The data set of rendered heads on disk: which pictures it holds, and how they are written.

The command ``heads`` (:class:`~stylesdf_core.commands.heads.make.MakeHeads`) writes the data set;
training reads the pictures that its table names. Every file is a function of the settings and of
the head's number, so that the same command completes an interrupted data set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from PIL import Image

from stylesdf_core.errors import InputError, OutputError
from stylesdf_core.files import atomic_output, write_json
from stylesdf_core.foreign import read_json, reading
from stylesdf_core.heads.person.latent import ATTRIBUTES, IDENTITY_MODES, dataset_latent
from stylesdf_core.heads.rasterizer.backdrops import Backdrop
from stylesdf_core.heads.rasterizer.renderer import LOOKS, HeadRenderer
from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD, FAR, NEAR, OrbitCamera

ImageFormat = Literal["png", "webp"]

#: 16-bit depth of pixels without a surface; other values are near + value · (far − near) / 65534.
DEPTH_BACKGROUND = 65535
_DEPTH_STEPS = 65534
MAX_AZIMUTH, MAX_ELEVATION = 0.9, 0.45
#: Settings that the descriptions of older data sets lack.
_UNSAID = {"backgrounds": False, "azimuth_std": AZIMUTH_STD, "elevation_std": ELEVATION_STD}
_SETTINGS_FILE, _TABLE_FILE = "dataset.json", "metadata.jsonl"
_SAVE_OPTIONS: dict[ImageFormat, dict[str, Any]] = {
    "png": {"compress_level": 4},
    "webp": {"lossless": True, "quality": 30, "method": 1},
}


@dataclass(frozen=True)
class DatasetSettings:
    """Everything that the pictures of a data set depend on, except the number of heads.

    Attributes:
        seed: seed of all latents and cameras.
        size: edge of the pictures, pixels.
        views: pictures of each head.
        depth: whether a 16-bit depth map lies beside each picture.
        format: ``png`` or (lossless) ``webp``.
        model: fingerprint of the morphable model.
        looks: version of hair, colours and light.
        backgrounds: whether each head has a background of its own, and a mask beside each picture.
        azimuth_std, elevation_std: standard deviations of the cameras' angles, radians.
    """

    seed: int
    size: int
    views: int
    depth: bool
    format: ImageFormat
    model: str
    looks: int = LOOKS
    backgrounds: bool = False
    azimuth_std: float = AZIMUTH_STD
    elevation_std: float = ELEVATION_STD


def dataset_camera(settings: DatasetSettings, index: int, view: int) -> OrbitCamera:
    """Camera of one view: normally distributed angles, clipped at (±0.9, ±0.45) rad."""
    random = np.random.default_rng([settings.seed, index, 2, view])
    azimuth, elevation = random.standard_normal(2)
    return OrbitCamera(
        azimuth=float(np.clip(settings.azimuth_std * azimuth, -MAX_AZIMUTH, MAX_AZIMUTH)),
        elevation=float(np.clip(settings.elevation_std * elevation, -MAX_ELEVATION, MAX_ELEVATION)),
    )


@dataclass(frozen=True)
class _View:
    """One picture of a head: its camera, and its files by names relative to the folder."""

    view: int
    camera: OrbitCamera
    image: str
    depth: str | None
    mask: str | None

    @property
    def files(self) -> list[str]:
        """All names of files."""
        return [name for name in (self.image, self.depth, self.mask) if name]


class HeadsDataset:
    """A folder of rendered heads.

    ``dataset.json`` holds the settings, the latent's layout and the depth's scale;
    ``metadata.jsonl`` one line a picture, ordered by head and view: file, depth, mask (8 bits, the
    share of each pixel that shows the head; with backgrounds), index, view, azimuth, elevation,
    fov and z. The table names only files that are there, whole.

    Raises:
        InputError: the folder holds a data set of other settings, or other files.
        OutputError: the folder cannot be made.
    """

    def __init__(self, folder: Path, settings: DatasetSettings) -> None:
        self.folder = folder
        self.settings = settings
        self._open()
        self._recorded = self._repair_table()

    def is_complete(self, index: int) -> bool:
        """Whether all files of head ``index`` are there (files appear only whole)."""
        names = [name for view in self._views(index) for name in view.files]
        return all((self.folder / name).exists() for name in names)

    def write_head(self, renderer: HeadRenderer, index: int) -> None:
        """Render head ``index`` and write its files."""
        geometry = renderer.shape(dataset_latent(self.settings.seed, index))
        size = self.settings.size
        for view in self._views(index):
            picture = renderer.picture(geometry, view.camera, size)
            image = picture.image
            if view.mask:
                image = Backdrop.drawn(self.settings.seed, index).behind(picture, view.camera)
                covered = np.rint(255.0 * picture.covered).astype(np.uint8)
                with atomic_output(self.folder / view.mask) as temporary:
                    Image.fromarray(covered).save(temporary, compress_level=4)
            with atomic_output(self.folder / view.image) as temporary:
                Image.fromarray(image).save(temporary, **_SAVE_OPTIONS[self.settings.format])
            if view.depth:
                t = renderer.gbuffer(geometry, view.camera, size).depth
                scaled = np.rint((t - NEAR) / (FAR - NEAR) * _DEPTH_STEPS)
                value = np.where(np.isfinite(t), scaled.clip(0, _DEPTH_STEPS), DEPTH_BACKGROUND)
                with atomic_output(self.folder / view.depth) as temporary:
                    Image.fromarray(value.astype(np.uint16)).save(temporary, compress_level=4)

    def record_up_to(self, count: int) -> None:
        """Append the rows of the first ``count`` heads that the table lacks."""
        with open(self.folder / _TABLE_FILE, "a", encoding="utf-8") as table:
            while self._recorded < count:
                table.writelines(json.dumps(row) + "\n" for row in self._rows(self._recorded))
                self._recorded += 1

    def _rows(self, index: int) -> Iterator[dict[str, Any]]:
        z = dataset_latent(self.settings.seed, index).tolist()
        for view in self._views(index):
            mask = {"mask": view.mask} if view.mask else {}
            yield {
                "file": view.image,
                "depth": view.depth,
                **mask,
                "index": index,
                "view": view.view,
                "azimuth": view.camera.azimuth,
                "elevation": view.camera.elevation,
                "fov": view.camera.fov,
                "z": z,
            }

    def _views(self, index: int) -> Iterator[_View]:
        settings = self.settings
        for view in range(settings.views):
            stem = f"{index:06d}" if settings.views == 1 else f"{index:06d}-{view}"
            # A thousand heads per folder, since file managers are slow with more files.
            name = f"{index // 1000:03d}/{stem}"
            yield _View(
                view,
                dataset_camera(settings, index, view),
                image=f"images/{name}.{settings.format}",
                depth=f"depth/{name}.png" if settings.depth else None,
                mask=f"masks/{name}.png" if settings.backgrounds else None,
            )

    def _open(self) -> None:
        description = self.folder / _SETTINGS_FILE
        if not description.exists():
            try:
                self.folder.mkdir(parents=True, exist_ok=True)
                strangers = next(self.folder.iterdir(), None)
            except OSError as error:
                raise OutputError(f"Cannot use {self.folder}: {error.strerror}.") from error
            if strangers is not None:
                raise InputError(
                    f"{self.folder} is not empty and holds no data set of heads; choose another "
                    "folder."
                )
            write_json(description, self._description())
            return
        with reading(description, "the description of a data set of heads"):
            found = {**_UNSAID, **dict(read_json(description)["settings"])}
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
        """Cut off the last head if a killed process left it unfinished; returns the heads kept."""
        table = self.folder / _TABLE_FILE
        if not table.exists():
            return 0
        lines = table.read_bytes().splitlines(keepends=True)
        whole = sum(line.endswith(b"\n") for line in lines)
        whole -= whole % self.settings.views
        os.truncate(table, sum(len(line) for line in lines[:whole]))
        return whole // self.settings.views
