from __future__ import annotations

import argparse
import contextlib
import datetime
import io
import json
import os
import pickle
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import CheckpointError, OutputError
from stylesdf_core.model.checkpoints import checkpoints
from stylesdf_core.model.checkpoints.blank_networks import NothingDrawn
from stylesdf_core.model.checkpoints.checkpoints import (
    load_checkpoint,
    read_architecture,
    read_poses,
    save_published,
    save_safetensors,
)
from stylesdf_core.model.checkpoints.published import to_published
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.model import load_model
from stylesdf_core.model.networks.generator import Generator
from tests.golden import layout, published_state
from tests.models import tiny_generator


def published_layout(config: GeneratorConfig) -> dict[str, tuple[int, ...]]:
    """Every key and shape of a published generator of ``config``."""
    with NothingDrawn():
        tensors = to_published(Generator(config))
    return {key: tuple(value.shape) for key, value in tensors.items()}


def assert_equal_weights(one: Generator, other: Generator) -> None:
    assert one.config == other.config
    ours, theirs = one.state_dict(), other.state_dict()
    assert ours.keys() == theirs.keys()
    for key in ours:
        torch.testing.assert_close(ours[key], theirs[key], rtol=0, atol=0)


@pytest.mark.parametrize("size", [256, 1024])
def test_layout_is_the_published_one(size: int) -> None:
    expected = {key: tuple(entry[0]) for key, entry in layout(f"layout_g_{size}").items()}
    assert published_layout(GeneratorConfig(output_size=size)) == expected


def test_renderer_only_layout_has_65_tensors() -> None:
    keys = published_layout(GeneratorConfig(output_size=64))
    assert len(keys) == 65
    assert not any(key.startswith("decoder.") for key in keys)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("changes", [{}, {"output_size": 64}, {"width": 40, "depth": 5}])
def test_round_trip(tmp_path: Path, suffix: str, changes: dict[str, int]) -> None:
    generator = tiny_generator(thumb_size=64, **({"output_size": 256} | changes))
    path = tmp_path / f"model{suffix}"
    save = save_published if suffix == ".pt" else save_safetensors
    save(generator, path)
    assert_equal_weights(load_checkpoint(path).generator, generator)
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_hyperparameters_follow_from_shapes(tmp_path: Path) -> None:
    path = tmp_path / "full.pt"
    state = published_state("layout_g_256")
    torch.save({"g": state, "d": {}, "g_ema": state}, path)
    assert load_checkpoint(path).generator.config == GeneratorConfig(output_size=256)


def test_a_published_density_is_told_by_the_beta_that_it_lacks(tmp_path: Path) -> None:
    generator = tiny_generator(thumb_size=64, output_size=64, field="density")
    save_published(generator, path := tmp_path / "density.pt")
    state = torch.load(path, weights_only=True)["g_ema"]
    assert "renderer.sigmoid_beta" not in state
    assert read_architecture(path) == generator.config
    loaded = load_checkpoint(path).generator
    loaded.field.sigmoid_beta.data.copy_(generator.field.sigmoid_beta)
    assert_equal_weights(loaded, generator)


def test_ema_weights_are_preferred(tmp_path: Path) -> None:
    live, ema = (
        tiny_generator(thumb_size=64, output_size=64),
        tiny_generator(thumb_size=64, output_size=64),
    )
    ema.field.sigmoid_beta.data.fill_(0.5)
    torch.save({"g": to_published(live), "g_ema": to_published(ema)}, tmp_path / "both.pt")
    assert float(load_checkpoint(tmp_path / "both.pt").generator.field.sigmoid_beta) == 0.5


def test_half_precision_keeps_metadata(tmp_path: Path) -> None:
    path = tmp_path / "half.safetensors"
    save_safetensors(tiny_generator(), path, dtype=torch.float16, metadata={"directions": "heads"})
    loaded = load_checkpoint(path)
    assert loaded.metadata["directions"] == "heads"
    assert loaded.generator.field.sigmoid_beta.dtype == torch.float32


class Hostile:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return (exec, ("raise SystemExit('this must never run')",))


def test_pickled_code_is_refused_not_run(tmp_path: Path) -> None:
    path = tmp_path / "hostile.pt"
    path.write_bytes(pickle.dumps({"g_ema": Hostile()}))
    with pytest.raises(CheckpointError, match=r"hostile\.pt cannot be read as a PyTorch"):
        load_checkpoint(path)
    torch.save({"g_ema": Hostile()}, path)
    with pytest.raises(CheckpointError, match=r"hostile\.pt holds code .*\(__builtin__\.exec\)"):
        load_checkpoint(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_what_training_scripts_keep_beside_the_weights_is_passed_over(
    tmp_path: Path, zipped: bool
) -> None:
    generator = tiny_generator(thumb_size=64, output_size=64)
    state = {**to_published(generator), "steps": 7, "mean": np.float64(3.0)}
    content = {
        "args": argparse.Namespace(lr=np.float32(0.1), seen={1, 2}),
        "g_ema": state,
        "score": np.float64(3.0),
        "made": datetime.date(2022, 1, 1),
        "code": Hostile(),
    }
    path = tmp_path / "trained.pt"
    torch.save(content, path, _use_new_zipfile_serialization=zipped)
    assert_equal_weights(load_checkpoint(path).generator, generator)


def test_prefixes_of_wrapped_modules_are_taken_away(tmp_path: Path) -> None:
    generator = tiny_generator(thumb_size=64, output_size=64)
    wrapped = {
        f"module.{key.replace('renderer.', 'renderer._orig_mod.')}": value
        for key, value in to_published(generator).items()
    }
    torch.save({"g_ema": wrapped}, tmp_path / "wrapped.PT")
    assert_equal_weights(load_checkpoint(tmp_path / "wrapped.PT").generator, generator)


@pytest.mark.filterwarnings("ignore:.*[Qq]uantiz", "ignore:Sparse")
@pytest.mark.parametrize("kind", ["sparse", "quantised", "meta", "complex"])
def test_tensors_without_plain_numbers_count_as_missing(tmp_path: Path, kind: str) -> None:
    state = to_published(tiny_generator(thumb_size=64, output_size=64))
    if kind == "sparse":
        odd = torch.zeros(2, 2).to_sparse()
    elif kind == "quantised":
        odd = torch.quantize_per_tensor(torch.zeros(2), 1.0, 0, torch.qint8)
    elif kind == "meta":
        odd = torch.zeros(2, device="meta")
    else:
        odd = torch.zeros(2, dtype=torch.complex64)
    state["style.1.bias"] = odd
    torch.save({"g_ema": state}, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"style\.1\.bias is missing"):
        load_checkpoint(tmp_path / "odd.pt")


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
def test_an_architecture_larger_than_its_file_is_refused_at_once(
    tmp_path: Path, suffix: str
) -> None:
    path = tmp_path / f"huge{suffix}"
    if suffix == ".pt":
        state = {f"renderer.network.pts_linears.{i}.weight": torch.zeros(1) for i in range(64)}
        state["renderer.network.pts_linears.0.weight"] = torch.zeros(4096, 1)
        state |= {"style.0.weight": torch.zeros(4096, 1), "renderer.sigmoid_beta": torch.zeros(1)}
        torch.save({"g_ema": state}, path)
    else:
        config = json.dumps({"z_dim": 4096, "width": 4096, "depth": 64})
        save_file({"a": torch.zeros(1)}, path, {"format": "stylesdf-studio-1", "config": config})
    start = time.process_time()
    with pytest.raises(CheckpointError, match="more weights than the file holds"):
        load_checkpoint(path)
    assert time.process_time() - start < 1.0


def test_a_pickle_cannot_claim_more_data_than_it_has(tmp_path: Path) -> None:
    path = tmp_path / "claims.pt"
    torch.save({"g_ema": {"renderer.sigmoid_beta": torch.zeros(10)}}, path)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    for claim in (b"J\x00\xe1\xf5\x05", b"J\xff\xff\xff\xff"):  # 100,000,000 and -1 for 10
        with zipfile.ZipFile(path, "w") as archive:
            for name, part in parts.items():
                archive.writestr(name, part.replace(b"K\n", claim))
        with pytest.raises(CheckpointError, match="claim more bytes than the file has"):
            load_checkpoint(path)


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kept", [0.0, 0.2, 0.9])
def test_truncated_files(tmp_path: Path, suffix: str, kept: float) -> None:
    path = tmp_path / f"short{suffix}"
    save = save_published if suffix == ".pt" else save_safetensors
    save(tiny_generator(thumb_size=64, output_size=128), path)
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(CheckpointError, match=f"short{suffix}"):
        load_checkpoint(path)


def test_mismatched_shapes_are_listed(tmp_path: Path) -> None:
    state = to_published(tiny_generator(thumb_size=64, output_size=64))
    state["renderer.network.sigma_linear.bias"] = torch.zeros(7)
    del state["style.1.bias"]
    torch.save({"g_ema": state}, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(tmp_path / "odd.pt")
    message = str(caught.value)
    assert "style.1.bias is missing" in message
    assert "sigma_linear.bias should be (1,) and is (7,)" in message


def test_files_of_other_programs(tmp_path: Path) -> None:
    torch.save({"state": {"layer.weight": torch.zeros(2)}}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="not a StyleSDF generator"):
        load_checkpoint(tmp_path / "other.pt")
    save_file({"layer.weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match=r"first keys are layer\.weight"):
        load_checkpoint(tmp_path / "other.safetensors")
    (tmp_path / "text.txt").write_text("weights")
    with pytest.raises(CheckpointError, match=r"not '\.txt'"):
        load_checkpoint(tmp_path / "text.txt")
    with pytest.raises(CheckpointError, match="There is no file"):
        load_checkpoint(tmp_path / "missing.pt")


@pytest.mark.parametrize("name", ["config", "poses"])
@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[]", '{"azimuth_std": NaN}', '{"x": 1}'])
def test_texts_of_a_header_that_cannot_be_read_are_a_sentence(
    tmp_path: Path, name: str, text: str
) -> None:
    path = tmp_path / "odd.safetensors"
    generator = tiny_generator()
    texts = {"format": "stylesdf-studio-1", "config": json.dumps(to_json(generator.config))}
    save_file(generator.state_dict(), path, texts | {name: text})
    with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
        load_model(str(path))
    with pytest.raises(CheckpointError, match=r"odd\.safetensors"):
        (read_architecture if name == "config" else read_poses)(path)


def test_whole_numbers_are_no_weights(tmp_path: Path) -> None:
    generator = tiny_generator()
    texts = {"format": "stylesdf-studio-1", "config": json.dumps(to_json(generator.config))}
    state = {key: value.to(torch.int32) for key, value in generator.state_dict().items()}
    save_file(state, tmp_path / "whole.safetensors", texts)
    with pytest.raises(CheckpointError, match="holds whole numbers as weights: "):
        load_checkpoint(tmp_path / "whole.safetensors")


def test_nan_weights_are_refused(tmp_path: Path) -> None:
    generator = tiny_generator()
    generator.field.rgb_head.bias.data[0] = float("nan")
    save_safetensors(generator, tmp_path / "nan.safetensors")
    with pytest.raises(CheckpointError, match=r"field\.rgb_head\.bias holds NaN"):
        load_checkpoint(tmp_path / "nan.safetensors")


def test_garbage_gets_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "garbage.pt"
    source = np.random.default_rng(0)
    whole = io.BytesIO()
    torch.save({"g_ema": to_published(tiny_generator(thumb_size=64, output_size=64))}, whole)
    for trial in range(60):
        data = bytearray(whole.getvalue() if trial % 2 else source.bytes(200))
        for _ in range(20):
            data[int(source.integers(min(len(data), 4000)))] = int(source.integers(256))
        path.write_bytes(bytes(data))
        with contextlib.suppress(CheckpointError):  # a flipped weight bit may still load
            load_checkpoint(path)


@pytest.mark.parametrize(
    "state", [{1: torch.zeros(2)}, {"renderer.sigmoid_beta": torch.zeros(())}, [1, 2], None]
)
def test_odd_contents_get_one_clear_error(tmp_path: Path, state: object) -> None:
    torch.save({"g_ema": state}, tmp_path / "odd.pt")
    with pytest.raises(CheckpointError, match=r"odd\.pt"):
        load_checkpoint(tmp_path / "odd.pt")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_the_architecture_is_read_alone_and_anew_when_the_file_changes(
    suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"weights{suffix}"
    save = save_safetensors if suffix == ".safetensors" else save_published
    for number, size in enumerate((64, 32)):
        save(tiny_generator(output_size=size), path)
        os.utime(path, (number, number))
        assert read_architecture(path) == load_checkpoint(path).generator.config
        assert read_architecture(path).output_size == size
    path.write_bytes(b"no weights")
    with pytest.raises(CheckpointError):
        read_architecture(path)
    with pytest.raises(CheckpointError, match="There is no file"):
        read_architecture(tmp_path / f"nowhere{suffix}")


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_a_full_disk_is_a_sentence(
    suffix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch and safetensors have exceptions of their own for it."""

    def fail(*_: object) -> None:
        raise SafetensorError("no room") if suffix == ".safetensors" else RuntimeError("no room")

    monkeypatch.setattr(checkpoints, "save_file", fail)
    monkeypatch.setattr(torch, "save", fail)
    save = save_safetensors if suffix == ".safetensors" else save_published
    with pytest.raises(OutputError, match=r"Cannot write .*: the disk may be full \(no room\)"):
        save(tiny_generator(), tmp_path / f"x{suffix}")
    assert list(tmp_path.iterdir()) == []
