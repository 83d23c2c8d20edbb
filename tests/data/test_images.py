"""Folders of pictures: which are found, which are usable, and their conversion to 8 bits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageOps

from stylesdf_core.data.images import FolderImages, find_usable, open_images, shrink, split, square
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from tests.data.pictures import mixed_folder, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return mixed_folder(tmp_path / "images")


def test_a_nested_folder_is_read_and_what_cannot_be_used_is_listed(folder: Path) -> None:
    source = open_images(folder, 32)
    assert len(source.names) == 16
    usable = drain(find_usable(source, 32))
    assert len(usable.indices) == 13
    reasons = {item.name: item.reason for item in usable.skipped}
    assert set(reasons) == {"broken.png", "half.png", "small.png"}
    assert reasons["small.png"] == "is 15 pixels small; half of 32 are needed"
    assert len(drain(find_usable(source, 32, upscale=True)).indices) == 14


def test_the_centre_is_cropped_and_exif_honoured(tmp_path: Path) -> None:
    pixels = np.zeros((8, 24, 3), np.uint8)
    pixels[:, 8:16] = 200
    assert (square(Image.fromarray(pixels), 8) == 200).all()
    top_bright = np.zeros((16, 16, 3), np.uint8)
    top_bright[:8] = 255
    exif = Image.Exif()
    exif[0x0112] = 3  # upside down
    Image.fromarray(top_bright).save(tmp_path / "turned.png", exif=exif)
    with Image.open(tmp_path / "turned.png") as image:
        turned = square(image, 4)
    assert turned[0].max() < 30
    assert turned[-1].min() > 225


def test_odd_exif_spoils_no_picture(tmp_path: Path) -> None:
    """The EXIF gives the width as text beside the orientation; Pillow could not write it anew."""
    exif = Image.Exif()
    exif[0x0112], exif[0x010E] = 3, "a description"
    half = np.zeros((16, 16, 3), np.uint8)
    half[:8] = 255
    Image.fromarray(half).save(tmp_path / "odd.jpg", exif=exif, quality=95)
    content = (tmp_path / "odd.jpg").read_bytes()
    assert content.count(b"\x01\x0e\x00\x02") == 1
    (tmp_path / "odd.jpg").write_bytes(content.replace(b"\x01\x0e\x00\x02", b"\x01\0\0\x02"))
    with Image.open(tmp_path / "odd.jpg") as image:
        turned = square(image, 16)
    assert turned[0].max() < 30
    assert turned[-1].min() > 225


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_orientation_is_turned_as_pillow_does(orientation: int, tmp_path: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as image:
        expected = np.asarray(ImageOps.exif_transpose(image))
    with Image.open(tmp_path / "a.png") as image:
        np.testing.assert_array_equal(square(image, 8), expected)


def test_odd_modes_become_rgb() -> None:
    clear = Image.new("RGBA", (4, 4), (10, 20, 30, 0))
    assert (square(clear, 4) == 255).all(), "transparent shows white"
    deep = Image.fromarray(np.full((4, 4), 256 * 77, np.uint16))
    assert (square(deep, 4) == 77).all()
    assert square(Image.new("L", (4, 4), 9), 4).shape == (4, 4, 3)


def test_thumbs_are_shrunk_by_the_hamming_filter() -> None:
    source = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    expected = Image.fromarray(source).resize((16, 16), Image.Resampling.HAMMING)
    np.testing.assert_array_equal(shrink(source, 16), np.asarray(expected))


def test_depth_maps_of_a_heads_data_set_are_no_faces(tmp_path: Path) -> None:
    save(tmp_path / "images/000/000000.png")
    save(tmp_path / "depth/000/000000.png")
    (tmp_path / "dataset.json").write_text("{}")
    row = {"file": "images/000/000000.png", "depth": "depth/000/000000.png"}
    (tmp_path / "metadata.jsonl").write_text(json.dumps(row) + "\n")
    assert list(FolderImages(tmp_path).names) == ["images/000/000000.png"]
    (tmp_path / "metadata.jsonl").write_text("{\n")
    with pytest.raises(InputError, match=r"cannot be read as a table of heads \(line 1\)"):
        FolderImages(tmp_path)


@pytest.mark.parametrize(
    "name", ["../a.png", "/a.png", "x/../../a.png", "//share/a.png", "C:a.png"]
)
def test_a_table_of_heads_names_files_in_its_folder_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / "dataset.json").write_text("{}")
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"file": name}) + "\n")
    with pytest.raises(InputError, match=r"\(line 1\): its file .*a\.png lies outside of the fol"):
        FolderImages(tmp_path)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        open_images(tmp_path / "nowhere", 32)
    with pytest.raises(InputError, match="holds no images"):
        open_images(tmp_path, 32)


def test_a_seed_gives_one_split() -> None:
    train, apart = split(50, 0.2, 7)
    assert len(apart) == 10
    assert sorted([*train, *apart]) == list(range(50))
    np.testing.assert_array_equal(split(50, 0.2, 7)[1], apart)
    assert not np.array_equal(split(50, 0.2, 8)[1], apart)


@pytest.mark.parametrize("suffix", [".jfif", ".JPE", ".gif", ".avif", ".jp2", ".ppm", ".tga"])
def test_formats_that_pillow_reads_are_taken_in(tmp_path: Path, suffix: str) -> None:
    if suffix == ".avif" and suffix not in Image.registered_extensions():
        pytest.skip("this Pillow knows no AVIF")
    save(tmp_path / f"a{suffix}", level=77)
    source = open_images(tmp_path, 32)
    assert drain(find_usable(source, 32)).indices == (0,)
    with source.read(0) as image:
        assert np.abs(square(image, 32).astype(int) - 77).max() <= 3


def test_formats_that_pillow_does_not_read_are_listed(tmp_path: Path) -> None:
    for name in ("a.heic", "b.cr2", "c.svg"):
        (tmp_path / name).write_bytes(b"of another format")
    skipped = drain(find_usable(open_images(tmp_path, 32), 32)).skipped
    assert [item.name for item in skipped] == ["a.heic", "b.cr2", "c.svg"]
    assert all("no format that Pillow knows" in item.reason for item in skipped)


def test_hidden_files_and_folders_are_passed_over(tmp_path: Path) -> None:
    for name in ("in/.hidden/a.png", "in/@eaDir/a.png", "in/._b.png", "in/deep/er/c.png"):
        save(tmp_path / name)
    assert list(FolderImages(tmp_path / "in").names) == ["deep/er/c.png"]


def test_linked_folders_are_read_once(tmp_path: Path) -> None:
    save(tmp_path / "elsewhere/a.png")
    save(tmp_path / "in/b.png")
    for name, target in (("one", "elsewhere"), ("two", "elsewhere"), ("loop", "in")):
        (tmp_path / "in" / name).symlink_to(tmp_path / target, target_is_directory=True)
    assert list(FolderImages(tmp_path / "in").names) == ["b.png", "one/a.png"]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.array([0, 200], np.uint16), [0, 200]),  # 8 bits in 16
        (np.array([0, 16 * 200], np.uint16), [0, 200]),  # 12 bits in 16
        (np.array([16, 256 * 200 + 255], np.uint16), [0, 200]),
        (np.array([5, 250], np.int32), [5, 250]),
        (np.array([256, 256 * 77 + 9], np.int32), [1, 77]),
        (np.array([1 << 23, 2**31 - 1], np.int32), [1, 255]),
        (np.array([0.0, 0.2, 1.0], np.float32), [0, 51, 255]),
    ],
)
def test_deep_values_become_8_bits(tmp_path: Path, values: np.ndarray, expected: list[int]) -> None:
    Image.fromarray(np.tile(values, (3, 1))).save(tmp_path / "a.tif")
    with Image.open(tmp_path / "a.tif") as image:
        pixels = square(image.crop((0, 0, len(values), len(values))), len(values))
    assert pixels[0, :, 0].tolist() == expected
    assert (pixels == pixels[..., :1]).all()


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, 1_000_000], np.int32),
        np.array([-1, 200], np.int32),
        np.array([0.0, 255.0], np.float32),
        np.array([-0.5, 0.5], np.float32),
        np.array([0.0, np.nan], np.float32),
    ],
)
def test_values_without_a_known_white_are_left_out(tmp_path: Path, values: np.ndarray) -> None:
    Image.fromarray(np.tile(values, (8, 4))).save(tmp_path / "a.tif")
    (item,) = drain(find_usable(open_images(tmp_path, 8), 8)).skipped
    assert item.name == "a.tif"
    assert "no known bit depth" in item.reason or "instead of 0 to 1" in item.reason
