"""The judge of foregrounds, and a model's opacity against its masks."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.foreground_judge import (
    fit_foreground_judge,
    mean_iou,
    read_masks,
)
from stylesdf_core.progress import drain
from tests.models import save_tiny

Bytes = npt.NDArray[np.uint8]


def discs(count: int, seed: int, size: int = 32) -> tuple[Bytes, Bytes]:
    """Striped discs before backgrounds of other colours, with their masks."""
    random = np.random.default_rng(seed)
    line = np.linspace(-1.0, 1.0, size)
    x, y = line[None, None, :], line[None, :, None]
    left, top, radius = (
        random.uniform(low, high, (count, 1, 1))
        for low, high in ((-0.3, 0.3), (-0.3, 0.3), (0.4, 0.6))
    )
    inside = np.square(x - left) + np.square(y - top) < np.square(radius)
    behind = random.uniform(0, 255, (count, 1, 1, 3)) + 40.0 * x[..., None]
    stripes = 128.0 + 100.0 * np.sign(np.sin(12.0 * x + 0.0 * y))[..., None]
    pixels = np.where(inside[..., None], stripes, behind)
    return pixels.clip(0, 255).astype(np.uint8), np.uint8(255) * inside.astype(np.uint8)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Discs in place of heads, as `heads --backgrounds` writes them."""
    folder = tmp_path_factory.mktemp("heads")
    (folder / "dataset.json").write_text("{}")
    rows = []
    for index, (picture, mask) in enumerate(zip(*discs(72, 3), strict=True)):
        Image.fromarray(picture).save(folder / f"{index}.png")
        Image.fromarray(mask).save(folder / f"{index}-mask.png")
        rows.append(json.dumps({"file": f"{index}.png", "mask": f"{index}-mask.png"}))
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n")
    return folder


def test_masks_of_other_pictures_are_told() -> None:
    judge = drain(fit_foreground_judge(*discs(128, 1), steps=80))
    pixels, masks = discs(40, 2)
    assert judge.held_out > 0.8
    assert mean_iou(judge(pixels), masks > 127) == pytest.approx(judge.held_out, abs=0.1)


def test_mean_of_each_picture_s_own_iou() -> None:
    one = np.zeros((2, 4, 4), np.bool_)
    one[0, :2], one[1, :1] = True, True
    other = one.copy()
    other[1, :2] = True
    assert mean_iou(one, other) == pytest.approx(0.75)


def test_masks_are_those_of_the_table(heads: Path, tmp_path: Path) -> None:
    assert read_masks(heads)["5.png"] == "5-mask.png"
    assert read_masks(tmp_path) == {}


def test_evaluate_compares_opacity_with_judged_masks(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("stylesdf_core.evaluation.measures.foreground.STEPS", 4)
    weights = str(save_tiny(tmp_path / "tiny.safetensors", background="sphere", output_size=32))
    request = Evaluate(model=weights, data=heads, metrics="foreground", identities=3, device="cpu")
    report = drain(request.run())
    assert [figure.key for figure in report.figures] == ["foreground_iou"]
    figure = report.figures[0]
    assert 0.0 <= figure.value <= 1.0
    assert figure.low == 0.95
    assert "3 heads; the judge learned from 72 true masks" in figure.detail
    assert "foreground" in Evaluate(model=weights, data=heads, metrics="all")._metrics()
    few = tmp_path / "few"
    shutil.copytree(heads, few)
    rows = (few / "metadata.jsonl").read_text().splitlines(keepends=True)
    (few / "metadata.jsonl").write_text("".join(rows[:20]))
    assert "foreground" not in Evaluate(model=weights, data=few, metrics="all")._metrics()
    with pytest.raises(InputError, match=r"holds 20 pictures with masks, .*heads --backgrounds"):
        drain(Evaluate(model=weights, data=few, metrics="foreground", device="cpu").run())
    with pytest.raises(InputError, match="metric foreground compares with true pictures"):
        drain(Evaluate(model=weights, metrics="foreground").run())
