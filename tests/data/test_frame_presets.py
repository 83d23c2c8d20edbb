"""How the pictures of a data set frame a face, as far as the data set says so."""

from __future__ import annotations

from pathlib import Path

import pytest

from stylesdf_core.commands.dataset import DatasetPack
from stylesdf_core.data.frame_presets import read_frame_preset
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from tests.data.pictures import save


def test_heads_crops_and_ffhq_say_how_they_frame_a_face_and_other_folders_do_not(
    tmp_path: Path,
) -> None:
    folders = {name: tmp_path / name for name in ("heads", "crops", "images1024x1024", "mine")}
    for folder in folders.values():
        folder.mkdir()
        save(folder / "a.png", (16, 16))
    for name in ("dataset.json", "metadata.jsonl"):
        (folders["heads"] / name).write_text("{}")
    (folders["crops"] / ".aligned.jsonl").write_text('{"preset": "heads"}\n{"photo": "a.jpg"}\n')
    assert {name: read_frame_preset(folder) for name, folder in folders.items()} == {
        "heads": "heads",
        "crops": "heads",
        "images1024x1024": "ffhq",
        "mine": None,
    }
    for name in ("crops", "mine"):
        packed = tmp_path / f"{name}.lmdb"
        assert drain(DatasetPack(data=folders[name], out=packed, sizes=(8,)).run()).usable == 1
        assert read_frame_preset(packed) == read_frame_preset(folders[name])
    (folders["crops"] / ".aligned.jsonl").write_text('{"preset')
    with pytest.raises(InputError, match="aligned"):
        read_frame_preset(folders["crops"])
