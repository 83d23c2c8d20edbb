"""The data of a run: recorded in its folder, and recognised when they lie elsewhere later.

A resumed run needs the data it began with, but not at the same path: ``train renderer --data NEW
--run-dir RUN`` goes on with pictures that were moved, and the run reads them at the new path from
then on. ``data.json`` in the run's folder holds fingerprints of the data. It lists the pictures
that are left out as well, so that a resumed run need not look at every picture again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from stylesdf_core.data.images import ImageSource, Skipped, Usable, find_usable, fingerprint
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import json_line, write_text
from stylesdf_core.foreign import read_json
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.training.runs.run_dir import RunDir

_POLL_SECONDS = 0.5
#: Pictures left out that data.json lists at most, lest the file becomes too large to be read.
_MOST_SKIPPED = 200_000


@dataclass(frozen=True)
class LookedAt:
    """What a look at every picture has found; see :func:`~stylesdf_core.data.images.find_usable`.

    Attributes:
        size: edge at which the run trains, pixels.
        upscale: whether small pictures are used.
        smallest: least edge of the usable pictures, pixels.
        skipped: numbers of the pictures that are left out, by reason.
    """

    size: int
    upscale: bool
    smallest: int
    skipped: tuple[tuple[str, tuple[int, ...]], ...]


@dataclass(frozen=True)
class RunData:
    """The content of ``data.json``.

    Attributes:
        holds: the data in words, such as "70,000 pictures".
        fingerprints: (name, fingerprint) of each part of the data, such as ("pictures", "1f…").
        looked_at: None for data that are not pictures, and if too many are left out to be listed.
    """

    holds: str
    fingerprints: tuple[tuple[str, str], ...]
    looked_at: LookedAt | None = None


def check_data(run: RunDir, path: Path | str, found: RunData) -> None:
    """Refuse data that the run's checkpoint was not trained on; parts that are new are welcome.

    Raises:
        InputError: names both.
    """
    known = _recorded(run)
    if known is None or run.latest() is None:
        return
    marks, expected = dict(found.fingerprints), dict(known.fingerprints)
    other = [part for part in expected if marks.get(part, expected[part]) != expected[part]]
    if other:
        raise InputError(
            f"{path} does not hold the data that {run.path} was trained on: {found.holds} "
            f"(fingerprint {marks[other[0]]}) instead of {known.holds} (fingerprint "
            f"{expected[other[0]]}). Give the same data with --data or choose a new run folder; "
            f"to go on with other data all the same, delete {run.data_file}."
        )


def check_and_record(run: RunDir, path: Path | str, found: RunData) -> None:
    """:func:`check_data`, then record the data.

    Raises:
        InputError: see :func:`check_data`.
        OutputError: the run's folder cannot be written.
    """
    check_data(run, path, found)
    known = _recorded(run)
    kept: Mapping[str, str] = dict(known.fingerprints) if known and run.latest() else {}
    marks = {**kept, **dict(found.fingerprints)}
    _record(run, replace(found, fingerprints=tuple(marks.items())))


def pictures(source: ImageSource) -> RunData:
    """The record of pictures that have not been looked at yet."""
    return RunData(f"{len(source.names):,} pictures", (("pictures", fingerprint(source)),))


def find_usable_again(
    run: RunDir, path: Path, source: ImageSource, size: int, *, upscale: bool, is_main: bool
) -> Operation[Usable]:
    """The usable pictures of a run, from its folder if these pictures were looked at before.

    Args:
        path: where the pictures lie, for messages.
        is_main: look at the pictures, and record what is found; other processes of the run wait
            for the record.

    Raises:
        InputError: these are not the pictures that the run was trained on.
        OutputError: the run's folder cannot be written.
    """
    found = pictures(source)
    check_data(run, path, found)
    while True:
        known = _recorded(run)
        if known is not None and known.fingerprints == found.fingerprints:
            if known.looked_at is None:
                break
            if (known.looked_at.size, known.looked_at.upscale) == (size, upscale):
                return _usable(source, known.looked_at)
        if is_main:
            break
        yield Progress(0, 1, "the first process looks at the images")
        time.sleep(_POLL_SECONDS)
    usable = yield from find_usable(source, size, upscale=upscale, whole=False)
    if is_main:
        place = {name: number for number, name in enumerate(source.names)}
        reasons: dict[str, list[int]] = {}
        for item in usable.skipped:
            reasons.setdefault(item.reason, []).append(place[item.name])
        skipped = tuple((reason, tuple(numbers)) for reason, numbers in reasons.items())
        seen = LookedAt(size, upscale, usable.smallest, skipped)
        is_short = len(usable.skipped) <= _MOST_SKIPPED
        _record(run, replace(found, looked_at=seen if is_short else None))
    return usable


def _usable(source: ImageSource, seen: LookedAt) -> Usable:
    skipped = {number: reason for reason, numbers in seen.skipped for number in numbers}
    return Usable(
        tuple(number for number in range(len(source.names)) if number not in skipped),
        tuple(Skipped(source.names[number], skipped[number]) for number in sorted(skipped)),
        seen.smallest,
    )


def _recorded(run: RunDir) -> RunData | None:
    with suppress(InputError):  # without a readable record, the data are looked at again
        return from_json(RunData, read_json(run.data_file), str(run.data_file))
    return None


def _record(run: RunDir, data: RunData) -> None:
    write_text(run.data_file, json_line(to_json(data)) + "\n")
