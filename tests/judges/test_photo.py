"""A photograph in parts: turned as its EXIF says, reduced and cropped as the whole would be."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import ExifTags, Image

from stylesdf_core.data.eight_bits import upright_rgb
from stylesdf_core.errors import InputError
from stylesdf_core.judges import photo as module
from stylesdf_core.judges.photo import Photo, open_photo

RNG = np.random.default_rng(4)


def noise(height: int, width: int, channels: int = 3) -> np.ndarray:
    return RNG.integers(0, 256, (height, width, channels), np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_regions_lie_where_the_upright_picture_has_them(tmp_path: Path, orientation: int) -> None:
    path, exif = tmp_path / "photo.png", Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    Image.fromarray(noise(20, 30)).save(path, exif=exif)
    with Image.open(path) as image:
        upright = np.asarray(upright_rgb(image))
    photo = open_photo(path)
    assert photo.size == upright.shape[1::-1]
    assert np.array_equal(photo.region((3, 2, 11, 17)), upright[2:17, 3:11])
    assert np.array_equal(photo.reduced(100)[0], upright)


def test_the_reduced_copy_is_made_in_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_STRIP", 90)
    pixels = noise(32, 30)
    small, factor = Photo.of(pixels).reduced(11)
    assert factor == 3
    assert np.array_equal(small, np.asarray(Image.fromarray(pixels).reduce(3)))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "1", "CMYK", "I;16"])
def test_every_mode_becomes_rgb_as_for_training(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "photo.tif"
    image = Image.fromarray(noise(12, 10, 4))
    if mode == "I;16":
        image = Image.fromarray(RNG.integers(0, 65_536, (12, 10)).astype(np.uint16))
    image = image if image.mode == mode else image.convert("RGB").convert(mode)
    image.save(path)
    with Image.open(path) as opened:
        whole = np.asarray(upright_rgb(opened))
    assert np.array_equal(open_photo(path).region((2, 3, 9, 11)), whole[3:11, 2:9])


def test_more_than_100_megapixels_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 599)
    Image.fromarray(noise(20, 30)).save(tmp_path / "large.png")
    with pytest.raises(InputError, match="megapixels"):
        open_photo(tmp_path / "large.png")


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.jpg").write_text("no picture")
    with pytest.raises(InputError, match=r"words\.jpg cannot be read as a photograph"):
        open_photo(tmp_path / "words.jpg")
    with pytest.raises(InputError, match="There is no file"):
        open_photo(tmp_path / "missing.jpg")
