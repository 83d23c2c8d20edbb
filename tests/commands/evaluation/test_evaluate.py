"""The whole evaluation on a tiny model with random weights."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from stylesdf_core import resources
from stylesdf_core.commands.evaluation import process, processes
from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.data.images import shrink
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.pose_regressor import fit_pose_regressor
from stylesdf_core.evaluation.measures import comparing, inception
from stylesdf_core.evaluation.measures.picture_sets import GeneratedPictures, TruePictures
from stylesdf_core.evaluation.measures.rows import Columns
from stylesdf_core.evaluation.reports.report import card_marks
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.poses import POSES, Poses
from stylesdf_core.progress import Operation, Progress, drain
from tests.models import save_tiny, tiny_generator


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No test finds another test's rows."""
    monkeypatch.setattr(resources, "user_folder", lambda kind: tmp_path / "own" / kind)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `heads` writes, with noise for heads: 240 of them that tell their cameras."""
    folder = tmp_path_factory.mktemp("heads")
    (folder / "images").mkdir()
    (folder / "dataset.json").write_text("{}", encoding="utf-8")
    random = np.random.default_rng(0)
    rows = []
    for index in range(240):
        azimuth, elevation = random.normal(0.0, 0.2, 2)
        pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
        file = f"images/{index:03d}.png"
        Image.fromarray(pixels).resize((64, 64)).save(folder / file)
        rows.append(json.dumps({"file": file, "azimuth": azimuth, "elevation": elevation}))
    (folder / "metadata.jsonl").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


def test_evaluating_reports_every_figure(heads: Path, tmp_path: Path) -> None:
    card = tmp_path / "tiny.md"
    begin, end = card_marks("evaluate")
    card.write_text(f"# Tiny\n{begin}\n{end}\n", encoding="utf-8")
    request = Evaluate(
        model=str(save_tiny(tmp_path / "tiny.safetensors")),
        data=heads,
        count=16,
        orbits=1,
        seed_start=5,
        json=tmp_path / "report.json",
        card=card,
        device="cpu",
    )
    # Sixteen and sixteen true pictures are too few for a pose regressor.
    report = drain(request.run())
    figures = {figure.key: figure for figure in report.figures}
    assert set(figures) == {"frechet_image", "frechet_volume", "flicker", "sharpness_ratio"}
    assert figures["frechet_image"].value > 0
    assert "other true pictures" in figures["frechet_image"].detail
    assert "no FID" in (Evaluate.__doc__ or "")
    assert "seeds 5 to 20" in report.protocol
    assert "not with any FID" in report.protocol
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert [score["seed"] for score in written["scores"]["orbits"]] == [5]
    assert "seeded-features-1" in card.read_text(encoding="utf-8")
    assert "targets are reached" not in str(report)


def test_all_frechet_distances_are_of_equally_many_pictures(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A perfect model's distance is that of the other true pictures, if these are fewer as well."""

    def noise(pictures: GeneratedPictures, things: Sequence[int]) -> Columns:
        random = np.random.default_rng(list(things))
        small = random.integers(0, 256, (len(things), 8, 8, 3), np.uint8)
        images = [np.asarray(Image.fromarray(each).resize((64, 64))) for each in small]
        made = [(image, shrink(image, pictures.engine.config.thumb_size)) for image in images]
        angles, edges = [(0.0, 0.0)] * len(made), [64] * len(made)
        return pictures.extractors.rows(pictures.engine.config, made, angles, edges)

    monkeypatch.setattr(GeneratedPictures, "measure", noise)
    monkeypatch.setattr(comparing, "_FEWEST_POSED", 1000)
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    report = drain(Evaluate(model=weights, data=heads, metrics="frechet", count=600).run())
    assert "whose distance from 120 others" in report.protocol
    assert "of 120 generated pictures" in report.protocol
    for figure in report.figures[:2]:
        others = float(figure.detail.rpartition(" ")[2])
        assert figure.value == pytest.approx(others, rel=0.05)


def test_where_cameras_are_known_turning_is_judged(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    quickly = partial(fit_pose_regressor, steps=20)
    monkeypatch.setattr(comparing, "fit_pose_regressor", quickly)
    monkeypatch.setattr(comparing, "_FEWEST_POSED", 80)
    weights = save_tiny(tmp_path / "volume.safetensors", output_size=16)
    request = Evaluate(model=str(weights), data=heads, count=40, orbits=0, device="cpu")
    operation = request.run()
    fractions = []
    while True:
        try:
            fractions.append(next(operation).fraction)
        except StopIteration as stop:
            report = stop.value
            break
    assert fractions == sorted(fractions)
    assert fractions[-1] == pytest.approx(1.0)
    figures = {figure.key: figure for figure in report.figures}
    assert set(figures) == {
        "frechet_volume",
        "azimuth_r",
        "azimuth_slope",
        "elevation_r",
        "elevation_slope",
        "sharpness_ratio",
    }
    assert "too low to trust" in figures["azimuth_r"].detail  # noise shows no azimuth


def test_a_models_own_poses_are_used_unless_flags_say_otherwise(tmp_path: Path) -> None:
    run = tmp_path / "model.safetensors"
    poses = Poses(0.1, 0.05, "uniform", static_viewdirs=True)
    save_safetensors(tiny_generator(), run, metadata={POSES: json.dumps(to_json(poses))})
    assert str(Evaluate(model=str(run), data=run)._poses()) == "uniform, σ 0.1 and 0.05 rad"
    changed = Evaluate(model=str(run), data=run, azimuth_std=0.2, distribution="normal")
    assert str(changed._poses()) == "normal, σ 0.2 and 0.05 rad"
    assert str(Evaluate(model="heads", data=run)._poses()) == "normal, σ 0.4 and 0.18 rad"


def test_without_true_pictures_a_models_own_views_are_measured(tmp_path: Path) -> None:
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    request = Evaluate(
        model=weights, metrics="depth-consistency,flicker", identities=2, orbits=1, device="cpu"
    )
    report = drain(request.run())
    assert [figure.key for figure in report.figures] == ["depth_consistency", "flicker"]
    assert report.figures[0].unit == "bins"
    assert len(report.scores["orbits"][0]["curve"]) == 15
    for metrics, says in (
        ("fid,flicker", "The metric fid compares with true pictures"),
        ("speed", "--metrics knows no speed; choose among fid"),
        (" , ", "--metrics names nothing"),
    ):
        with pytest.raises(InputError, match=says):
            drain(Evaluate(model=weights, metrics=metrics).run())
    with pytest.raises(InputError, match="--orbits 0 leaves nothing to measure"):
        drain(Evaluate(model=weights, metrics="flicker", orbits=0).run())
    assert "fid" not in Evaluate(model=weights, metrics="all")._metrics()
    assert "kid" in Evaluate(model=weights, metrics="all", data=tmp_path)._metrics()


class Stripes:
    """Six features of a picture, in Inception's place."""

    seen: ClassVar[set[int]] = set()

    def __init__(self, weights: Path, device: object) -> None:
        assert weights.name == "weights.pth"

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.seen.add(images.shape[1])
        stripes = images.reshape(len(images), 6, -1).astype(np.float32)
        return stripes.mean(axis=2) / np.float32(255.0)


def test_fid_and_kid_come_with_what_makes_them_incomparable(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if find_spec("torch_fidelity") is None:
        pytest.skip("needs the extra eval")

    def taken(_: Path | None) -> Operation[Path]:
        yield Progress(1, 1)
        return tmp_path / "weights.pth"

    monkeypatch.setattr(inception, "inception_weights", taken)
    monkeypatch.setattr(inception, "Inception", Stripes)
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    request = Evaluate(model=weights, data=heads, metrics="fid,kid", count=16, device="cpu")
    report = drain(request.run())
    figures = {figure.key: figure for figure in report.figures}
    assert set(figures) == {"fid", "kid", "sharpness_ratio"}
    assert Stripes.seen == {64}
    assert figures["fid"].title == "FID, 64²"
    assert figures["fid"].value > 0.0
    assert "over subsets of 8; 16 generated, 16 true pictures" in figures["kid"].detail
    assert "FID is too large" in str(report)
    assert "compared at 64², the model's size" in str(report)


def test_an_interrupted_evaluation_goes_on(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    request = Evaluate(model=weights, data=heads, metrics="frechet", count=16, device="cpu")
    operation = request.run()
    while next(operation).message != "generating pictures":
        pass
    next(operation)
    operation.close()
    rendered: list[int] = []
    measure = GeneratedPictures.measure

    def watched(pictures: GeneratedPictures, things: Sequence[int]) -> Columns:
        rendered.extend(things)
        return measure(pictures, things)

    monkeypatch.setattr(GeneratedPictures, "measure", watched)
    monkeypatch.setattr(TruePictures, "measure", None)  # all true pictures have rows
    report = drain(request.run())
    assert 0 < len(rendered) < 16
    rendered.clear()
    again = drain(request.run())
    assert len(rendered) == 16  # only the data set's rows are kept
    assert [f.value for f in again.figures] == [f.value for f in report.figures]
    monkeypatch.setattr("stylesdf_core.evaluation.measures.comparing.FEATURES", "others")
    with pytest.raises(TypeError):  # rows of other features are no use
        drain(request.run())


def test_wrong_requests_are_refused(tmp_path: Path, heads: Path) -> None:
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    few = tmp_path / "few"
    few.mkdir()
    Image.new("RGB", (64, 64)).save(few / "one.png")
    for request, says in (
        (Evaluate(model=weights, data=heads, count=2), "--count"),
        (Evaluate(model=weights, data=heads, orbits=-1), "--orbits"),
        (Evaluate(model=weights, data=heads, seed_start=-1), "--seed-start"),
        (Evaluate(model=weights, data=heads, azimuth_std=3.0), "azimuth_std"),
        (Evaluate(model=weights, data=heads, card=tmp_path / "none.md"), "card"),
        (Evaluate(model=weights, data=tmp_path / "nothing"), "no folder"),
        (Evaluate(model=weights, data=few), "at least 16 are needed"),
    ):
        with pytest.raises(InputError, match=says):
            drain(request.run())


def test_two_processes_equal_one(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the processes use the user's own folder of the environment
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    request = Evaluate(
        model=weights,
        data=heads,
        metrics="frechet,depth-consistency",
        count=16,
        identities=2,
        device="cpu",
    )
    alone = drain(request.run())
    shutil.rmtree(tmp_path / "cache")
    seen = []
    operation = replace(request, gpus=2).run()
    while True:
        try:
            seen.append(next(operation).message)
        except StopIteration as stop:
            shared = stop.value
            break
    assert seen[0] == "starting 2 processes"
    assert {"looking at true pictures", "generating pictures", "comparing depth maps"} <= set(seen)
    values = [figure.value for figure in alone.figures]
    assert [figure.value for figure in shared.figures] == pytest.approx(values, rel=1e-4)


def test_a_process_says_why_it_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """One process of the evaluation, run here instead of under torchrun."""

    def alone(command: list[str], **_: object) -> SimpleNamespace:
        status = process.main(command[-1:])
        said = io.StringIO(capsys.readouterr().out)
        return SimpleNamespace(stdout=said, poll=lambda: status, wait=lambda: status)

    monkeypatch.setattr(processes.subprocess, "Popen", alone)
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    empty = tmp_path / "empty"
    empty.mkdir()
    request = Evaluate(model=weights, data=empty, metrics="frechet", device="cpu", gpus=2)
    with pytest.raises(InputError, match="holds no images"):
        drain(request.run())
