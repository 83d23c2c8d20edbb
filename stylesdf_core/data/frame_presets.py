"""How training pictures frame a face: a photograph for a fit is cut out as the model's pictures."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Literal, TypeAlias

from stylesdf_core.data.lmdb_file import LmdbFile
from stylesdf_core.data.releases import recognise
from stylesdf_core.foreign import LARGEST_JSON, parse_json, reading

#: As FFHQ's pictures, or as those of the shipped synthetic heads.
FramePreset: TypeAlias = Literal["ffhq", "heads"]
#: The preset that is taken where nothing states one.
USUAL_PRESET: FramePreset = "ffhq"
#: Name of a preset's entry in the metadata of a weights file, and key in an lmdb.
FRAME_PRESET = "frame_preset"
#: The file in a folder of crops (``dataset align``) whose first line holds their settings.
JOURNAL = ".aligned.jsonl"


def known_preset(text: object) -> FramePreset | None:
    """The preset that a file names; None for any other content."""
    return "ffhq" if text == "ffhq" else "heads" if text == "heads" else None


def read_frame_preset(folder: Path) -> FramePreset | None:
    """How the pictures of a data set frame their faces; None where nothing says so.

    Synthetic heads and the crops of ``dataset align`` say so, an lmdb that was packed from them,
    and the names of the folders of FFHQ and AFHQ.

    Raises:
        InputError: the file that says so is damaged.
    """
    if (folder / "data.mdb").exists():
        with reading(folder, "an lmdb data set"), closing(LmdbFile(folder / "data.mdb")) as file:
            return known_preset((file.get(FRAME_PRESET.encode()) or b"").decode())
    if (folder / "dataset.json").exists() and (folder / "metadata.jsonl").exists():
        return "heads"
    if (folder / JOURNAL).exists():
        with (
            reading(folder / JOURNAL, "a list of crops"),
            open(folder / JOURNAL, "rb") as stream,
        ):
            return known_preset(parse_json(stream.readline(LARGEST_JSON))["preset"])
    return "ffhq" if recognise(folder.absolute()) else None
