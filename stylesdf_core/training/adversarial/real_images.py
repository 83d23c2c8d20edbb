"""Batches of real images for adversarial training.

The images of a step are a function of seed, step and attempt, so a resumed run sees the images of
an uninterrupted run. Threads read and resize images a few steps ahead; threads suffice, because
reading and resizing release Python's lock, and they share one cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import psutil
import torch
from torch import Tensor

from stylesdf_core.data.images import (
    UNREADABLE,
    ImageSource,
    Pixels,
    find_usable,
    list_skipped,
    open_images,
    shrink,
    split,
    square,
)
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.progress import Operation
from stylesdf_core.training.adversarial.config import ImagesConfig
from stylesdf_core.training.world import Share

_AHEAD = 3


@dataclass(frozen=True)
class RealBatch:
    """Real images of a step.

    Attributes:
        images: (B, 3, size, size) in [−1, 1].
        thumbs: (B, 3, thumb, thumb), the images shrunk; the images themselves if the stage needs no
            thumbs.
    """

    images: Tensor
    thumbs: Tensor


@dataclass(frozen=True)
class _Pair:
    image: Pixels
    thumb: Pixels


class RealImages:
    """All images of a run; make with :func:`open_real_images`.

    Args:
        source: the folder or lmdb that is read.
        indices: numbers, in the source, of the images to train on.
        held_out: numbers of the images to compare with; empty to compare with training images.
        size: edge of the images, pixels.
        thumb_size: edge of the thumbs, pixels; None for no thumbs.
        config: cache, workers, flips.
        seed: seed of order and flips.
        share: this process's part of each batch.
    """

    def __init__(
        self,
        source: ImageSource,
        indices: Sequence[int],
        held_out: Sequence[int],
        size: int,
        thumb_size: int | None,
        config: ImagesConfig,
        seed: int,
        share: Share,
    ) -> None:
        self.source = source
        self.indices = indices
        self.held_out = held_out or indices
        self.size, self.thumb_size = size, thumb_size
        self.flip = config.flip
        self.seed = seed
        self.share = share
        #: Images found damaged since training began, by number in the source.
        self.damaged: dict[int, str] = {}
        self._pool = ThreadPoolExecutor(max(1, config.workers), thread_name_prefix="images")
        self._coming: dict[tuple[int, int, int], list[Future[_Pair]]] = {}
        self._cache: npt.NDArray[np.uint8] | None = None
        needed = len(indices) * size * size * 3
        budget = min(config.cache_gb * 1e9, psutil.virtual_memory().available / 2) / share.world
        if needed <= budget:
            self._cache = np.empty((len(indices), size, size, 3), np.uint8)
        self._cached = np.zeros(len(indices), bool)

    def __len__(self) -> int:
        return len(self.indices)

    def batch(self, step: int, batch: int, attempt: int = 0) -> RealBatch:
        """This process's share of the images of a step, whole batches being ``batch`` images.

        Raises:
            TrainingError: no image can be read any more.
        """
        for ahead in range(step, step + _AHEAD):
            key = (ahead, batch, attempt)
            if key not in self._coming:
                positions = self.positions(ahead, batch, attempt)[self.share.of(batch)]
                self._coming[key] = [self._pool.submit(self._pair, int(p)) for p in positions]
        # Earlier steps, and steps of an earlier attempt, are not needed again.
        for key in [k for k in self._coming if k[0] < step or k[1:] != (batch, attempt)]:
            del self._coming[key]
        pairs = [future.result() for future in self._coming.pop((step, batch, attempt))]
        images, thumbs = np.stack([p.image for p in pairs]), np.stack([p.thumb for p in pairs])
        if self.flip:
            flips = np.random.default_rng([self.seed, 3, attempt, step]).random(batch) < 0.5
            flips = flips[self.share.of(batch)]
            for pixels in (images, thumbs):
                pixels[flips] = pixels[flips, :, ::-1]
        return RealBatch(_tensor(images), _tensor(thumbs))

    def positions(self, step: int, batch: int, attempt: int = 0) -> npt.NDArray[np.intp]:
        """Positions, among the used images, of a step's whole batch: shuffled anew each epoch."""
        count = len(self.indices)
        numbers = np.arange(step * batch, (step + 1) * batch)
        chosen = np.empty(batch, np.intp)
        for epoch in np.unique(numbers // count):
            order = np.random.default_rng([self.seed, 2, attempt, int(epoch)]).permutation(count)
            here = numbers // count == epoch
            chosen[here] = order[numbers[here] % count]
        return chosen

    def some(self, count: int) -> RealBatch:
        """The first ``count`` held-out images, not flipped; training images if none are held out.

        If there are fewer, the images repeat. Every process gets all ``count`` images.
        """
        different = min(count, len(self.held_out))
        pixels = np.stack([self._read(self.held_out, position) for position in range(different)])
        pixels = pixels[np.arange(count) % different]
        thumbs = np.stack([self._thumb(image) for image in pixels])
        return RealBatch(_tensor(pixels), _tensor(thumbs))

    def close(self) -> None:
        """Stop the threads and close the source."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.source.close()

    def _pair(self, position: int) -> _Pair:
        image = self._image(position)
        return _Pair(image, self._thumb(image))

    def _thumb(self, image: Pixels) -> Pixels:
        return image if self.thumb_size is None else shrink(image, self.thumb_size)

    def _image(self, position: int) -> Pixels:
        if self._cache is not None and self._cached[position]:
            cached: Pixels = self._cache[position]
            return cached
        pixels = self._read(self.indices, position)
        if self._cache is not None:
            self._cache[position] = pixels
            self._cached[position] = True
        return pixels

    def _read(self, indices: Sequence[int], position: int) -> Pixels:
        """The image at a position; in place of a damaged one, the next image that can be read."""
        for offset in range(len(indices)):
            index = indices[(position + offset) % len(indices)]
            try:
                with self.source.read(index) as image:
                    # Images at the thumb size are shrunk as the published 64² images were.
                    return square(image, self.size, hamming=self.size == self.thumb_size)
            except UNREADABLE as error:
                self.damaged[index] = str(error)
        raise TrainingError("No image can be read any more; look at the data folder.")


def open_real_images(
    path: Path,
    config: ImagesConfig,
    size: int,
    thumb_size: int | None,
    batch: int,
    *,
    seed: int,
    share: Share,
) -> Operation[tuple[RealImages, str]]:
    """The run's images, and a sentence that counts used, held-out and skipped images.

    Raises:
        InputError: no usable images, or fewer than a batch.
    """
    with ExitStack() as failing:
        source = open_images(path, size)
        failing.callback(source.close)
        usable = yield from find_usable(source, size, upscale=config.upscale)
        kept, apart = split(len(usable.indices), config.held_out, config.split_seed)
        listed = list_skipped(usable.skipped)
        if len(kept) < batch:
            raise InputError(
                f"{path} holds {len(kept)} usable images and a batch has {batch}; add images or "
                f"choose a smaller batch{f'. Skipped: {listed}' if listed else ''}."
            )
        indices = [usable.indices[i] for i in kept]
        held_out = [usable.indices[i] for i in apart]
        found = f"{len(indices):,} images" + (f", {len(held_out):,} held out" if held_out else "")
        if listed:
            found += f", {len(usable.skipped):,} skipped: {listed}"
        images = RealImages(source, indices, held_out, size, thumb_size, config, seed, share)
        failing.pop_all()
    return images, found


def _tensor(pixels: Pixels) -> Tensor:
    images = torch.from_numpy(np.ascontiguousarray(pixels)).movedim(-1, 1)
    return images.float() / 127.5 - 1.0
