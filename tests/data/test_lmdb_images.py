"""The published lmdb layout: written, read like its folder, refused in a sentence if damaged."""

from __future__ import annotations

import contextlib
from pathlib import Path

import lmdb
import numpy as np
import pytest

from stylesdf_core.data.images import find_usable
from stylesdf_core.data.lmdb_images import LmdbImages, write_lmdb
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain


def test_the_address_space_of_a_new_lmdb_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesdf_core.data.lmdb_images._FIRST_MAP", 64 << 10)
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    with write_lmdb(tmp_path / "big") as writer:
        for _ in range(100):
            writer.add({40: noise})
    source = LmdbImages(tmp_path / "big", 40)
    assert len(source.names) == 100
    source.close()


def test_lmdbs_of_other_content_are_refused(tmp_path: Path) -> None:
    with lmdb.open(str(tmp_path / "other")) as environment, environment.begin(write=True) as put:
        put.put(b"key", b"value")
    with pytest.raises(InputError, match="lacks the key 'length'"):
        LmdbImages(tmp_path / "other", 64)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "data.mdb").write_bytes(b"x" * 5000)
    with pytest.raises(InputError, match="cannot be read as an lmdb"):
        LmdbImages(tmp_path / "bad", 64)


def test_a_failed_pack_leaves_nothing(tmp_path: Path) -> None:
    with contextlib.suppress(KeyboardInterrupt), write_lmdb(tmp_path / "none") as writer:
        writer.add({8: np.zeros((8, 8, 3), np.uint8)})
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def _lmdb(folder: Path, **entries: bytes) -> Path:
    """Twenty pictures of 8² and 64² and their number, then ``entries`` on top."""
    noise = np.random.default_rng(0).integers(0, 256, (20, 64, 64, 3), dtype=np.uint8)
    with write_lmdb(folder) as writer:
        for pixels in noise:
            writer.add({8: pixels[:8, :8], 64: pixels})
    with lmdb.open(str(folder), lock=False) as environment, environment.begin(write=True) as put:
        for key, value in entries.items():
            put.put(key.encode(), value)
    return folder


@pytest.mark.parametrize("kept", [1, 4096, 5000, 8192, 12288])
def test_a_truncated_lmdb_is_refused(tmp_path: Path, kept: int) -> None:
    """Reading a page behind the file's end would kill the process with a bus error."""
    file = _lmdb(tmp_path / "set") / "data.mdb"
    assert file.stat().st_size > kept
    file.write_bytes(file.read_bytes()[:kept])
    with pytest.raises(InputError, match=r"is truncated: it has|cannot be read as an lmdb"):
        LmdbImages(tmp_path / "set", 8)


def test_one_missing_page_is_told_in_bytes(tmp_path: Path) -> None:
    file = _lmdb(tmp_path / "set") / "data.mdb"
    whole = file.stat().st_size
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(InputError, match=rf"it is truncated: {whole - 1:,} bytes of {whole:,}"):
        LmdbImages(tmp_path / "set", 8)


@pytest.mark.parametrize("length", [b"1000000000", b"9" * 500, b"42"])
def test_a_false_length_is_refused_at_once(tmp_path: Path, length: bytes) -> None:
    path = _lmdb(tmp_path / "set", length=length)
    with pytest.raises(InputError, match=r"claims more pictures than there are entries \(41\)"):
        LmdbImages(path, 8)


@pytest.mark.parametrize("length", [b"", b"-3", b"many", b"9" * 5000, b"0"])
def test_a_length_that_is_no_number_is_refused(tmp_path: Path, length: bytes) -> None:
    path = _lmdb(tmp_path / "set", length=length)
    with pytest.raises(InputError, match="lacks the key 'length'"):
        LmdbImages(path, 8)


def test_damaged_pages_are_a_sentence_or_a_skipped_picture(tmp_path: Path) -> None:
    content = (_lmdb(tmp_path / "set") / "data.mdb").read_bytes()
    random = np.random.default_rng(0)
    refused: list[str] = []
    skipped = 0
    for number, page in enumerate(range(2 * 4096, len(content), 4096)):
        path = tmp_path / str(number)
        path.mkdir()
        damaged = content[:page] + random.bytes(4096) + content[page + 4096 :]
        (path / "data.mdb").write_bytes(damaged)
        try:
            source = LmdbImages(path, 64)
        except InputError as error:
            refused.append(str(error))
            continue
        usable = drain(find_usable(source, 64))
        assert len(usable.indices) + len(usable.skipped) == 20
        skipped += len(usable.skipped)
        source.close()
    assert skipped > 40
    assert refused
    assert all("cannot be read as an lmdb data set" in text for text in refused)


def test_training_reads_an_lmdbs_headers_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 256, 256, 3), dtype=np.uint8)
    with write_lmdb(tmp_path / "set") as writer:
        for pixels in noise:
            writer.add({256: pixels})  # 200 KB each
    source, taken = LmdbImages(tmp_path / "set", 256), []
    value = LmdbImages._value

    def counted(self: LmdbImages, index: int, most: int | None = None) -> bytes:
        content = value(self, index, most)
        taken.append(len(content))
        return content

    monkeypatch.setattr(LmdbImages, "_value", counted)
    assert drain(find_usable(source, 256, whole=False)).indices == (0, 1, 2)
    assert max(taken) < 64 << 10
    assert len(taken) == 3
    assert drain(find_usable(source, 600, whole=False)).indices == ()
    assert drain(find_usable(source, 256)).indices == (0, 1, 2)
    assert max(taken) > 150_000, "dataset check reads pictures whole"
    source.close()
