"""The commands ``dataset check`` and ``dataset pack``: pictures for training, listed or packed.

Both read the pictures as training does, with :mod:`stylesdf_core.data.images`.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.errors import InputError
from stylesdf_core.foreign import printable
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.data.images import Skipped, Usable

_LISTED = 20


@dataclass(frozen=True)
class DatasetReport:
    """A data set's usable and skipped pictures; as text, a few lines.

    Attributes:
        path: the data set that was checked or written.
        usable: number of pictures to train on.
        smallest: least edge of the usable pictures, pixels.
        skipped: pictures that are left out, and why.
        release: which part of FFHQ or AFHQ it is, one sentence; empty for other data sets.
    """

    path: Path
    usable: int
    smallest: int
    skipped: tuple[Skipped, ...]
    release: str = ""

    def __str__(self) -> str:
        lines = [f"{self.path}: {self.usable:,} images, {len(self.skipped):,} skipped"]
        if self.release:
            lines.append(self.release)
        lines.append(f"smallest edge {self.smallest} pixels")
        listed = self.skipped[:_LISTED]
        lines += [printable(f"skipped {item.name}: {item.reason}") for item in listed]
        if len(self.skipped) > _LISTED:
            lines.append(f"… and {len(self.skipped) - _LISTED:,} more")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class DatasetCheck:
    """Read every image whole and say which would be skipped in training."""

    data: Path
    """Folder of images (nested, any size), data set of heads, or lmdb."""

    size: int = 256
    """Edge to train at, pixels; images smaller than half of it are skipped."""

    upscale: bool = False
    """Do not skip small images, as training with --images.upscale does."""

    def run(self) -> Operation[DatasetReport]:
        """Look at all images.

        Raises:
            InputError: there are no images, no usable images, or more than images to train on (the
                whole release of FFHQ or AFHQ).
        """
        from stylesdf_core.data.images import find_usable, open_images
        from stylesdf_core.data.releases import recognise

        _check_sizes((self.size,))
        with closing(open_images(self.data, self.size)) as source:
            usable = yield from find_usable(source, self.size, upscale=self.upscale)
        _refuse_empty(self.data, usable)
        return DatasetReport(
            self.data,
            len(usable.indices),
            usable.smallest,
            usable.skipped,
            recognise(self.data.absolute()),
        )


@dataclass(frozen=True, kw_only=True)
class DatasetPack:
    """Crop, resize and pack images into an lmdb, which reads faster than a folder.

    The layout is the published one, so the published code can train from it as well.
    """

    data: Path
    """Folder of images (nested, any size), data set of heads, or lmdb."""

    out: Path
    """Folder of the lmdb; must not exist yet."""

    sizes: tuple[int, ...] = (64, 256)
    """Edges to store every image at, pixels. Training at S reads the smallest size from S on."""

    def run(self) -> Operation[DatasetReport]:
        """Pack all usable images; the lmdb appears when it is whole.

        Raises:
            InputError: there are no images, no usable images, or ``out`` exists.
            OutputError: the lmdb cannot be written.
        """
        from stylesdf_core.data.images import find_usable, open_images, square
        from stylesdf_core.data.lmdb_images import write_lmdb

        _check_sizes(self.sizes)
        largest, smallest = max(self.sizes), min(self.sizes)
        with closing(open_images(self.data, largest)) as source, write_lmdb(self.out) as writer:
            usable = yield from find_usable(source, largest)
            _refuse_empty(self.data, usable)
            for done, index in enumerate(usable.indices):
                yield Progress(done, len(usable.indices), "images packed")
                with source.read(index) as image:
                    pictures = {size: square(image, size) for size in self.sizes}
                writer.add(pictures)
        return DatasetReport(self.out, writer.length, smallest, usable.skipped)


def _check_sizes(sizes: tuple[int, ...]) -> None:
    if not sizes or not all(8 <= size <= 4096 for size in sizes):
        raise InputError(f"Sizes must lie between 8 and 4096 pixels, not {sizes or 'none'}.")


def _refuse_empty(data: Path, usable: Usable) -> None:
    if not usable.indices:
        from stylesdf_core.data.images import list_skipped

        raise InputError(f"{data} holds no usable image: {list_skipped(usable.skipped)}.")
