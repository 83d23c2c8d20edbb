from __future__ import annotations

import contextlib
import json
from pathlib import Path

import lmdb
import numpy as np
import pytest
from PIL import Image, ImageOps

from stylesdf_core.commands.dataset import DatasetCheck, DatasetPack
from stylesdf_core.data.images import FolderImages, find_usable, open_images, shrink, split, square
from stylesdf_core.data.lmdb_images import LmdbImages, LmdbWriter
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.config import ImagesConfig
from stylesdf_core.training.adversarial.real_images import RealImages, open_real_images
from stylesdf_core.training.world import Share


def save(path: Path, size: tuple[int, int] = (40, 32), level: int = 128, **options: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (level, level, level)).save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "images"
    for index in range(12):
        save(folder / f"nested/{index:02d}.png", level=20 * index)
    save(folder / "wide.jpg", (90, 33))
    save(folder / "small.png", (40, 15))
    (folder / "broken.png").write_bytes(b"no picture")
    noise = np.random.default_rng(1).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    Image.fromarray(noise).save(folder / "half.png")
    whole = (folder / "half.png").read_bytes()
    (folder / "half.png").write_bytes(whole[: len(whole) // 2])
    (folder / "notes.txt").write_text("not an image")
    return folder


def images_of(
    path: Path, size: int = 32, batch: int = 4, share: Share | None = None, **options: object
) -> RealImages:
    config = ImagesConfig(str(path), **options)  # type: ignore[arg-type]
    images, _ = drain(open_real_images(config, size, 16, batch, seed=1, share=share or Share()))
    return images


def test_a_nested_folder_is_read_and_what_cannot_be_used_is_listed(folder: Path) -> None:
    source = open_images(folder, 32)
    assert len(source.names) == 16
    usable = drain(find_usable(source, 32, decode=True))
    assert len(usable.indices) == 13
    reasons = {item.name: item.reason for item in usable.skipped}
    assert set(reasons) == {"broken.png", "half.png", "small.png"}
    assert reasons["small.png"] == "is 15 pixels small; half of 32 are needed"
    assert len(drain(find_usable(source, 32, upscale=True, decode=True)).indices) == 14


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
    """A width in words beside the orientation: writing that anew would fail."""
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
def test_every_orientation_is_pillows(orientation: int, tmp_path: Path) -> None:
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


def test_thumbs_are_hammings() -> None:
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
    with pytest.raises(InputError, match="line 1, names no file"):
        FolderImages(tmp_path)


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no folder"):
        open_images(tmp_path / "nowhere", 32)
    with pytest.raises(InputError, match="holds no images"):
        open_images(tmp_path, 32)


def test_split_is_of_its_seed() -> None:
    train, apart = split(50, 0.2, 7)
    assert len(apart) == 10
    assert sorted([*train, *apart]) == list(range(50))
    np.testing.assert_array_equal(split(50, 0.2, 7)[1], apart)
    assert not np.array_equal(split(50, 0.2, 8)[1], apart)


# --- lmdb --------------------------------------------------------------------------------------


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
        np.testing.assert_array_equal(one.images.numpy(), other.images.numpy())


def test_a_small_lmdb_says_so(folder: Path, tmp_path: Path) -> None:
    drain(DatasetPack(data=folder, out=tmp_path / "packed", sizes=(16,)).run())
    with pytest.raises(InputError, match=r"holds 0 usable images.*16 pixels small; half of 64"):
        images_of(tmp_path / "packed", 64)


def test_the_map_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stylesdf_core.data.lmdb_images._FIRST_MAP", 64 << 10)
    noise = np.random.default_rng(0).bytes(5_000)
    with LmdbWriter(tmp_path / "big") as writer:
        for _ in range(100):
            writer.add({8: noise})
    source = LmdbImages(tmp_path / "big", 8)
    assert len(source.names) == 100
    source.close()


def test_other_lmdbs_are_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "other")) as environment, environment.begin(write=True) as put:
        put.put(b"key", b"value")
    with pytest.raises(InputError, match="lacks the key 'length'"):
        LmdbImages(tmp_path / "other", 64)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "data.mdb").write_bytes(b"x" * 5000)
    with pytest.raises(InputError, match="cannot be read as an lmdb"):
        LmdbImages(tmp_path / "bad", 64)


def test_a_failed_pack_leaves_nothing(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), LmdbWriter(tmp_path / "none") as writer:
        writer.add({8: b"x"})
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_check_reports(folder: Path) -> None:
    report = drain(DatasetCheck(data=folder, size=32).run())
    assert (report.usable, report.smallest) == (13, 32)
    with pytest.raises(InputError, match="between 8 and 4096"):
        drain(DatasetCheck(data=folder, size=0).run())


# --- batches -----------------------------------------------------------------------------------


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
        np.testing.assert_array_equal(one.batch(step, 4).images, other.batch(step, 4).images)
    assert not np.array_equal(one.batch(2, 4).images, one.batch(2, 4, attempt=1).images)


def test_shares_make_up_the_batch(folder: Path) -> None:
    whole = images_of(folder).batch(3, 4)
    halves = [images_of(folder, share=Share(rank, 2)).batch(3, 4) for rank in (0, 1)]
    np.testing.assert_array_equal(whole.images, np.concatenate([half.images for half in halves]))
    assert whole.thumbs.shape == (4, 3, 16, 16)
    assert float(whole.images.min()) >= -1.0


def test_flips_mirror_half_of_them(tmp_path: Path) -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8] = 255
    for index in range(4):
        Image.fromarray(pixels).save(tmp_path / f"{index}.png")
    images = images_of(tmp_path, 16)
    left = np.concatenate([images.batch(s, 4).images[:, 0, 0, 0].numpy() for s in range(25)])
    assert 25 < (left > 0).sum() < 75
    still = images_of(tmp_path, 16, flip=False)
    assert (still.batch(0, 4).images[:, 0, 0, 0] > 0).all()


def test_an_image_damaged_further_in_is_replaced(folder: Path) -> None:
    images = images_of(folder)  # looks at headers only: half.png passes
    assert "half.png" in [images.source.names[i] for i in images.indices]
    for step in range(4):
        images.batch(step, 4)
    assert [images.source.names[i] for i in images.damaged] == ["half.png"]


def test_held_out_images_are_compared_with_and_not_trained_on(folder: Path) -> None:
    images = images_of(folder, held_out=0.3, flip=False)
    assert len(images) + len(images.held_out) == len(images_of(folder))
    assert not set(images.indices) & set(images.held_out)
    some = images.some(9).images
    trained = images.batch(0, len(images)).images
    for image in some[: len(images.held_out)]:
        assert not any(bool((image == other).all()) for other in trained)
    np.testing.assert_array_equal(some[0], some[len(images.held_out)])
    assert (
        "held out"
        in drain(
            open_real_images(
                ImagesConfig(str(folder), held_out=0.3), 32, 16, 4, seed=1, share=Share()
            )
        )[1]
    )
    with pytest.raises(InputError, match="held_out"):
        ImagesConfig("x", held_out=1.0)
