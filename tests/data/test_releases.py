"""The folders of FFHQ's and AFHQ's releases are told apart, and wrong ones refused by name."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.dataset import DatasetCheck
from stylesdf_core.data.images import open_images
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain


def with_picture(folder: Path, ending: str = "png") -> None:
    folder.mkdir(parents=True)
    Image.fromarray(np.zeros((16, 16, 3), np.uint8)).save(folder / f"00000.{ending}")


@pytest.fixture
def ffhq(tmp_path: Path) -> Path:
    root = tmp_path / "ffhq-dataset"
    for name in ("images1024x1024", "thumbnails128x128", "in-the-wild-images"):
        with_picture(root / name / "00000")
    (root / "ffhq-dataset-v2.json").write_text("{}")
    return root


@pytest.fixture(params=["val", "test"])
def afhq(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    root = tmp_path / "afhq"
    for name in ("train", request.param):
        for animal in ("cat", "dog", "wild"):
            with_picture(root / name / animal, "jpg")
    return root


def checked(folder: Path) -> str:
    return str(drain(DatasetCheck(data=folder, size=16).run()))


def test_ffhqs_root_and_photographs_are_refused(ffhq: Path) -> None:
    aligned = re.escape(str(ffhq / "images1024x1024"))
    for wrong in (ffhq, ffhq / "in-the-wild-images"):
        with pytest.raises(InputError, match=f"Give .*aligned faces, {aligned}"):
            checked(wrong)
        with pytest.raises(InputError, match=aligned):
            open_images(wrong, 16)


def test_ffhqs_other_folders_are_recognised(ffhq: Path) -> None:
    assert "aligned faces (70,000 of 1024² when complete)" in checked(ffhq / "images1024x1024")
    assert "a decoder needs images1024x1024" in checked(ffhq / "thumbnails128x128")


def test_aligned_faces_alone_may_lie_in_a_root(ffhq: Path) -> None:
    for name in ("thumbnails128x128", "in-the-wild-images"):
        (ffhq / name / "00000" / "00000.png").unlink()
        (ffhq / name / "00000").rmdir()
        (ffhq / name).rmdir()
    assert "1 image," in checked(ffhq)


def test_afhqs_root_is_refused(afhq: Path) -> None:
    train = re.escape(str(afhq / "train"))
    with pytest.raises(InputError, match=f"kept for testing. Give its pictures .*{train}, or one"):
        checked(afhq)


def test_afhqs_parts_are_recognised(afhq: Path) -> None:
    train = checked(afhq / "train")
    assert "3 images" in train
    assert "AFHQ's cats, dogs and wild animals: --preset afhq" in train
    testing = next(path for path in afhq.iterdir() if path.name != "train")
    assert f"train on {afhq / 'train'}" in checked(testing)
    assert "AFHQ" not in checked(afhq / "train" / "cat").replace(str(afhq), "")
