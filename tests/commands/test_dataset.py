"""The commands ``dataset check`` and ``dataset pack`` see pictures as training does."""

from __future__ import annotations

import zlib
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.dataset import DatasetCheck, DatasetPack
from stylesdf_core.data.lmdb_images import LmdbImages
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.batches.real_images import Share, open_real_images
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.adversarial.config.presets import PRESETS
from tests.data.pictures import mixed_folder, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return mixed_folder(tmp_path / "images")


def test_check_counts_usable_pictures(folder: Path) -> None:
    report = drain(DatasetCheck(data=folder, size=32).run())
    assert (report.usable, report.smallest) == (13, 32)
    with pytest.raises(InputError, match="between 8 and 4096"):
        drain(DatasetCheck(data=folder, size=0).run())


def test_check_and_training_count_alike(folder: Path) -> None:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "cut.jpg")
    content = (folder / "cut.jpg").read_bytes()
    (folder / "cut.jpg").write_bytes(content[: len(content) // 2])
    for edge in (1, 10):
        save(folder / f"edge{edge}.png", (edge, edge))
    for upscale, count in ((False, 13), (True, 16)):
        report = drain(DatasetCheck(data=folder, size=32, upscale=upscale).run())
        config = ImagesConfig(upscale=upscale, held_out=0.0)
        images, found = drain(open_real_images(folder, config, 32, 16, 4, seed=1, share=Share()))
        images.close()
        assert report.usable == len(images) == count
        assert f"{count} images, {19 - count} skipped: broken.png cannot be read" in found
    for preset, values in PRESETS.items():
        assert "images.upscale" not in values, f"{preset} and `dataset check` would differ"
    report = drain(DatasetCheck(data=folder, size=32).run())
    reasons = {item.name: item.reason for item in report.skipped}
    assert "truncated" in reasons["cut.jpg"]
    assert reasons["edge1.png"] == "is 1 pixels small; half of 32 are needed"


def test_a_damaged_picture_whose_checksums_are_right_is_left_out_of_a_pack(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        save(tmp_path / "in" / f"{name}.png", (32, 32))
    content = (tmp_path / "in" / "b.png").read_bytes()
    start = content.index(b"IDAT") + 4
    pixels = bytes(int.from_bytes(content[start - 8 : start - 4], "big"))
    checksum = zlib.crc32(b"IDAT" + pixels).to_bytes(4, "big")
    damaged = content[:start] + pixels + checksum + content[start + len(pixels) + 4 :]
    (tmp_path / "in" / "b.png").write_bytes(damaged)
    report = drain(DatasetPack(data=tmp_path / "in", out=tmp_path / "out", sizes=(8,)).run())
    assert (report.usable, [item.name for item in report.skipped]) == (2, ["b.png"])
    assert len(LmdbImages(tmp_path / "out", 8).names) == 2


def test_nothing_usable_is_an_error(tmp_path: Path) -> None:
    for index in range(5):
        save(tmp_path / "in" / f"{index}.png", (10, 10))
    (tmp_path / "in" / "page.png").write_text("<html>")
    expected = r"holds no usable image: 0\.png is 10 pixels small.*and 3 more\."
    for command in (
        DatasetCheck(data=tmp_path / "in", size=32),
        DatasetPack(data=tmp_path / "in", out=tmp_path / "out", sizes=(32,)),
    ):
        with pytest.raises(InputError, match=expected):
            drain(command.run())
    assert not (tmp_path / "out").exists()


def test_pack_writes_the_published_layout(folder: Path, tmp_path: Path) -> None:
    report = drain(DatasetPack(data=folder, out=tmp_path / "packed", sizes=(16, 32)).run())
    assert report.usable == 13
    assert {item.name for item in report.skipped} == {"broken.png", "half.png", "small.png"}
    assert "13 images, 3 skipped" in str(report)
    packed = lmdb.open(str(tmp_path / "packed"), readonly=True, lock=False)
    with packed, packed.begin() as transaction:
        assert transaction.get(b"length") == b"13"
        keys = [bytes(key) for key, _ in transaction.cursor()]
    assert keys[:2] == [b"16-00000", b"16-00001"]
    assert len(keys) == 27
    source = LmdbImages(tmp_path / "packed", 20)
    assert source.size == 32, "the smallest that is large enough"
    with source.read(3) as image:
        assert np.asarray(image)[0, 0, 0] == 60
    source.close()
    assert not list(tmp_path.glob(".packed*"))
    with pytest.raises(InputError, match="exists already"):
        drain(DatasetPack(data=folder, out=tmp_path / "packed").run())
