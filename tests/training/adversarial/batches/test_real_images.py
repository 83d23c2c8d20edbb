"""Batches of real pictures depend on seed, step and attempt alone; shares, flips, held-out sets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.dataset import DatasetPack
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.batches.real_images import RealImages, open_real_images
from stylesdf_core.training.adversarial.config.images import ImagesConfig
from stylesdf_core.training.world import Share
from tests.data.pictures import mixed_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return mixed_folder(tmp_path / "images")


def images_of(
    path: Path, size: int = 32, batch: int = 4, share: Share | None = None, **options: object
) -> RealImages:
    config = ImagesConfig(**options)  # type: ignore[arg-type]
    images, _ = drain(
        open_real_images(path, config, size, 16, batch, seed=1, share=share or Share())
    )
    return images


def test_an_epoch_shows_every_image_once(folder: Path) -> None:
    images = images_of(folder, flip=False)
    count = len(images)
    seen = np.concatenate([images.positions(step, 4) for step in range(3 * count // 4)])
    for epoch in range(2):
        assert sorted(seen[epoch * count : (epoch + 1) * count]) == list(range(count))
    assert not np.array_equal(seen[:count], seen[count : 2 * count])
    images.close()


def test_batches_depend_on_seed_step_and_attempt_alone(folder: Path) -> None:
    one, other = images_of(folder), images_of(folder, cache_gb=0.0, workers=3)
    for step in (5, 2, 2):
        np.testing.assert_array_equal(one.batch(step, 4).images(), other.batch(step, 4).images())
    assert not np.array_equal(one.batch(2, 4).images(), one.batch(2, 4, attempt=1).images())


def test_shares_make_up_the_batch(folder: Path) -> None:
    whole = images_of(folder).batch(3, 4)
    halves = [images_of(folder, share=Share(rank, 2)).batch(3, 4) for rank in (0, 1)]
    np.testing.assert_array_equal(
        whole.images(), np.concatenate([half.images() for half in halves])
    )
    assert whole.thumbs().shape == (4, 3, 16, 16)
    assert float(whole.images().min()) >= -1.0


def test_flips_mirror_half_of_the_images(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = 255
    for index in range(4):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    images = images_of(tmp_path, 16)
    left = np.concatenate([images.batch(s, 4).images()[:, 0, 0, 0].numpy() for s in range(25)])
    assert 25 < (left > 0).sum() < 75
    still = images_of(tmp_path, 16, flip=False)
    assert (still.batch(0, 4).images()[:, 0, 0, 0] > 0).all()


def test_an_image_damaged_during_training_is_replaced(folder: Path) -> None:
    images = images_of(folder)
    damaged = folder / images.source.names[images.indices[5]]
    damaged.write_bytes(damaged.read_bytes()[:-30])
    for step in range(4):
        images.batch(step, 4)
    assert [images.source.names[i] for i in images.damaged] == [f"nested/{damaged.name}"]


def test_held_out_images_are_compared_with_and_not_trained_on(folder: Path) -> None:
    images = images_of(folder, held_out=0.3, flip=False)
    assert len(images) + len(images.held_out) == len(images_of(folder, held_out=0.0))
    assert not set(images.indices) & set(images.held_out)
    some = images.some(9).images()
    trained = images.batch(0, len(images)).images()
    for image in some[: len(images.held_out)]:
        assert not any(bool((image == other).all()) for other in trained)
    np.testing.assert_array_equal(some[0], some[len(images.held_out)])
    assert (
        "held out"
        in drain(
            open_real_images(folder, ImagesConfig(held_out=0.3), 32, 16, 4, seed=1, share=Share())
        )[1]
    )
    with pytest.raises(InputError, match="held_out"):
        ImagesConfig(held_out=1.0)


def test_an_lmdb_trains_like_its_folder(folder: Path, tmp_path: Path) -> None:
    drain(DatasetPack(data=folder, out=tmp_path / "packed", sizes=(32,)).run())
    for name in ("half.png", "broken.png", "small.png"):
        (folder / name).unlink()
    with pytest.raises(InputError, match="a batch has 99"):
        images_of(tmp_path / "packed", batch=99)
    images_of(tmp_path / "packed").close()  # one process can open an lmdb once at a time
    from_folder, packed = images_of(folder), images_of(tmp_path / "packed")
    for step in range(3):
        one, other = from_folder.batch(step, 4), packed.batch(step, 4)
        np.testing.assert_array_equal(one.images(), other.images())


def test_packed_thumbs_are_a_folders(tmp_path: Path) -> None:
    """Both are shrunk by Hamming's filter from the whole picture, as the published thumbs."""
    noise = np.random.default_rng(0).integers(0, 256, (4, 256, 256, 3), dtype=np.uint8)
    (tmp_path / "folder").mkdir()
    for index, pixels in enumerate(noise):
        Image.fromarray(pixels).save(tmp_path / "folder" / f"{index}.png")
    drain(DatasetPack(data=tmp_path / "folder", out=tmp_path / "64", sizes=(64,)).run())
    drain(DatasetPack(data=tmp_path / "folder", out=tmp_path / "both", sizes=(64, 128)).run())
    expected = Image.fromarray(noise[1]).resize((64, 64), Image.Resampling.HAMMING)
    for name in ("folder", "64", "both"):
        config = ImagesConfig(flip=False)
        images, _ = drain(
            open_real_images(tmp_path / name, config, 64, 64, 4, seed=1, share=Share())
        )
        np.testing.assert_array_equal(images.some(2).pixels[1], expected, err_msg=name)
        images.close()


def test_images_beyond_the_cache_are_read_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All thumbs and a third of the images fit; every epoch reads the other images alone."""
    all_images = images_of(folder)
    count = len(all_images)
    room = count * 16 * 16 * 3 + (count // 3) * 32 * 32 * 3
    images = images_of(folder, cache_gb=room / 1e9)
    reads, shrunk = [], []
    read = RealImages._read
    monkeypatch.setattr(
        RealImages, "_read", lambda self, among, at: reads.append(at) or read(self, among, at)
    )
    thumb = RealImages._thumb
    monkeypatch.setattr(
        RealImages, "_thumb", lambda self, image: shrunk.append(1) or thumb(self, image)
    )
    for position in [*range(count), *range(count)]:
        for mine, expected in zip(images._pair(position), all_images._pair(position), strict=True):
            np.testing.assert_array_equal(mine, expected)
    missed = [position for position in range(count) if reads.count(position) == 3]
    assert len(missed) == count - count // 3  # twice by one, once by the other
    assert len(shrunk) == 2 * count, "each thumb is made once by either"


def test_an_lmdb_of_small_pictures_is_refused(folder: Path, tmp_path: Path) -> None:
    drain(DatasetPack(data=folder, out=tmp_path / "packed", sizes=(16,)).run())
    with pytest.raises(InputError, match=r"leaves 0 usable images.*16 pixels small; half of 64"):
        images_of(tmp_path / "packed", 64)


def test_no_more_images_are_held_out_than_are_compared(folder: Path) -> None:
    assert len(images_of(folder, held_out=0.5, compare=2).held_out) == 2
    with pytest.raises(InputError, match="compare must be at least 2"):
        ImagesConfig(compare=1)
