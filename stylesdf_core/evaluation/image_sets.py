"""Sets of true and of generated pictures, as what is compared of them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import torch

from stylesdf_core.data import images as data
from stylesdf_core.data.images import UNREADABLE, ImageSource, Pixels
from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.frechet import FloatArray, SeededFeatures
from stylesdf_core.evaluation.image_metrics import sharpness
from stylesdf_core.evaluation.pose_regressor import EDGE
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene, View

#: Which pictures of a data set are compared, and in which order.
_ORDER = 0xE7A1
_CHUNK = 32


@dataclass(frozen=True)
class ModelSizes:
    """Edges of a model's pictures, pixels.

    Attributes:
        image: of what it shows last: the decoded image, else the volume render.
        thumb: of the volume render.
    """

    image: int
    thumb: int

    @classmethod
    def of(cls, engine: Engine) -> ModelSizes:
        """Of the engine's model."""
        return cls(engine.config.output_size, engine.config.thumb_size)

    @property
    def decoded(self) -> bool:
        """Whether the image is more than the volume render."""
        return self.image > self.thumb


@dataclass
class ImageSet:
    """What is compared of N pictures; filled by :meth:`add`.

    Attributes:
        angles: azimuth and elevation of each, radians; NaN where nobody knows.
        sharpness: of each image, see :func:`~stylesdf_core.evaluation.image_metrics.sharpness`.
    """

    extractor: SeededFeatures
    sizes: ModelSizes
    angles: list[tuple[float, float]] = field(default_factory=list)
    sharpness: list[float] = field(default_factory=list)
    _images: list[Pixels] = field(default_factory=list)
    _thumbs: list[Pixels] = field(default_factory=list)
    _features: dict[str, list[FloatArray]] = field(default_factory=dict)
    _small: list[Pixels] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.angles)

    def add(self, image: Pixels, thumb: Pixels, angles: tuple[float, float]) -> None:
        """One picture and its volume render, or the picture shrunk to its size."""
        self.angles.append(angles)
        self.sharpness.append(sharpness(image.astype(np.float32) / np.float32(255.0)))
        self._small.append(data.shrink(image, min(EDGE, self.sizes.image)))
        self._images.append(image)
        if self.sizes.decoded:
            self._thumbs.append(thumb)
        if len(self._images) == _CHUNK:
            self._extract()

    def features(self, kind: str) -> FloatArray:
        """(N, 480) of kind ``image`` or, of a model with decoder, ``thumb``."""
        self._extract()
        return np.concatenate(self._features[kind])

    def small(self) -> npt.NDArray[np.uint8]:
        """All pictures at 64² or their own smaller size, (N, E, E, 3)."""
        return np.stack(self._small)

    def _extract(self) -> None:
        for kind, pending in (("image", self._images), ("thumb", self._thumbs)):
            if pending:
                found = self.extractor(_tensor(np.stack(pending)))
                self._features.setdefault(kind, []).append(found)
                pending.clear()


@dataclass(frozen=True)
class TruePictures:
    """A data set's usable pictures in a seeded order.

    Args:
        indices: numbers of the usable ones in ``source``.
        angles: by file name, where the data set tells its cameras; else None.
    """

    source: ImageSource
    indices: tuple[int, ...]
    angles: dict[str, tuple[float, float]] | None

    def __len__(self) -> int:
        return len(self.indices)

    def order(self) -> npt.NDArray[np.intp]:
        """All indices, shuffled; always alike."""
        return np.random.default_rng(_ORDER).permutation(np.asarray(self.indices, np.intp))

    def fill(self, images: ImageSet, indices: npt.NDArray[np.intp]) -> Iterator[None]:
        """Read these pictures into ``images``, as training would; damaged ones are left out."""
        sizes = images.sizes
        for index in indices:
            name = self.source.names[int(index)]
            try:
                with self.source.read(int(index)) as opened:
                    pixels = data.square(opened, sizes.image, hamming=not sizes.decoded)
            except UNREADABLE:
                continue
            thumb = data.shrink(pixels, sizes.thumb)
            untold = (float("nan"), float("nan"))
            images.add(pixels, thumb, (self.angles or {}).get(name, untold))
            yield


def fill_generated(
    images: ImageSet, engine: Engine, seeds: range, cameras: list[OrbitCamera]
) -> Iterator[None]:
    """Render a seed from each camera into ``images``: as shown in the studio, but ψ = 1."""
    views: tuple[View, ...] = ("image", "volume") if images.sizes.decoded else ("volume",)
    for seed, camera in zip(seeds, cameras, strict=True):
        pictures = engine.render_views(scene_of(seed, camera), views)
        pixels = [pictures[view].to_uint8() for view in views]
        images.add(pixels[0], pixels[-1], (camera.azimuth, camera.elevation))
        yield


def scene_of(seed: int, camera: OrbitCamera) -> Scene:
    """An untruncated head."""
    return Scene(identity=Identity(seed), truncation_psi=1.0, camera=camera)


def _tensor(pixels: Pixels) -> torch.Tensor:
    return torch.from_numpy(pixels).movedim(-1, 1).float() / 127.5 - 1.0
