"""A run knows its data by their content: moved data go on, changed data are refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from stylesdf_core.commands.train.fit import TrainFit
from stylesdf_core.commands.train.stages import TrainRenderer
from stylesdf_core.data import images
from stylesdf_core.data.images import FolderImages, Usable, find_usable, fingerprint, open_images
from stylesdf_core.data.lmdb_images import LmdbImages, write_lmdb
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.bank import heads_in
from stylesdf_core.heads.shards import write_shard
from stylesdf_core.progress import drain
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots
from stylesdf_core.training.runs import run_data
from stylesdf_core.training.runs.run_data import find_usable_again
from stylesdf_core.training.runs.run_dir import RunDir
from tests.data.pictures import mixed_folder
from tests.heads.fit.spheres import tiny_fit, write_spheres
from tests.training.adversarial.stage_phases import stage_config, state, write_images


def pack(folder: Path, seed: int = 0, count: int = 20) -> None:
    """An lmdb of noise, in two sizes."""
    noise = np.random.default_rng(seed).integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
    with write_lmdb(folder) as writer:
        for pixels in noise:
            writer.add({8: pixels[:8, :8], 16: pixels})


def mark(path: Path, size: int = 16) -> str:
    source = open_images(path, size)
    try:
        return fingerprint(source)
    finally:
        source.close()


# --- fingerprints --------------------------------------------------------------------------------


def rename(folder: Path) -> None:
    (folder / "7.png").rename(folder / "77.png")


def add(folder: Path) -> None:
    shutil.copy(folder / "7.png", folder / "77.png")


def remove(folder: Path) -> None:
    (folder / "7.png").unlink()


def repaint(folder: Path) -> None:
    """Another picture whose file has the same name and size."""
    content = bytearray((folder / "7.png").read_bytes())
    content[-20] ^= 1
    (folder / "7.png").write_bytes(content)


@pytest.mark.parametrize("change", [rename, add, remove, repaint])
def test_pictures_are_recognised_elsewhere_and_changes_are_seen(
    tmp_path: Path, change: Callable[[Path], None]
) -> None:
    write_images(tmp_path / "a")
    shutil.copytree(tmp_path / "a", tmp_path / "far/away")
    assert mark(tmp_path / "a") == mark(tmp_path / "far/away")
    change(tmp_path / "far/away")
    assert mark(tmp_path / "a") != mark(tmp_path / "far/away")


def test_an_lmdb_is_recognised_elsewhere_and_changes_are_seen(tmp_path: Path) -> None:
    for name, seed, count in (("a", 0, 20), ("again", 0, 20), ("other", 1, 20), ("more", 0, 21)):
        pack(tmp_path / name, seed, count)
    shutil.copytree(tmp_path / "a", tmp_path / "far/away")
    assert mark(tmp_path / "a") == mark(tmp_path / "far/away") == mark(tmp_path / "again")
    marks = {mark(tmp_path / name, size) for name in ("a", "other", "more") for size in (8, 16)}
    assert len(marks) == 6


def test_a_fingerprint_reads_little(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for index in range(300):
        (tmp_path / f"{index:03d}.bmp").write_bytes(bytes(10))
    with open(tmp_path / "000.bmp", "r+b") as stream:
        stream.truncate(3 << 20)
    read: list[int] = []
    beginning = FolderImages.beginning

    def counted(self: FolderImages, index: int, most: int) -> bytes:
        content = beginning(self, index, most)
        read.append(len(content))
        return content

    monkeypatch.setattr(FolderImages, "beginning", counted)
    mark(tmp_path)
    assert (len(read), max(read)) == (64, 1 << 20)


def test_an_lmdbs_sizes_are_those_of_its_pictures(tmp_path: Path) -> None:
    pack(tmp_path / "a", count=300)  # leaves and a branch
    source = LmdbImages(tmp_path / "a", 16)
    assert source.sizes() == [len(source._value(index)) for index in range(300)]
    source.close()


def test_heads_are_recognised_elsewhere_and_when_there_are_more(tmp_path: Path) -> None:
    write_spheres(tmp_path / "a")
    known = heads_in(tmp_path / "a")
    assert [part for part, _ in known.fingerprints] == ["surface", "views"]
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    shutil.copy(tmp_path / "b/views/shard-00000.npz", tmp_path / "b/views/shard-00001.npz")
    assert heads_in(tmp_path / "b") == known
    write_shard(tmp_path / "b/views/shard-00000.npz", {"z": np.zeros((2, 3))})
    assert dict(heads_in(tmp_path / "b").fingerprints)["views"] != dict(known.fingerprints)["views"]
    (tmp_path / "b/views/shard-00000.npz").write_bytes(b"no shard")
    with pytest.raises(InputError, match=r"shard-00000\.npz cannot be read as a shard of heads"):
        heads_in(tmp_path / "b")


# --- pictures that were looked at before ---------------------------------------------------------


def look(run: RunDir, path: Path, size: int = 32, *, is_main: bool = True) -> Usable:
    source = open_images(path, size)
    return drain(find_usable_again(run, path, source, size, upscale=False, is_main=is_main))


def test_a_second_start_looks_at_no_picture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, folder = RunDir(tmp_path / "run"), mixed_folder(tmp_path / "images")
    found = look(run, folder)
    assert found == drain(find_usable(open_images(folder, 32), 32))
    assert len(found.skipped) == 3
    monkeypatch.setattr(run_data, "find_usable", None)
    monkeypatch.setattr(images, "open_picture", None)
    shutil.move(folder, tmp_path / "moved")
    for is_main in (True, False):
        assert look(run, tmp_path / "moved", is_main=is_main) == found
    with pytest.raises(TypeError):
        look(run, tmp_path / "moved", size=64)  # nobody has looked at this size


def test_other_processes_wait_for_the_first_ones_look(tmp_path: Path) -> None:
    run, folder = RunDir(tmp_path / "run"), mixed_folder(tmp_path / "images")
    source = open_images(folder, 32)
    waiting = find_usable_again(run, folder, source, 32, upscale=False, is_main=False)
    assert next(waiting).message == "the first process looks at the images"
    found = look(run, folder)
    assert drain(waiting) == found


def test_too_many_left_out_to_be_listed_are_looked_for_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_data, "_MOST_SKIPPED", 2)
    run, folder = RunDir(tmp_path / "run"), mixed_folder(tmp_path / "images")
    found = look(run, folder)
    assert look(run, folder, is_main=False) == look(run, folder) == found


@pytest.mark.parametrize("content", ["", "{}", "[", '{"holds": 3}'])
def test_a_damaged_record_is_made_anew(tmp_path: Path, content: str) -> None:
    run, folder = RunDir(tmp_path), mixed_folder(tmp_path / "images")
    run.data_file.write_text(content)
    found = look(run, folder)
    assert look(run, folder, is_main=False) == found


# --- runs ----------------------------------------------------------------------------------------


def write_folder(folder: Path, *, changed: bool = False) -> None:
    write_images(folder)
    if changed:
        Image.new("RGB", (20, 18)).save(folder / "7.png")


def write_packed(folder: Path, *, changed: bool = False) -> None:
    pack(folder, seed=int(changed))


@pytest.mark.parametrize("write", [write_folder, write_packed])
def test_a_run_goes_on_with_moved_pictures_and_not_with_others(
    tmp_path: Path, write: Callable[..., None], monkeypatch: pytest.MonkeyPatch, one_thread: None
) -> None:
    monkeypatch.setattr(Snapshots, "write", lambda *_: {})

    def request(run: str, data: Path, steps: int) -> TrainRenderer:
        config = stage_config("renderer", tmp_path)
        return TrainRenderer(
            run_dir=tmp_path / run, config=replace(config, data=str(data), steps=steps)
        )

    first, moved = tmp_path / "first", tmp_path / "elsewhere/moved"
    write(first)
    drain(request("whole", first, 4).run())
    drain(request("run", first, 2).run())
    moved.parent.mkdir()
    shutil.move(first, moved)
    with pytest.raises(InputError, match=r"no folder .*first of images; give its place with --dat"):
        drain(request("run", first, 4).run())
    drain(request("run", moved, 4).run())
    run, whole = RunDir(tmp_path / "run"), RunDir(tmp_path / "whole")
    assert run.read_config()["data"] == str(moved)
    for key, value in state(whole)["live"].items():
        assert torch.equal(state(run)["live"][key], value), key

    write(first, changed=True)
    changed = rf"{first} does not hold the data that {run.path} was trained on: 20 pictures "
    with pytest.raises(InputError, match=rf"{changed}\(fingerprint \w+\) instead of 20 pictures"):
        drain(request("run", first, 5).run())
    assert run.read_config()["data"] == str(moved), "a refused path is not taken over"
    shutil.rmtree(moved)
    shutil.move(first, moved)
    with pytest.raises(InputError, match="does not hold the data"):
        drain(request("run", moved, 5).run())
    run.data_file.unlink()
    assert drain(request("run", moved, 5).run()).finished


def test_a_fit_goes_on_with_moved_heads_and_not_with_others(tmp_path: Path) -> None:
    def request(data: Path) -> TrainFit:
        config = tiny_fit(data)  # two steps on points alone, without a decoder
        generator = replace(config.generator, output_size=config.generator.thumb_size)
        config = replace(config, generator=generator, render=replace(config.render, steps=0))
        return TrainFit(run_dir=tmp_path / "run", config=config)

    first, moved, run = tmp_path / "first", tmp_path / "moved", RunDir(tmp_path / "run")
    write_spheres(first)
    drain(request(first).run())
    shutil.move(first, moved)
    assert drain(request(moved).run()).finished
    assert run.read_config()["data"] == str(moved)
    write_spheres(first)
    with np.load(first / "surface/shard-00000.npz") as stored:
        arrays = {name: stored[name] for name in stored.files}
    write_shard(first / "surface/shard-00000.npz", {**arrays, "rgb": arrays["rgb"] // 2})
    with pytest.raises(
        InputError, match=r"does not hold the data .* heads \(fingerprint \w+\) ins"
    ):
        drain(request(first).run())
    assert run.read_config()["data"] == str(moved)
