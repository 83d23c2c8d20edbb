"""The true and the generated pictures that `evaluate` compares, as features and a few scores.

Thousands of pictures do not fit into memory. An :class:`ImageSet` keeps the features, sharpness and
angles of each picture, and a copy at 64².
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from stylesdf_core.data import images as data
from stylesdf_core.data.images import UNREADABLE, ImageSource, Pixels
from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.frechet import FloatArray, SeededFeatures
from stylesdf_core.evaluation.image_metrics import bytes_as_tensor, sharpness
from stylesdf_core.evaluation.pose_regressor import EDGE
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene, View

#: Seed of the order in which a data set's pictures are compared.
_ORDER = 0xE7A1
#: Pictures whose features are computed at once.
_CHUNK = 32

Angles = tuple[float, float]


@dataclass
class ImageSet:
    """Features, sharpness and angles of N pictures of one model's sizes; filled by :meth:`add`.

    Attributes:
        config: the model's architecture, which gives the sizes.
        angles: azimuth and elevation of each picture, radians; NaN where they are not known.
        sharpness: of each image, see :func:`~stylesdf_core.evaluation.image_metrics.sharpness`.
    """

    config: GeneratorConfig
    extractor: SeededFeatures
    angles: list[Angles] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    _small: list[Pixels] = field(default_factory=list)
    _waiting: dict[str, list[Pixels]] = field(default_factory=dict)
    _features: dict[str, list[FloatArray]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.angles)

    def add(self, image: Pixels, thumb: Pixels, angles: Angles) -> None:
        """Add one picture and its volume render, or the picture shrunk to that size."""
        self.angles.append(angles)
        self.sharpness.append(sharpness(image.astype(np.float32) / np.float32(255.0)))
        self._small.append(data.shrink(image, min(EDGE, self.config.output_size)))
        self._waiting.setdefault("image", []).append(image)
        if self.config.has_decoder:
            self._waiting.setdefault("thumb", []).append(thumb)
        if len(self._waiting["image"]) == _CHUNK:
            self._extract()

    def features(self, kind: str) -> FloatArray:
        """Features (N, 480) of kind ``image`` or, for a model with decoder, ``thumb``."""
        self._extract()
        return np.concatenate(self._features[kind])

    def small(self) -> npt.NDArray[np.uint8]:
        """All pictures at 64² or their own smaller size, (N, E, E, 3)."""
        return np.stack(self._small)

    def _extract(self) -> None:
        for kind, pictures in self._waiting.items():
            found = self.extractor(bytes_as_tensor(np.stack(pictures)))
            self._features.setdefault(kind, []).append(found)
        self._waiting.clear()


def shuffled(indices: Sequence[int]) -> npt.NDArray[np.intp]:
    """Numbers of pictures in a fixed random order."""
    return np.random.default_rng(_ORDER).permutation(np.asarray(indices, np.intp))


def add_true(
    images: ImageSet,
    source: ImageSource,
    indices: npt.NDArray[np.intp],
    angles: dict[str, Angles],
) -> Iterator[None]:
    """Read pictures of a data set into ``images`` as training would; skip damaged ones.

    Args:
        angles: by file name; empty for a data set without known cameras.
    """
    config = images.config
    for index in indices.tolist():
        try:
            with source.read(index) as opened:
                pixels = data.square(opened, config.output_size)
        except UNREADABLE:
            continue
        thumb = data.shrink(pixels, config.thumb_size)
        images.add(pixels, thumb, angles.get(source.names[index], (math.nan, math.nan)))
        yield


def add_generated(
    images: ImageSet, engine: Engine, seeds: range, cameras: list[OrbitCamera]
) -> Iterator[None]:
    """Render one seed from each camera into ``images``: as in the studio, but with ψ = 1."""
    views: tuple[View, ...] = ("image", "volume") if images.config.has_decoder else ("volume",)
    for seed, camera in zip(seeds, cameras, strict=True):
        pictures = engine.render_views(untruncated(seed, camera), views)
        pixels = [pictures[view].to_uint8() for view in views]
        images.add(pixels[0], pixels[-1], (camera.azimuth, camera.elevation))
        yield


def untruncated(seed: int, camera: OrbitCamera) -> Scene:
    """The head of a seed with truncation ψ = 1."""
    return Scene(identity=Identity(seed), truncation_psi=1.0, camera=camera)
