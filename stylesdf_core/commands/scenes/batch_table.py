"""The table of a batch: every file with its settings and figures, as JSON and as CSV.

``batch.json`` is read when a batch is started again; ``batch.csv`` has the same lines.
"""

from __future__ import annotations

import csv
import io
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import write_json, write_text
from stylesdf_core.foreign import brief, read_json, reading

TABLE = "batch.json"
_FORMAT = 1
#: Largest table that is read, bytes; a file's line has some 300.
_LARGEST = 256 << 20
#: Seconds between two writings of the table.
_SAVED_EVERY = 5.0


@dataclass(frozen=True)
class BatchFile:
    """One line of the table: a file of a face.

    Attributes:
        seed: of the face.
        file: name in the batch's folder.
        settings: which of the table's settings the file was made with.
        bytes: size of the file; 0 unless it was made.
        beside: names of further files that belong to it, such as textures.
        seconds: that it took.
        width, height: of a picture, pixels.
        triangles, vertices, watertight, extent: of a mesh; of the first level of detail.
        error: why a file could not be made.
    """

    seed: int
    file: str
    state: Literal["to do", "made", "failed"] = "to do"
    settings: int = 0
    bytes: int = 0
    beside: tuple[str, ...] = ()
    seconds: float = 0.0
    width: int | None = None
    height: int | None = None
    triangles: int | None = None
    vertices: int | None = None
    watertight: bool | None = None
    extent: str = ""
    error: str = ""

    def is_whole(self, folder: Path) -> bool:
        """Whether the file was made, and it and those beside it are still there in full."""
        if self.state != "made":
            return False
        with suppress(OSError):
            sizes = [(folder / name).stat().st_size for name in (self.file, *self.beside)]
            return sizes[0] == self.bytes and all(sizes)
        return False


class BatchTable:
    """The table of a batch's folder, as far as there is one; also writes it as CSV.

    Attributes:
        settings: settings of files, as JSON values.
        lines: by the files' names.

    Raises:
        InputError: ``batch.json`` is there and is no table.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.settings: list[dict[str, Any]] = []
        self.lines: dict[str, BatchFile] = {}
        self._saved_at = -math.inf
        path = folder / TABLE
        if not path.exists():
            return
        with reading(path, "the table of a batch"):
            self._read(path)

    def _read(self, path: Path) -> None:
        document = read_json(path, largest=_LARGEST)
        if not isinstance(document, dict) or document.get("stylesdf_batch") != _FORMAT:
            raise InputError(f"{path} is not the table of a batch; choose another folder.")
        kept = from_json(_Files, {"files": document.get("files")}, str(path))
        self.settings = [dict(entry) for entry in document.get("settings", [])]
        known = range(len(self.settings))
        self.lines = {line.file: line for line in kept.files if line.settings in known}

    def setting(self, wanted: dict[str, Any]) -> int:
        """Number of these settings, which are added if they are new."""
        if wanted not in self.settings:
            self.settings.append(wanted)
        return self.settings.index(wanted)

    def missing(self, wanted: Sequence[BatchFile]) -> list[BatchFile]:
        """The wanted files that are to be made, because they are not there or not whole.

        Raises:
            InputError: files of the same family were made with other settings, or a file is there
                that no batch has made.
        """
        remedy = "choose another folder, or make all files anew (--again)"
        for number in {line.settings for line in wanted}:
            for line in self.lines.values():
                other = self.settings[line.settings] if line.settings != number else None
                if other is None or not line.is_whole(self.folder):
                    continue
                if other.get("family") == self.settings[number]["family"]:
                    difference = next(_differences(other, self.settings[number]))
                    raise InputError(
                        f"{self.folder} holds {other['family']} made with other settings "
                        f"({difference}): {remedy}."
                    )
        for line in wanted:
            if line.file not in self.lines and (self.folder / line.file).exists():
                raise InputError(
                    f"{self.folder / line.file} is there, but no batch made it: {remedy}."
                )
        return [
            line
            for line in wanted
            if line.file not in self.lines or not self.lines[line.file].is_whole(self.folder)
        ]

    @contextmanager
    def kept(self, todo: Sequence[BatchFile]) -> Iterator[None]:
        """List files as to do, and save the table when the block begins and ends."""
        for line in todo:
            self.lines[line.file] = line
        self.save()
        try:
            yield
        finally:
            self.save()

    def put(self, line: BatchFile) -> None:
        """Replace a file's line; the table is saved now and then."""
        self.lines[line.file] = line
        if time.monotonic() - self._saved_at > _SAVED_EVERY:
            self.save()

    def save(self) -> None:
        """Write both files."""
        lines = sorted(self.lines.values(), key=lambda line: (line.seed, line.file))
        files = [asdict(line) for line in lines]
        document = {"stylesdf_batch": _FORMAT, "settings": self.settings, "files": files}
        write_json(self.folder / TABLE, document)
        text = io.StringIO()
        writer = csv.DictWriter(text, [item.name for item in fields(BatchFile)])
        writer.writeheader()
        for line in files:
            writer.writerow({**line, "beside": " ".join(line["beside"])})
        write_text(self.folder / "batch.csv", text.getvalue())
        self._saved_at = time.monotonic()


@dataclass(frozen=True)
class _Files:
    files: tuple[BatchFile, ...]


def _differences(old: object, new: object, name: str = "") -> Iterator[str]:
    """Where two JSON values differ, such as ``size: 256, now 512``."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            inner = f"{name}.{key}" if name else key
            yield from _differences(old.get(key), new.get(key), inner)
    elif old != new:
        before, now = ("not given" if value is None else brief(value) for value in (old, new))
        yield f"{name.removeprefix('scene.')}: {before}, now {now}"
