"""FID and KID: the library's own figures, from features that come a few pictures at a time."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from stylesdf_core.errors import DownloadError, InputError
from stylesdf_core.evaluation.measures import inception
from stylesdf_core.evaluation.measures.inception import (
    WEIGHTS,
    Inception,
    fid,
    inception_weights,
    kid,
)
from stylesdf_core.evaluation.measures.rows import RowFile
from stylesdf_core.model.download import RemoteFile
from stylesdf_core.progress import drain

LENGTH = 12


@pytest.fixture(scope="module")
def library() -> Any:
    pytest.importorskip("cv2")  # of the same extra; torch-fidelity needs torchvision's import
    return inception.torch_fidelity()


@pytest.fixture(scope="module")
def stand_in(library: Any) -> Any:
    """A small network in Inception's place, known to the library as `stand-in`."""

    class StandIn(library.FeatureExtractorBase):  # type: ignore[misc]
        def __init__(self, name: str, features_list: list[str], **_: object) -> None:
            super().__init__(name, features_list)
            weights = torch.Generator().manual_seed(3)
            self.register_buffer("kernel", torch.randn(LENGTH, 3, 5, 5, generator=weights))

        def forward(self, x: Tensor) -> tuple[Tensor]:
            # In float64, so that features do not depend on how many pictures come at once.
            maps = torch.conv2d(x.double() / 255.0, self.kernel.double(), stride=2)
            return (maps.abs().mean(dim=(2, 3)).float(),)

        @staticmethod
        def get_provided_features_list() -> tuple[str, ...]:
            return ("stand-in",)

        @staticmethod
        def get_default_feature_layer_for_metric(_: str) -> str:
            return "stand-in"

    library.register_feature_extractor("stand-in", StandIn)
    return StandIn("stand-in", ["stand-in"])


def pictures(folder: Path, count: int, seed: int) -> list[np.ndarray]:
    folder.mkdir()
    random = np.random.default_rng(seed)
    made = []
    for index in range(count):
        small = random.integers(0, 256, (6, 6, 3), np.uint8)
        made.append(np.asarray(Image.fromarray(small).resize((24, 24))))
        Image.fromarray(made[-1]).save(folder / f"{index:03d}.png")
    return made


def streamed(folder: Path, images: list[np.ndarray], network: Any) -> np.ndarray:
    """Features as `evaluate` gets them: some pictures at a time, kept in a file."""
    rows = RowFile(folder)
    for start in range(0, len(images), 7):
        batch = torch.from_numpy(np.stack(images[start : start + 7])).movedim(-1, 1)
        rows.write(start, {"inception": network(batch)[0].numpy()})
    return rows.column("inception")


def test_fid_and_kid_are_the_librarys(library: Any, stand_in: Any, tmp_path: Path) -> None:
    one, other = pictures(tmp_path / "one", 40, 1), pictures(tmp_path / "other", 33, 2)
    theirs = library.calculate_metrics(
        input1=str(tmp_path / "one"),
        input2=str(tmp_path / "other"),
        feature_extractor="stand-in",
        fid=True,
        kid=True,
        kid_subset_size=16,
        cuda=False,
        cache=False,
        save_cpu_ram=True,
        verbose=False,
    )
    a = streamed(tmp_path / "a", one, stand_in)
    b = streamed(tmp_path / "b", other, stand_in)
    assert fid(a, b) == pytest.approx(theirs["frechet_inception_distance"], rel=1e-6)
    ours = kid(a, b)
    assert ours.subset == 16
    assert ours.mean == pytest.approx(theirs["kernel_inception_distance_mean"], rel=1e-6)
    assert ours.std == pytest.approx(theirs["kernel_inception_distance_std"], rel=1e-6)


def test_equal_sets_are_near_zero_and_kid_is_unbiased(library: Any) -> None:
    random = np.random.default_rng(5)
    features = random.standard_normal((4000, LENGTH)).astype(np.float32)
    assert fid(features, features.copy()) == pytest.approx(0.0, abs=1e-4)
    found = kid(features[:2000], features[2000:])
    assert abs(found.mean) < 3.0 * found.std / np.sqrt(10)  # about 0, not above
    few = kid(features[:100], features[100:200])
    assert abs(few.mean) < 3.0 * few.std / np.sqrt(4)
    assert few.std > found.std > 0.0


def test_the_network_reads_tensors_and_runs_no_code(
    library: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Any] = []

    class Recorder(torch.nn.Module):
        def __init__(self, name: str, layers: list[str], feature_extractor_weights_path: Any):
            super().__init__()
            made.append((name, layers, torch.load(feature_extractor_weights_path)))

        def forward(self, x: Tensor) -> tuple[Tensor]:
            assert x.dtype == torch.uint8
            return (x.float().mean(dim=(2, 3)),)

    monkeypatch.setattr(library, "FeatureExtractorInceptionV3", Recorder)
    torch.save({"kernel": torch.ones(2)}, tmp_path / "weights.pth")
    network = Inception(tmp_path / "weights.pth", torch.device("cpu"))
    assert made[0][:2] == ("inception-v3-compat", ["2048"])
    assert torch.equal(made[0][2]["kernel"], torch.ones(2))
    assert network(np.full((2, 8, 8, 3), 7, np.uint8)).tolist() == [[7.0] * 3] * 2
    torch.save({"kernel": print}, tmp_path / "code.pth")
    with pytest.raises(InputError, match="cannot be read as Inception's weights"):
        Inception(tmp_path / "code.pth", torch.device("cpu"))


def test_only_the_published_weights_are_taken(tmp_path: Path) -> None:
    (tmp_path / "own.pth").write_bytes(b"weights")
    with pytest.raises(InputError, match="on whose features FID and KID are defined"):
        drain(inception_weights(tmp_path / "own.pth"))
    with pytest.raises(InputError, match="There is no file"):
        drain(inception_weights(tmp_path / "none.pth"))


def test_offline_one_sentence_says_what_to_fetch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nowhere = RemoteFile("http://127.0.0.1:9/weights.pth", WEIGHTS.size, sha256=WEIGHTS.sha256)
    monkeypatch.setattr(inception, "WEIGHTS", nowhere)
    monkeypatch.setattr(inception, "cache_folder", lambda: tmp_path)
    with pytest.raises(DownloadError) as caught:
        drain(inception_weights())
    text = str(caught.value)
    assert "weights.pth (95,628,359 bytes, SHA-256 6726825d" in text
    assert "--inception" in text
    assert nowhere.url in text
    assert WEIGHTS.url.startswith("https://")


def test_without_the_library_one_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def missing() -> None:
        raise ImportError("no torchvision")

    monkeypatch.setattr(inception, "_import_torchvision", missing)
    inception.torch_fidelity.cache_clear()
    with pytest.raises(InputError, match=r"stylesdf-studio\[eval\]"):
        inception.torch_fidelity()
