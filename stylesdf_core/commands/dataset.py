"""The commands ``dataset check``, ``pack`` and ``align``: pictures for training.

The first two read the pictures as training does, with :mod:`stylesdf_core.data.images`; the third
makes them of loose photographs, with :mod:`stylesdf_core.judges`.
"""

from __future__ import annotations

import math
import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from stylesdf_core.errors import InputError, check_range
from stylesdf_core.foreign import cause, printable
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
        images = "1 image" if self.usable == 1 else f"{self.usable:,} images"
        lines = [f"{self.path}: {images}, {len(self.skipped):,} skipped"]
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
        from stylesdf_core.data.frame_presets import FRAME_PRESET, read_frame_preset
        from stylesdf_core.data.images import UNREADABLE, Skipped, find_usable, open_images, square
        from stylesdf_core.data.lmdb_images import write_lmdb

        _check_sizes(self.sizes)
        largest, smallest = max(self.sizes), min(self.sizes)
        with closing(open_images(self.data, largest)) as source, write_lmdb(self.out) as writer:
            usable = yield from find_usable(source, largest)
            _refuse_empty(self.data, usable)
            if (preset := read_frame_preset(self.data)) is not None:
                writer.note(FRAME_PRESET, preset)
            skipped = list(usable.skipped)
            for done, index in enumerate(usable.indices):
                yield Progress(done, len(usable.indices), "images packed")
                try:
                    with source.read(index) as image:
                        pictures = {size: square(image, size) for size in self.sizes}
                except UNREADABLE as error:  # of a damaged PNG whose checksums are right
                    skipped.append(Skipped(source.names[index], f"cannot be read: {cause(error)}"))
                else:
                    writer.add(pictures)
        return DatasetReport(self.out, writer.length, smallest, tuple(skipped))


@dataclass(frozen=True)
class AlignReport:
    """What became of a folder of photographs; as text, a few lines.

    Attributes:
        out: the folder of the crops.
        crops: number of pictures in it.
        left_out: photographs and faces that are left out, each with the reason.
        poses: the estimated poses' distribution, one sentence; empty without landmarks.
    """

    out: Path
    crops: int
    left_out: tuple[str, ...]
    poses: str

    def __str__(self) -> str:
        pictures = "1 picture" if self.crops == 1 else f"{self.crops:,} pictures"
        lines = [f"{self.out}: {pictures}, {len(self.left_out):,} left out"]
        lines += [self.poses] if self.poses else []
        lines += [printable(f"left out {item}") for item in self.left_out[:_LISTED]]
        if len(self.left_out) > _LISTED:
            lines.append(f"… and {len(self.left_out) - _LISTED:,} more, in left_out.csv")
        return "\n".join(lines)


@dataclass(frozen=True, kw_only=True)
class DatasetAlign:
    """Crop the faces of loose photographs into upright, centred pictures to train on.

    Each face becomes one picture. Beside the pictures, aligned.csv lists their photographs, crops
    and estimated poses, and left_out.csv what was left out, and why. The same command goes on after
    an interruption and adds new photographs.
    """

    photos: Path
    """Folder of photographs (nested, any size up to 100 megapixels, any format)."""

    out: Path
    """Folder for the pictures; new, empty, or one that this command has made."""

    preset: Literal["ffhq", "heads"] = "ffhq"
    """How faces are framed: as in FFHQ, or as the pictures of the model `heads`, from which the
    head's middle does not move as the head turns."""

    size: int = 256
    """Edge of the pictures, pixels, 16 to 2048."""

    smallest: int | None = None
    """Least edge of a face's crop in its photograph, pixels. Default: half of --size."""

    most_outside: float = 0.3
    """Largest share of a crop beyond its photograph's edges, which is filled with the mirror
    image; 0 to 1."""

    jobs: int | None = None
    """Processes to use, 1 to 256; without it, one for each processor core."""

    def run(self) -> Operation[AlignReport]:
        """Crop the faces of the photographs that are not done yet.

        Raises:
            InputError: a value is out of range, there are no photographs, no face is found in any,
                no judge is installed, or ``out`` holds other files or crops of other settings.
            OutputError: a picture cannot be written.
        """
        jobs = os.cpu_count() or 1 if self.jobs is None else self.jobs
        smallest = self.size // 2 if self.smallest is None else self.smallest
        check_range("--size", self.size, 16, 2048)
        check_range("--smallest", smallest, 16, 10_000)
        check_range("--most-outside", self.most_outside, 0.0, 1.0)
        check_range("--jobs", jobs, 1, 256)
        yield Progress(0, 1, "looking for photographs")
        from stylesdf_core.data.images import FolderImages
        from stylesdf_core.judges.aligning import AlignedFolder, AlignSettings
        from stylesdf_core.judges.finding import find_judge

        if not self.photos.is_dir():
            raise InputError(f"There is no folder {self.photos} of photographs.")
        if self.out.absolute().is_relative_to(self.photos.absolute()):
            raise InputError("--out must lie outside of --photos, whose pictures are all read.")
        names = FolderImages(self.photos).names
        if not names:
            raise InputError(f"{self.photos} holds no photographs such as .jpg or .png.")
        judge = find_judge().name
        settings = AlignSettings(self.preset, self.size, smallest, self.most_outside, judge)
        folder = AlignedFolder(self.out, settings)
        missing = folder.missing(self.photos, names)
        kept = len(names) - len(missing)
        message = f"faces cropped, {kept} photographs were done" if kept else "faces cropped"
        yield Progress(kept, len(names), message)
        with closing(folder.align(self.photos, missing, jobs)) as results:
            for done, _ in enumerate(results, start=1):
                yield Progress(kept + done, len(names), message)
        folder.write_tables()
        left_out = tuple(
            f"{item.photo}{f', face {item.face}' if item.face else ''}: {item.reason}"
            for item in folder.left_out
        )
        if not folder.crops:
            listed = "; ".join(left_out[:3])
            raise InputError(f"No face of {self.photos} can be used: {printable(listed)}.")
        angles = [
            (row.azimuth, row.elevation)
            for row in folder.crops
            if row.azimuth is not None and row.elevation is not None
        ]
        return AlignReport(self.out, len(folder.crops), left_out, _poses_text(angles))


def _poses_text(angles: list[tuple[float, float]]) -> str:
    """Mean and spread of estimated poses, and the flags with which training draws such cameras."""
    if not angles:
        return ""
    texts = []
    spreads = []
    for values in zip(*angles, strict=True):
        mean = math.fsum(values) / len(values)
        spreads.append(math.sqrt(math.fsum((v - mean) ** 2 for v in values) / len(values)))
        texts.append(f"{mean:+.2f} ± {spreads[-1]:.2f}")
    return (
        f"azimuth {texts[0]}, elevation {texts[1]} rad; to train with such cameras: "
        f"--poses.azimuth-std {spreads[0]:.2f} --poses.elevation-std {min(0.5, spreads[1]):.2f}"
    )


def _check_sizes(sizes: tuple[int, ...]) -> None:
    if not sizes or not all(8 <= size <= 4096 for size in sizes):
        raise InputError(f"Sizes must lie between 8 and 4096 pixels, not {sizes or 'none'}.")


def _refuse_empty(data: Path, usable: Usable) -> None:
    if not usable.indices:
        from stylesdf_core.data.images import list_skipped

        raise InputError(f"{data} holds no usable image: {list_skipped(usable.skipped)}.")
