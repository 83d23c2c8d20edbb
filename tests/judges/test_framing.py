"""Frames and crops: FFHQ's published recipe, and what a crop shows."""

from __future__ import annotations

import numpy as np
import pytest

from stylesdf_core.judges.framing import CropFrame, crop, ffhq_frame
from stylesdf_core.judges.photo import Photo


def ramp(width: int, height: int) -> np.ndarray:
    """A picture whose red grows to the right by 2 a pixel and whose green grows downwards."""
    y, x = np.mgrid[:height, :width]
    return np.stack([2 * x, 2 * y, 0 * x], axis=-1).astype(np.uint8)


def test_a_frame_of_whole_pixels_is_cut_out_unchanged() -> None:
    pixels = np.random.default_rng(1).integers(0, 256, (40, 50, 3), np.uint8)
    picture = crop(Photo.of(pixels), CropFrame((24.0, 20.0), (8.0, 0.0)), 16)
    assert np.array_equal(picture, pixels[12:28, 16:32])


def test_a_turned_frame_is_set_upright() -> None:
    picture = crop(Photo.of(ramp(100, 100)), CropFrame((50.0, 50.0), (0.0, 16.0)), 32)
    red, green = picture[16, 16, :2].astype(int)
    assert (red, green) == pytest.approx((99, 101), abs=2)
    assert picture[16, -1, 1] - picture[16, 0, 1] == pytest.approx(62, abs=2)  # right was down
    assert int(picture[0, 16, 0]) - int(picture[-1, 16, 0]) == pytest.approx(62, abs=2)


@pytest.mark.parametrize(("half", "size"), [(6.0, 32), (30.0, 16), (100.0, 16)])
def test_crops_of_any_scale_show_the_frame(half: float, size: int) -> None:
    pixels = np.kron(ramp(100, 100), np.ones((4, 4, 1), np.uint8))
    picture = crop(Photo.of(pixels), CropFrame((200.0, 180.0), (half, 0.0)), size).astype(float)
    per_pixel = half / size  # grey levels: 2 a pixel of the ramp, which is 4 photograph's pixels
    columns = 99 + per_pixel * (np.arange(size) + 0.5 - size / 2)
    assert np.abs(picture[size // 2, 2:-2, 0] - columns[2:-2]).max() < 2.5
    assert np.ptp(picture[..., 2]) == 0


def test_beyond_the_edge_lies_the_mirror_image() -> None:
    pixels = np.random.default_rng(2).integers(0, 256, (32, 32, 3), np.uint8)
    picture = crop(Photo.of(pixels), CropFrame((0.0, 16.0), (16.0, 0.0)), 32)
    assert np.array_equal(picture[:, 16:], pixels[:, :16])
    assert np.array_equal(picture[:, :16], pixels[:, 15::-1])


def test_the_share_outside_of_the_photograph() -> None:
    assert CropFrame((50.0, 50.0), (20.0, 0.0)).outside((100, 100)) == 0.0
    assert CropFrame((0.0, 50.0), (20.0, 0.0)).outside((100, 100)) == pytest.approx(0.5)
    assert CropFrame((-50.0, 50.0), (20.0, 0.0)).outside((100, 100)) == 1.0


def test_ffhqs_frame_of_a_face_by_hand() -> None:
    """Eyes 60 apart, mouth 70 below: 2.0 · 60 < 1.8 · 70, and the middle 7 below the eyes."""
    anchors = np.array([[70.0, 100.0], [130.0, 100.0], [80.0, 170.0], [120.0, 170.0]])
    frame = ffhq_frame(anchors)
    assert frame.middle == pytest.approx((100.0, 107.0))
    assert frame.right == pytest.approx((126.0, 0.0))


def test_ffhqs_frame_turns_with_the_face() -> None:
    anchors = np.array([[70.0, 100.0], [130.0, 100.0], [80.0, 150.0], [120.0, 150.0]])
    quarter = np.stack([300.0 - anchors[:, 1], anchors[:, 0]], axis=-1)  # clockwise
    frame, turned = ffhq_frame(anchors), ffhq_frame(quarter)
    assert turned.edge == pytest.approx(frame.edge) == pytest.approx(240.0)
    assert turned.roll == pytest.approx(np.pi / 2)
    assert turned.middle == pytest.approx((300.0 - frame.middle[1], frame.middle[0]))
