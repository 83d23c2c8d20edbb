"""The true and the generated pictures that `evaluate` compares, reduced to rows as they come.

Thousands of pictures do not fit into memory. A row keeps a picture's features, sharpness and
angles, what the checks need, and, where cameras are known, a copy at 64².
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.data import images as data
from stylesdf_core.data.images import UNREADABLE, ImageSource, Pixels
from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.fitted.pose_regressor import EDGE
from stylesdf_core.evaluation.measures import set_checks
from stylesdf_core.evaluation.measures.rows import Columns, RowFile
from stylesdf_core.evaluation.metrics.image_metrics import sharpness
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene, View

#: Seed of the order in which a data set's pictures are compared.
_ORDER = 0xE7A1

Angles = tuple[float, float]
#: Features (B, D) of 8-bit pictures (B, S, S, 3).
Extractor = Callable[[Pixels], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Extractors:
    """What is kept of pictures, besides sharpness, angles and the checks' values.

    Attributes:
        image, thumb: of the picture, and of the volume render or the picture at its size; by the
            name of the column.
        small: whether copies at 64² are kept.
    """

    image: Mapping[str, Extractor]
    thumb: Mapping[str, Extractor]
    small: bool = False

    def rows(
        self,
        config: GeneratorConfig,
        pictures: Sequence[tuple[Pixels, Pixels] | None],
        angles: Sequence[Angles],
        edges: Sequence[int],
    ) -> Columns:
        """Rows of pictures with their volume renders; None for a picture that is damaged."""
        size = config.output_size
        black, small = (np.zeros((s, s, 3), np.uint8) for s in (size, config.thumb_size))
        whole = [picture or (black, small) for picture in pictures]
        images, thumbs = (np.stack(each) for each in zip(*whole, strict=True))
        columns: dict[str, npt.NDArray[Any]] = {
            "valid": np.array([picture is not None for picture in pictures]),
            "angles": np.array(angles, np.float32),
            "edge": np.array(edges, np.int32),
            "sharpness": np.array([_sharpness(image) for image in images], np.float32),
            "contrast": set_checks.contrast(images),
            "border": set_checks.border_colours(images),
        }
        if self.small:
            columns["small"] = np.stack([data.shrink(image, min(EDGE, size)) for image in images])
        columns |= {name: extract(images) for name, extract in self.image.items()}
        return columns | {name: extract(thumbs) for name, extract in self.thumb.items()}


@dataclass(frozen=True)
class TruePictures:
    """Pictures of a data set, read as training would; damaged ones have rows without use.

    Attributes:
        order: numbers of the pictures in their source.
        angles: by file name; empty for a data set without known cameras.
    """

    source: ImageSource
    order: npt.NDArray[np.intp]
    angles: Mapping[str, Angles]
    config: GeneratorConfig
    extractors: Extractors

    def measure(self, things: Sequence[int]) -> Columns:
        """Rows of pictures, by their places in the order."""
        pictures: list[tuple[Pixels, Pixels] | None] = []
        angles, edges = [], []
        for index in self.order[list(things)].tolist():
            edge = 0
            try:
                with self.source.read(index) as opened:
                    edge = min(opened.size)
                    pixels = data.square(opened, self.config.output_size)
                pictures.append((pixels, data.shrink(pixels, self.config.thumb_size)))
            except UNREADABLE:
                pictures.append(None)
            edges.append(edge)
            angles.append(self.angles.get(self.source.names[index], (math.nan, math.nan)))
        return self.extractors.rows(self.config, pictures, angles, edges)


@dataclass(frozen=True)
class GeneratedPictures:
    """A model's pictures, one seed from each camera: as in the studio, but with ψ = 1."""

    engine: Engine
    seed_start: int
    cameras: Sequence[OrbitCamera]
    extractors: Extractors

    def measure(self, things: Sequence[int]) -> Columns:
        """Rows of pictures, by number."""
        config = self.engine.config
        views: tuple[View, ...] = ("image", "volume") if config.has_image else ("volume",)
        pictures: list[tuple[Pixels, Pixels] | None] = []
        for index in things:
            scene = untruncated(self.seed_start + index, self.cameras[index])
            found = self.engine.render_views(scene, views)
            pictures.append((found[views[0]].to_uint8(), found["volume"].to_uint8()))
        angles = [(self.cameras[n].azimuth, self.cameras[n].elevation) for n in things]
        edges = [config.output_size] * len(things)
        return self.extractors.rows(config, pictures, angles, edges)


class PictureSet:
    """Some pictures' rows.

    Args:
        start, stop: which rows; damaged pictures among them do not count.
    """

    def __init__(self, rows: RowFile, start: int = 0, stop: int | None = None) -> None:
        self._rows = rows
        stop = len(rows) if stop is None else stop
        self._part = slice(start, max(start, stop))
        valid = rows.column("valid")[self._part] if len(rows) else np.zeros(0, np.bool_)
        self._valid = None if valid.all() else np.flatnonzero(valid)
        self._count = int(valid.sum())

    def __len__(self) -> int:
        return self._count

    def column(self, name: str) -> npt.NDArray[Any]:
        """A column of the pictures, (N, …)."""
        column = self._rows.column(name)[self._part]
        return column if self._valid is None else column[self._valid]


def shuffled(count: int) -> npt.NDArray[np.intp]:
    """The numbers of ``count`` pictures in a fixed random order."""
    return np.random.default_rng(_ORDER).permutation(count)


def untruncated(seed: int, camera: OrbitCamera) -> Scene:
    """The head of a seed with truncation ψ = 1."""
    return Scene(identity=Identity(seed), truncation_psi=1.0, camera=camera)


def _sharpness(image: Pixels) -> float:
    return sharpness(image.astype(np.float32) / np.float32(255.0))
