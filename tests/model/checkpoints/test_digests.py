"""Digests: a damaged weights file is found, and weights are known again."""

from __future__ import annotations

import contextlib
import re
import shutil
import struct
from pathlib import Path

import pytest
import torch

from stylesdf_core.errors import CheckpointError
from stylesdf_core.model.checkpoints.checkpoints import (
    load_checkpoint,
    save_published,
    save_safetensors,
)
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.checkpoints.published import to_published
from stylesdf_core.model.model import load_model
from stylesdf_core.resources import shipped
from tests.models import tiny_generator


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_a_flipped_bit_is_found(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"flipped{suffix}"
    save = save_published if suffix == ".pt" else save_safetensors
    save(tiny_generator(thumb_size=64, output_size=64), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(CheckpointError, match=r"CRC|its content is not what was written"):
        load_checkpoint(path)


@pytest.mark.parametrize("name", ["heads", "heads-gan"])
def test_a_flipped_byte_in_shipped_weights_is_found(name: str, tmp_path: Path) -> None:
    """In the numbers and in the texts of the header; only the digest's own name may be flipped."""
    content = shipped(f"pretrained/{name}.safetensors").read_bytes()
    (header_size,) = struct.unpack_from("<Q", content)
    places = [content.index(b"samples") + 11, header_size + 8, len(content) - 1]
    for place in places:
        damaged = bytearray(content)
        damaged[place] ^= 1
        (tmp_path / "x.safetensors").write_bytes(damaged)
        with pytest.raises(CheckpointError, match=r"is damaged: its content is not what was"):
            load_checkpoint(tmp_path / "x.safetensors")


@pytest.mark.parametrize("suffix", [".pt", ".pth", ".safetensors"])
def test_a_digest_tells_a_weights_file_from_another(tmp_path: Path, suffix: str) -> None:
    paths = [tmp_path / f"{number}{suffix}" for number in range(2)]
    for number, path in enumerate(paths):
        generator = tiny_generator(thumb_size=64, output_size=64)
        generator.field.rgb_head.bias.data += 0.1 * number
        if suffix == ".safetensors":
            save_safetensors(generator, path)
        else:
            zipped = suffix == ".pt"
            torch.save({"g": to_published(generator)}, path, _use_new_zipfile_serialization=zipped)
    copy = shutil.copy(paths[0], tmp_path / f"copy{suffix}")
    one, other, same = map(weights_digest, (*paths, Path(copy)))
    assert one == same != other
    assert re.fullmatch("[0-9a-f]{16}", one)
    paths[0].write_bytes(b"PK no weights")
    with contextlib.suppress(CheckpointError):
        assert weights_digest(paths[0]) != one


def test_a_surface_level_lies_beside_the_weights(tmp_path: Path) -> None:
    """Files without are at 0; sessions and tunings know the weights by the same digest."""
    plain, stated = tmp_path / "plain.safetensors", tmp_path / "stated.safetensors"
    generator = tiny_generator()
    save_safetensors(generator, plain)
    assert b"surface_level" not in plain.read_bytes()
    assert load_checkpoint(plain).generator.surface_scalar == 0.0
    older = {key: value for key, value in generator.state_dict().items() if "level" not in key}
    generator.surface_level.fill_(0.0016)
    save_safetensors(generator, stated, dtype=torch.float16, means=True)
    assert load_model(str(stated)).generator.surface_scalar == pytest.approx(0.0016, rel=1e-3)
    save_safetensors(generator, stated)
    assert load_checkpoint(stated).generator.surface_scalar == pytest.approx(0.0016)
    assert weights_digest(stated) == weights_digest(plain)
    damaged = bytearray(stated.read_bytes())
    damaged[damaged.index(struct.pack("<f", 0.0016))] ^= 1
    stated.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="is damaged"):
        load_checkpoint(stated)
    generator.load_state_dict(older)  # of a run that was begun before there were levels
    assert generator.surface_scalar == 0.0


def test_the_digest_of_shipped_weights_is_read_from_their_header(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The studio asks for it when it starts: no tensor is read."""
    monkeypatch.delattr("hashlib.file_digest")
    assert re.fullmatch("[0-9a-f]{16}", weights_digest(shipped("pretrained/heads.safetensors")))
