"""Batches of real images for adversarial training.

The images of a step are a function of seed, step and attempt, so a resumed run sees the images of
an uninterrupted run. Threads read and resize images a few steps ahead; threads suffice, because
reading and resizing release Python's lock, and they share one cache.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
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
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.runs.run_data import find_usable_again
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.world import Share

_AHEAD = 3


@dataclass(frozen=True)
class RealBatch:
    """Real images of a step, in 8 bits on the CPU; they become float on the device that needs them.

    Attributes:
        pixels: (B, size, size, 3) uint8.
        thumb_pixels: (B, thumb, thumb, 3) uint8, the images shrunk; ``pixels`` itself where the run
            has no use for thumbs, or trains at their size.
    """

    pixels: Pixels
    thumb_pixels: Pixels

    def images(self, device: torch.device | str = "cpu") -> Tensor:
        """The images, (B, 3, size, size) in [−1, 1]."""
        return _on_device(self.pixels, torch.device(device))

    def thumbs(self, device: torch.device | str = "cpu") -> Tensor:
        """The thumbs, (B, 3, thumb, thumb) in [−1, 1]."""
        return _on_device(self.thumb_pixels, torch.device(device))


class _Cache:
    """Decoded images by position, as many of the first as fit into ``budget`` bytes."""

    def __init__(self, count: int, size: int, budget: float) -> None:
        room = max(0, min(count, int(budget) // (size * size * 3)))
        self._images = np.empty((room, size, size, 3), np.uint8)
        self._known = np.zeros(count, bool)

    @property
    def nbytes(self) -> int:
        """Memory that it will fill."""
        return self._images.nbytes

    def get(self, position: int, make: Callable[[], Pixels]) -> Pixels:
        """The image at a position: kept, else made, and then kept if there is room."""
        if self._known[position]:
            kept: Pixels = self._images[position]
            return kept
        pixels = make()
        if position < len(self._images):
            self._images[position] = pixels
            self._known[position] = True
        return pixels


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
        self.flip, self.compare = config.flip, config.compare
        self.seed = seed
        self.share = share
        #: Images found damaged since training began, by number in the source.
        self.damaged: dict[int, str] = {}
        self.workers = config.workers
        self._pool = ThreadPoolExecutor(config.workers, thread_name_prefix="images")
        self._coming: dict[tuple[int, int, int], list[Future[tuple[Pixels, Pixels]]]] = {}
        budget = min(config.cache_gb * 1e9, psutil.virtual_memory().available / 2) / share.world
        # Thumbs first: a hundred of them take the room of one image of 1024².
        self._has_thumbs = thumb_size not in (None, size)
        self._thumbs = _Cache(len(indices), thumb_size or size, budget * self._has_thumbs)
        self._images = _Cache(len(indices), size, budget - self._thumbs.nbytes)

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
        images = np.stack([image for image, _ in pairs])
        thumbs = np.stack([thumb for _, thumb in pairs]) if self._has_thumbs else images
        if self.flip:
            flips = np.random.default_rng([self.seed, 3, attempt, step]).random(batch) < 0.5
            flips = flips[self.share.of(batch)]
            images[flips] = images[flips, :, ::-1]
            if self._has_thumbs:
                thumbs[flips] = thumbs[flips, :, ::-1]
        return RealBatch(images, thumbs)

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

    def some(self, count: int, start: int = 0) -> RealBatch:
        """``count`` held-out images from ``start`` on, not flipped; else training images.

        If there are fewer, the images repeat. Every process gets all ``count`` images.
        """
        read = partial(self._read, self.held_out)
        wanted = [position % len(self.held_out) for position in range(start, start + count)]
        pixels = np.stack(list(self._pool.map(read, wanted)))
        thumbs = np.stack([self._thumb(image) for image in pixels])
        return RealBatch(pixels, thumbs)

    def reading_speed(self, seconds: float) -> float:
        """Images a second that the workers read from the disk, resized, without the cache.

        Args:
            seconds: to measure for; at least four images of each worker are read.
        """

        def read(position: int) -> None:
            self._thumb(self._read(self.indices, position % len(self.indices)))

        start, count = time.perf_counter(), 0
        while (spent := time.perf_counter() - start) < seconds or not count:
            list(self._pool.map(read, range(count, count + 4 * self.workers)))
            count += 4 * self.workers
        return count / spent

    def close(self) -> None:
        """Stop the threads and close the source."""
        self._pool.shutdown(wait=True, cancel_futures=True)
        self.source.close()

    def _pair(self, position: int) -> tuple[Pixels, Pixels]:
        """The image and the thumb at a position."""
        image = self._images.get(position, partial(self._read, self.indices, position))
        if not self._has_thumbs:
            return image, image
        return image, self._thumbs.get(position, partial(self._thumb, image))

    def _thumb(self, image: Pixels) -> Pixels:
        return image if self.thumb_size is None else shrink(image, self.thumb_size)

    def _read(self, indices: Sequence[int], position: int) -> Pixels:
        """The image at a position; in place of a damaged one, the next image that can be read."""
        for offset in range(len(indices)):
            index = indices[(position + offset) % len(indices)]
            try:
                with self.source.read(index) as image:
                    return square(image, self.size)
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
    run: RunDir | None = None,
) -> Operation[tuple[RealImages, str]]:
    """The run's images, and a sentence that counts used, held-out and skipped images.

    Args:
        run: the folder that recognises the images of an earlier start; None for no run.

    Raises:
        InputError: no usable images, fewer than a batch, or not the images of the run's start.
    """
    with ExitStack() as failing:
        source = open_images(path, size)
        failing.callback(source.close)
        if run is None:
            usable = yield from find_usable(source, size, upscale=config.upscale, whole=False)
        else:
            usable = yield from find_usable_again(
                run, path, source, size, upscale=config.upscale, is_main=share.rank == 0
            )
        kept, apart = split(len(usable.indices), config.held_out, config.split_seed, config.compare)
        listed = list_skipped(usable.skipped)
        if len(kept) < batch:
            raise InputError(
                f"{path} leaves {len(kept)} usable images to train on and a batch has {batch}; add "
                f"images or choose a smaller batch{f'. Skipped: {listed}' if listed else ''}."
            )
        indices = [usable.indices[i] for i in kept]
        held_out = [usable.indices[i] for i in apart]
        found = f"{len(indices):,} images" + (f", {len(held_out):,} held out" if held_out else "")
        if listed:
            found += f", {len(usable.skipped):,} skipped: {listed}"
        images = RealImages(source, indices, held_out, size, thumb_size, config, seed, share)
        failing.pop_all()
    return images, found


def _on_device(pixels: Pixels, device: torch.device) -> Tensor:
    """(B, H, W, 3) uint8 to (B, 3, H, W) in [−1, 1]; 8 bits travel, from pinned memory."""
    images = torch.from_numpy(pixels)
    if device.type == "cuda":
        images = images.pin_memory().to(device, non_blocking=True)
    return images.to(device).movedim(-1, 1).float() / 127.5 - 1.0
