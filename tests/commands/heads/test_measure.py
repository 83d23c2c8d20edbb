"""The whole measurement on a tiny model with random weights."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylesdf_core.commands.heads.measure import Measure
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.reports.report import card_marks
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Progress, drain


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    config = GeneratorConfig(width=16, depth=2, thumb_size=16, output_size=32, channel_multiplier=1)
    generator = Generator(config)
    with torch.no_grad():  # a surface in the middle, whatever the random field does
        generator.field.scalar_head.weight.mul_(0.2)
    path = tmp_path_factory.mktemp("measure") / "tiny.safetensors"
    save_safetensors(generator, path)
    return path


def test_measuring_reports_every_figure(weights: Path, facekit_path: Path, tmp_path: Path) -> None:
    pytest.importorskip("cv2")
    card = tmp_path / "tiny.md"
    begin, end = card_marks("measure")
    card.write_text(f"# Tiny\n{begin}\n{end}\n", encoding="utf-8")
    request = Measure(
        facekit=facekit_path,
        model=str(weights),
        count=2,
        meshes=1,
        out=tmp_path / "report.json",
        card=card,
        grids=tmp_path / "grids",
        device="cpu",
    )
    operation = request.run()
    last = Progress(0, 1)
    while True:
        try:
            last = next(operation)
        except StopIteration as end:
            report = end.value
            break
    assert last.fraction == pytest.approx(1.0)
    keys = {figure.key for figure in report.figures}
    assert keys >= {
        "psnr_thumb",
        "psnr_image",
        "psnr_gain",
        "laplacian_ratio",
        "eyes",
        "catchlights",
        "iris_color",
        "silhouette_iou",
        "depth_error",
        "gradient_error",
        "largest_component",
        "watertight",
        "normal_angle",
        "floating_parts",
        "stray_points",
        "megabytes",
        "frechet",
        "flicker",
    }
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert len(written["scores"]["views"]) == 2
    assert len(written["scores"]["meshes"]) == 1
    assert written["scores"]["views"][1]["seed"] == 1
    assert [score["seed"] for score in written["scores"]["flickers"]] == [0, 1]
    assert {score["seed"] for score in written["scores"]["irises"]} <= {0, 1}
    assert "PSNR" in card.read_text(encoding="utf-8")
    names = {path.name for path in (tmp_path / "grids").iterdir()}
    assert names == {"unseen.png", "frontal.png", "orbit.png", "normals.png"}


def test_two_models_are_measured_side_by_side(
    weights: Path, facekit_path: Path, tmp_path: Path
) -> None:
    pytest.importorskip("cv2")
    card = tmp_path / "tiny.md"
    begin, end = card_marks("measure")
    card.write_text(f"# Tiny\n{begin}\n{end}\n", encoding="utf-8")
    request = Measure(
        facekit=facekit_path,
        model=str(weights),
        against=str(weights),
        count=1,
        meshes=0,
        out=tmp_path / "both.json",
        card=card,
        device="cpu",
    )
    steps = list(request.run())
    fractions = [step.fraction for step in steps[1:]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    written = json.loads((tmp_path / "both.json").read_text(encoding="utf-8"))
    changes = written["against"]["changes"]
    assert changes.pop("seconds") in ("better", "worse", "equal")
    assert set(changes.values()) == {"equal"}
    assert "the other tiny" in card.read_text(encoding="utf-8")


def test_wrong_numbers_and_files_are_refused_at_once(tmp_path: Path) -> None:
    for request in (
        Measure(facekit=tmp_path, count=0),
        Measure(facekit=tmp_path, meshes=-1),
        Measure(facekit=tmp_path, seed_start=-1),
        Measure(facekit=tmp_path, card=tmp_path / "none.md"),
    ):
        with pytest.raises(InputError):
            drain(request.run())


def test_a_missing_face_model_is_named(weights: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nothing\.npz"):
        drain(Measure(facekit=tmp_path / "nothing.npz", model=str(weights), count=1).run())


def test_a_model_of_something_else_is_refused(tmp_path: Path, facekit_path: Path) -> None:
    pytest.importorskip("cv2")
    config = GeneratorConfig(z_dim=8, width=16, depth=2, thumb_size=16, output_size=16)
    path = tmp_path / "other.safetensors"
    save_safetensors(Generator(config), path)
    with pytest.raises(InputError, match="synthetic heads"):
        drain(Measure(facekit=facekit_path, model=str(path), count=1).run())
