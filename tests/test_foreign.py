"""The guard around parsers, and every parser under mutated files: a sentence, never a traceback."""

from __future__ import annotations

import json
import random
import struct
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from app.train.state.samples import SampleRequest, read_sample
from stylesdf_core.commands.scenes.batch_table import BatchFile, BatchTable
from stylesdf_core.data.frame_presets import read_frame_preset
from stylesdf_core.data.images import find_usable, open_images
from stylesdf_core.data.lmdb_images import write_lmdb
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import brief, parse_json, printable, read_json, reading
from stylesdf_core.heads.shards import read_shard, write_shard
from stylesdf_core.mesh.files.formats import export_mesh
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.model.checkpoints.checkpoints import (
    load_checkpoint,
    save_published,
    save_safetensors,
)
from stylesdf_core.model.latents.direction_files import read_directions, save_directions
from stylesdf_core.model.latents.latents import LatentDirection, load_directions, load_z
from stylesdf_core.progress import drain
from stylesdf_core.scene.animation import Animation, Keyframe, read_animation, write_animation
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.session_files import exif, gif_comment, png_info, read_scene
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import read_config
from tests.models import tiny_generator

_DAMAGED = "it is damaged, or not built as such a file is"
_DIRECTIONS = [LatentDirection("w1", "A", "g", space="w", axis=(0.6, 0.8), deviation=2.0)]
_SESSION = Scene(identity=Identity(3, (0.5,) * 8, (("smile", 1.0),))).to_json()


def test_whatever_a_parser_raises_becomes_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "odd.bin"
    path.touch()
    for failure, text in (
        (ZeroDivisionError("division by zero"), "division by zero"),
        (MemoryError(), "it asks for more memory than there is"),
        (RecursionError("maximum depth"), "it is nested too deeply"),
        (KeyError("z"), "the field 'z' is missing"),
        (ValueError("first.\nsecond"), "first"),
        (ValueError("no <_io.BytesIO object at 0x7f12> here"), "no the data here"),
        (ValueError("9" * 5000), "9" * 30 + "…"),
        (TypeError("'int' object is not subscriptable"), _DAMAGED),
        (AttributeError("'list' object has no attribute 'get'"), _DAMAGED),
        (struct.error("unpack requires a buffer of 20 bytes"), _DAMAGED),
        (ValueError("not enough values to unpack (expected 1, got 0)"), _DAMAGED),
        (EOFError(), _DAMAGED),
        (KeyError("There is no item named 'x' in it"), "There is no item named 'x' in it"),
        (UnicodeDecodeError("utf-8", b"\xe9", 0, 1, "invalid"), "its text is not UTF-8"),
        (ValueError("mmap length is greater than file size"), "it is shorter than its header says"),
    ):
        with pytest.raises(InputError) as caught, reading(path, "a thing", advice="Give another."):
            raise failure
        assert str(caught.value) == f"{path} cannot be read as a thing: {text}. Give another."


def test_a_printed_sentence_cannot_command_a_terminal() -> None:
    plain = "The file Köpfe ψ/é…📷.png is damaged."
    assert printable(plain) == plain
    assert printable("a\x1b[2J\nb\0\udcff") == r"a\x1b[2J\nb\x00\udcff"
    assert printable(f"No file {'a' * 5000}{'b' * 150}.") == f"No file {'a' * 150}…{'b' * 149}."
    assert len(printable("much " * 5000)) < 4000
    path = "/" + "/".join(["folder" * 6] * 7)
    assert printable(f"There is no file {path}.") == f"There is no file {path}."


def test_postscript_is_refused_whatever_its_name(tmp_path: Path) -> None:
    """Pillow would have Ghostscript run it."""
    content = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 80 80\n%%EndComments\nshowpage\n"
    (tmp_path / "a.png").write_bytes(content)
    (item,) = drain(find_usable(open_images(tmp_path, 32), 32)).skipped
    assert item.reason == "cannot be read: EPS pictures are not read"
    with pytest.raises(InputError, match="EPS pictures are not read"):
        read_scene(tmp_path / "a.png")


def test_only_files_are_parsed(tmp_path: Path) -> None:
    for name in ("missing", "x" * 300, "nul\0", "/dev/zero", "\ud800"):
        with pytest.raises(InputError, match="There is no file"), reading(tmp_path / name, "x"):
            pytest.fail("the block was entered")


def test_json_may_begin_with_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for encoding in ("utf-8", "utf-8-sig", "utf-16", "utf-32"):
        path.write_bytes('{"name": "Köpfe"}'.encode(encoding))
        assert read_json(path) == {"name": "Köpfe"}


@pytest.mark.parametrize("text", ["[" * 40_000, '{"a":' * 65 + "1" + "}" * 65, "9" * 5000])
def test_json_is_bounded(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(InputError, match=r"x\.json cannot be read as JSON"):
        read_json(path)


def test_brackets_in_texts_do_not_count_as_depth() -> None:
    assert parse_json(json.dumps(["[" * 100 + '"\\' * 100] * 50).encode())
    with pytest.raises(ValueError, match="than 4 MB"):
        parse_json(b" " * (4 << 20) + b"1")
    assert brief("a b") == "a b"


def test_large_pictures_are_opened_without_a_remark(tmp_path: Path) -> None:
    Image.new("1", (9500, 9500)).save(tmp_path / "large.png")
    code = "import sys; from stylesdf_core.foreign import open_picture; open_picture(sys.argv[1])"
    command = [sys.executable, "-c", code, str(tmp_path / "large.png")]
    assert subprocess.run(command, capture_output=True, check=True).stderr == b""


# --- mutated files -----------------------------------------------------------------------------


def _mesh() -> SurfaceMesh:
    corners = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], np.float32)
    faces = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]], np.int32)
    return SurfaceMesh(corners, faces, corners, corners)


def _image(path: Path) -> None:
    pixels = np.arange(16 * 16 * 3, dtype=np.uint8).reshape(16, 16, 3)
    image = Image.fromarray(pixels)
    if path.suffix == ".gif":
        image.save(path, comment=gif_comment(_SESSION))
    elif path.suffix == ".png":
        image.save(path, pnginfo=png_info(_SESSION))
    elif path.suffix == ".webp":
        image.save(path, exif=exif(_SESSION))
    else:
        image.save(path)


def _run(path: Path) -> None:
    path.write_text(json.dumps({"stage": "fit", "seed": 1, "poses": {"azimuth_std": 0.3}}))


def _lmdb(path: Path) -> None:
    path.parent.rmdir()
    with write_lmdb(path.parent) as writer:
        for index in range(12):
            writer.add({8: np.full((8, 8, 3), index, np.uint8)})


def _use_pictures(path: Path) -> None:
    source = open_images(path.parent, 8)
    drain(find_usable(source, 8))
    source.close()


def _small() -> torch.nn.Module:
    return tiny_generator(width=8, depth=1, z_dim=8, thumb_size=16, output_size=16)


def _keyframes(path: Path) -> None:
    frames = (Keyframe(0.0), Keyframe(1.0, Scene(identity=Identity(1)), "depth", "flow"))
    write_animation(Animation(frames), path)


def _batch(path: Path) -> None:
    table = BatchTable(path.parent)
    line = BatchFile(3, "a.png", settings=table.setting({"family": "pictures"}))
    with table.kept([line]):
        table.put(replace(line, state="made", bytes=9))


_Make, _Read = Callable[[Path], object], Callable[[Path], object]
_KINDS: dict[str, tuple[_Make, _Read]] = {
    "scene.json": (lambda path: path.write_text(_SESSION), read_scene),
    "keyframes.json": (_keyframes, read_animation),
    "batch.json": (_batch, lambda path: BatchTable(path.parent).missing([BatchFile(3, "a.png")])),
    "scene.png": (_image, read_scene),
    "scene.gif": (_image, read_scene),
    "scene.webp": (_image, read_scene),
    "scene.3mf": (lambda path: export_mesh(_mesh(), path, session=_SESSION), read_scene),
    "scene.glb": (lambda path: export_mesh(_mesh(), path, session=_SESSION), read_scene),
    "scene.obj": (lambda path: export_mesh(_mesh(), path, session=_SESSION), read_scene),
    "scene.ply": (lambda path: export_mesh(_mesh(), path, session=_SESSION), read_scene),
    "weights.pt": (lambda path: save_published(_small(), path), load_checkpoint),
    "old.pt": (
        lambda path: torch.save(
            {"g_ema": {"a": torch.zeros(3), "b": torch.ones(2, 2)}},
            path,
            _use_new_zipfile_serialization=False,
        ),
        load_checkpoint,
    ),
    "weights.safetensors": (lambda path: save_safetensors(_small(), path), load_checkpoint),
    "latent.npy": (lambda path: np.save(path, np.zeros(8, np.float32)), load_z),
    "directions.json": (
        lambda path: path.write_text('[{"name": "a", "label": "A", "group": "g", "dimension": 1}]'),
        load_directions,
    ),
    "own.directions.json": (
        lambda path: save_directions(path.parent / "own.safetensors", "0123", _DIRECTIONS),
        lambda path: read_directions(path.parent / "own.safetensors", "0123"),
    ),
    "shard.npz": (
        lambda path: write_shard(path, {"z": np.zeros((2, 3)), "views": np.ones((2, 4))}),
        read_shard,
    ),
    "samples/00000005.png": (
        _image,
        lambda path: list(read_sample(SampleRequest(path.parent.parent, 5, False))),
    ),
    "config.json": (_run, lambda path: read_config(RunDir(path.parent))),
    "lmdb/data.mdb": (_lmdb, _use_pictures),
    ".aligned.jsonl": (
        lambda path: path.write_text('{"preset": "heads", "size": 8}\n{"photo": "a.jpg"}\n'),
        lambda path: read_frame_preset(path.parent),
    ),
    "png/picture.png": (_image, _use_pictures),
    "jpg/picture.jpg": (_image, _use_pictures),
    "tif/picture.tif": (_image, _use_pictures),
    "webp/picture.webp": (_image, _use_pictures),
}


def _mutated(content: bytes, source: random.Random) -> bytes:
    """Bytes changed, above all near the beginning, where headers lie; cut, doubled or filled."""
    data = bytearray(content)
    for _ in range(source.choice((1, 1, 2, 4, 16))):
        place = source.randrange(min(len(data) + 1, source.choice((64, 512, 1 << 30))))
        kind = source.randrange(6)
        if kind <= 2:
            data[place : place + 1] = [source.randrange(256)]
        elif kind == 3:
            data[place : place + 4] = source.choice((b"\xff\xff\xff\x7f", b"\xff" * 8, b"\0" * 4))
        elif kind == 4:
            data[place:place] = data[place : place + source.randrange(40)]
        elif source.random() < 0.2:
            del data[source.randrange(len(data) + 1) :]
    return bytes(data)


def _complaint(read: _Read, path: Path) -> str:
    try:
        read(path)
    except InputError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.filterwarnings("ignore:.*:UserWarning:PIL")  # Pillow's remarks on damaged TIFFs
def test_mutated_files_get_one_sentence(tmp_path: Path, kind: str) -> None:
    make, read = _KINDS[kind]
    path = tmp_path / kind
    path.parent.mkdir(exist_ok=True)
    make(path)
    assert bool(_complaint(read, path)) == (kind in ("old.pt", "config.json"))  # too small
    content, source = path.read_bytes(), random.Random(kind)
    for _ in range(1000):
        path.unlink()  # to write over a file makes some disks wait
        path.write_bytes(_mutated(content, source))
        complaint = _complaint(read, path)
        assert "\n" not in complaint
        assert len(complaint) < 1000
