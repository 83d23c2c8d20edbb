"""Loose photographs as training pictures: every face cropped, upright, of one size.

Of each photograph, a worker writes the crops and gives an :class:`Aligned`: one row for each crop
and one sentence for each face, or photograph, that is left out. The rows go to a journal at once,
so that an interrupted run goes on, and in the end to two tables.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path

from PIL import Image

from stylesdf_core.data.frame_presets import JOURNAL, FramePreset
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, json_line, write_text
from stylesdf_core.foreign import parse_json
from stylesdf_core.judges.face import FoundFace
from stylesdf_core.judges.finding import find_faces, find_judge, why_none
from stylesdf_core.judges.framing import crop
from stylesdf_core.judges.photo import Photo, open_photo
from stylesdf_core.system.processes import in_processes

#: Tables of the crops and of what was left out.
TABLE, LEFT_OUT = "aligned.csv", "left_out.csv"


@dataclass(frozen=True)
class AlignSettings:
    """How photographs are cropped.

    Attributes:
        preset: the frame of the crops.
        size: edge of the crops, pixels.
        smallest: least edge of a frame in its photograph, pixels.
        most_outside: largest share of a frame beyond its photograph's edges.
        judge: name of the library that finds the faces.
    """

    preset: FramePreset
    size: int
    smallest: int
    most_outside: float
    judge: str


@dataclass(frozen=True)
class CropRow:
    """One row of the table: a training picture and where it comes from.

    Attributes:
        file: the picture, inside the folder.
        photo: the photograph, inside its folder.
        face: number of the face in the photograph, from 1, the largest, on.
        azimuth, elevation: estimated camera, radians; None where no landmarks are known.
        roll: by which the photograph's head was turned clockwise, radians.
        middle_x, middle_y, edge, turn: the crop's square in the upright photograph: pixels, and
            radians clockwise.
        outside: share of the square beyond the photograph's edges.
    """

    file: str
    photo: str
    face: int
    azimuth: float | None
    elevation: float | None
    roll: float
    middle_x: float
    middle_y: float
    edge: float
    turn: float
    outside: float


@dataclass(frozen=True)
class LeftOut:
    """A photograph, or one of its faces, of which no picture is made.

    Attributes:
        face: its number; 0 for the whole photograph.
    """

    photo: str
    face: int
    reason: str


@dataclass(frozen=True)
class Aligned:
    """What became of one photograph.

    Attributes:
        stamp: size and time of the file, by which a changed photograph is recognised.
    """

    photo: str
    stamp: tuple[int, int]
    crops: tuple[CropRow, ...] = ()
    left_out: tuple[LeftOut, ...] = ()


class AlignedFolder:
    """A folder of crops with its tables and its journal.

    Raises:
        InputError: the folder holds crops of other settings, or other files.
        OutputError: the folder cannot be made or written.
    """

    def __init__(self, folder: Path, settings: AlignSettings) -> None:
        self.folder = folder
        self.settings = settings
        self._done = self._read_journal()

    @property
    def crops(self) -> list[CropRow]:
        """All crops, sorted by photograph."""
        return [one for _, done in sorted(self._done.items()) for one in done.crops]

    @property
    def left_out(self) -> list[LeftOut]:
        """Everything that was left out, sorted by photograph."""
        return [one for _, done in sorted(self._done.items()) for one in done.left_out]

    def missing(self, photos: Path, names: Iterable[str]) -> list[str]:
        """The photographs that are new, have changed, or whose crops are not there."""
        return [name for name in names if not self._is_done(photos, name)]

    def align(
        self, photos: Path, names: Sequence[str], jobs: int
    ) -> Generator[Aligned, None, None]:
        """Crop the faces of photographs and record them, in order.

        Closing the generator ends the processes after their current photographs.

        Raises:
            InputError: no judge is installed.
            OutputError: a picture cannot be written.
            StyleSDFError: a process died.
        """
        find_judge()  # a missing extra is said here, not by a process
        work = partial(align_photo, self.settings, photos, self.folder)
        jobs = min(jobs, len(names))
        results = in_processes(work, names, jobs) if jobs > 1 else map(work, names)
        for result in results:
            self._record(result)
            yield result

    def write_tables(self) -> None:
        """Write ``aligned.csv`` and ``left_out.csv``."""
        write_text(self.folder / TABLE, _csv(CropRow, self.crops))
        write_text(self.folder / LEFT_OUT, _csv(LeftOut, self.left_out))

    def _is_done(self, photos: Path, name: str) -> bool:
        done = self._done.get(name)
        return (
            done is not None
            and done.stamp == _stamp(photos / name)
            and all((self.folder / one.file).exists() for one in done.crops)
        )

    def _record(self, result: Aligned) -> None:
        before = self._done.get(result.photo)
        kept = {one.file for one in result.crops}
        for one in before.crops if before else ():  # the photograph has changed since
            if one.file not in kept:
                (self.folder / one.file).unlink(missing_ok=True)
        self._done[result.photo] = result
        with open(self.folder / JOURNAL, "a", encoding="utf-8") as stream:
            stream.write(json_line(to_json(result)) + "\n")

    def _read_journal(self) -> dict[str, Aligned]:
        path = self.folder / JOURNAL
        if not path.exists():
            if self.folder.exists() and any(self.folder.iterdir()):
                raise InputError(f"{self.folder} holds other files; give a new folder as --out.")
            write_text(path, json_line(to_json(self.settings)) + "\n")
            return {}
        first, *lines = path.read_bytes().splitlines(keepends=True)
        try:
            settings = from_json(AlignSettings, parse_json(first))
        except ValueError as error:
            raise InputError(f"{path} is damaged; give a new folder as --out.") from error
        for field in fields(AlignSettings):
            old, new = (getattr(one, field.name) for one in (settings, self.settings))
            if old != new:
                name = field.name.replace("_", " ")
                raise InputError(
                    f"{self.folder} was made with {name} {old}, not {new}; give a new folder as "
                    "--out, or the same settings."
                )
        done: dict[str, Aligned] = {}
        for line in lines:
            if not line.endswith(b"\n"):  # written when the power failed
                write_text(path, b"".join([first, *lines[:-1]]).decode())
                break
            result = from_json(Aligned, parse_json(line), str(path))
            done[result.photo] = result
        return done


def align_photo(settings: AlignSettings, photos: Path, out: Path, name: str) -> Aligned:
    """Write the crops of one photograph's faces into ``out``.

    Raises:
        InputError: no judge is installed.
        OutputError: a picture cannot be written.
    """
    judge, path = find_judge(), photos / name
    stamp = _stamp(path)
    try:
        photo = open_photo(path)
    except InputError as error:
        reason = str(error).removeprefix(f"{path} ").rstrip(".")
        return Aligned(name, stamp, left_out=(LeftOut(name, 0, reason),))
    crops: list[CropRow] = []
    left_out: list[LeftOut] = []
    for number, face in enumerate(find_faces(photo, judge), start=1):
        if reason := _unfit(settings, photo, face):
            left_out.append(LeftOut(name, number, reason))
            continue
        file = f"{name}.{number}.png"
        pixels = crop(photo, face.frame(settings.preset), settings.size)
        with atomic_output(out / file) as temporary:
            Image.fromarray(pixels).save(temporary)
        crops.append(_row(settings, photo, face, file, name, number))
    if not crops and not left_out:
        left_out.append(LeftOut(name, 0, why_none(photo, judge)))
    return Aligned(name, stamp, tuple(crops), tuple(left_out))


def _unfit(settings: AlignSettings, photo: Photo, face: FoundFace) -> str:
    """Why no crop is made of a face; empty if one is."""
    frame = face.frame(settings.preset)
    if frame.edge < settings.smallest:
        return f"its crop is {int(frame.edge)} pixels large; {settings.smallest} are needed"
    outside = frame.outside(photo.size)
    if outside > settings.most_outside:
        return (
            f"{math.ceil(100.0 * outside)}% of its crop lie beyond the photograph's edge; at most "
            f"{settings.most_outside:.0%} may"
        )
    return ""


def _row(
    settings: AlignSettings, photo: Photo, face: FoundFace, file: str, name: str, number: int
) -> CropRow:
    frame, known = face.frame(settings.preset), face.landmarks is not None
    return CropRow(
        file,
        name,
        number,
        azimuth=face.pose.azimuth if known else None,
        elevation=face.pose.elevation if known else None,
        roll=face.pose.roll,
        middle_x=frame.middle[0],
        middle_y=frame.middle[1],
        edge=frame.edge,
        turn=frame.roll,
        outside=frame.outside(photo.size),
    )


def _stamp(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return 0, 0
    return status.st_size, status.st_mtime_ns


def _csv(kind: type[CropRow] | type[LeftOut], rows: Sequence[CropRow] | Sequence[LeftOut]) -> str:
    """A table with a head; numbers with six decimals, which are a hundredth of a pixel and more."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow([field.name for field in fields(kind)])
    for row in rows:
        cells = asdict(row).values()
        writer.writerow([f"{cell:.6f}" if isinstance(cell, float) else cell for cell in cells])
    return table.getvalue().encode("utf-8", "backslashreplace").decode()
