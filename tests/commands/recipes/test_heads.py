"""Recipes: what is done once is not done again, and a small one from the face model to a card."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import pytest
import torch

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.heads.make import MakeHeads
from stylesdf_core.commands.heads.measure import Measure
from stylesdf_core.commands.recipes.heads import RecipeHeads, WriteHeadsModel, steps_table
from stylesdf_core.commands.recipes.steps import Record, run_steps
from stylesdf_core.commands.train.fit import TrainFit
from stylesdf_core.commands.train.stages import TrainJoint
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.heads import surfaces
from stylesdf_core.heads.fit import views as view_shards
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.model.model import load_model
from stylesdf_core.progress import Operation, Progress, drain
from tests.models import save_tiny


@dataclass(frozen=True)
class Stopped:
    finished: bool = False


@dataclass(frozen=True)
class Count:
    """Appends a line to a file; fails as long as another file is there."""

    file: Path
    amount: int = 1
    threads: int = 1

    def run(self) -> Operation[Stopped | None]:
        yield Progress(0.5, 1.0, "half")
        with open(self.file, "a", encoding="utf-8") as stream:
            stream.write("done\n")
        if self.file.with_suffix(".fail").exists():
            raise TrainingError("as asked")
        return Stopped() if self.file.with_suffix(".stop").exists() else None


def times(file: Path) -> int:
    return len(file.read_text(encoding="utf-8").splitlines()) if file.exists() else 0


@pytest.fixture
def recipe(tmp_path: Path) -> Callable[..., Operation[list[Record]]]:
    """Three steps that count how often they run in files beside the recipe's folder."""

    def run(amount: int = 1, threads: int = 1) -> Operation[list[Record]]:
        names = ("one", "two", "three")
        steps = {name: Count(tmp_path / name, amount, threads) for name in names}
        return run_steps(tmp_path / "out", steps, "a machine")

    return run


def records(folder: Path) -> dict[str, Record]:
    rows = json.loads((folder / "out" / "recipe.json").read_text(encoding="utf-8"))["steps"]
    return {row["name"]: Record(**row) for row in rows}


def test_finished_steps_are_not_run_again(
    tmp_path: Path, recipe: Callable[..., Operation[list[Record]]]
) -> None:
    fractions = [progress.fraction for progress in recipe()]
    assert fractions == pytest.approx([n / 6 for n in range(1, 7)])
    drain(recipe())
    assert [times(tmp_path / name) for name in ("one", "two", "three")] == [1, 1, 1]
    kept = records(tmp_path)
    assert all(record.finished and record.machine == "a machine" for record in kept.values())
    assert kept["two"].settings == {"file": str(tmp_path / "two"), "amount": 1, "threads": 1}


def test_a_failed_step_goes_on_by_the_same_command(
    tmp_path: Path, recipe: Callable[..., Operation[list[Record]]]
) -> None:
    (tmp_path / "two.fail").touch()
    with pytest.raises(TrainingError, match="as asked"):
        drain(recipe())
    before = records(tmp_path)
    assert [before[name].finished for name in ("one", "two", "three")] == [True, False, False]
    assert before["two"].seconds > 0
    (tmp_path / "two.fail").unlink()
    drain(recipe(threads=2))  # where it runs may change, and shows
    assert [times(tmp_path / name) for name in ("one", "two", "three")] == [1, 2, 1]
    assert records(tmp_path)["two"].seconds > before["two"].seconds


def test_a_step_that_was_asked_to_stop_ends_the_recipe(
    tmp_path: Path, recipe: Callable[..., Operation[list[Record]]]
) -> None:
    (tmp_path / "two.stop").touch()
    assert [record.finished for record in drain(recipe())] == [True, False, False]
    assert not records(tmp_path)["two"].finished
    assert times(tmp_path / "three") == 0


def test_closing_it_closes_the_step_and_keeps_the_time(
    tmp_path: Path, recipe: Callable[..., Operation[list[Record]]]
) -> None:
    operation = recipe()
    next(operation)
    operation.close()
    assert times(tmp_path / "one") == 0
    assert records(tmp_path)["one"].seconds > 0


def test_another_recipe_in_the_folder_is_refused(
    tmp_path: Path, recipe: Callable[..., Operation[list[Record]]]
) -> None:
    (tmp_path / "two.fail").touch()
    with pytest.raises(TrainingError):
        drain(recipe())
    with pytest.raises(InputError, match=r"step 'one' has amount .* instead of"):
        drain(recipe(amount=2))
    (tmp_path / "out" / "recipe.json").write_text("[]", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read as a recipe"):
        drain(recipe())
    (tmp_path / "out" / "recipe.json").unlink()
    (tmp_path / "out" / "other").touch()
    with pytest.raises(InputError, match="is not empty and holds no recipe"):
        drain(recipe())


def test_the_steps_are_the_commands_a_person_would_give(tmp_path: Path) -> None:
    request = RecipeHeads(facekit=tmp_path / "kit", out=tmp_path / "out")
    plain = request.steps()
    assert list(plain) == ["pictures", "fit", "model", "evaluation", "measurement"]
    fit, quick = plain["fit"], replace(request, quick=True).steps()["fit"]
    assert isinstance(fit, TrainFit)
    assert isinstance(quick, TrainFit)
    assert fit.config.points == FitConfig().points, "the fit's defaults are the recipe"
    assert fit.config.generator == FitConfig().generator
    assert quick.config.points.steps < fit.config.points.steps / 10
    for steps in (plain, replace(request, quick=True).steps()):
        pictures, trained = steps["pictures"], steps["fit"]
        assert isinstance(pictures, MakeHeads)
        assert isinstance(trained, TrainFit)
        assert pictures.size == trained.config.generator.output_size
    evaluation, measurement = plain["evaluation"], plain["measurement"]
    assert isinstance(evaluation, Evaluate)
    assert isinstance(measurement, Measure)
    assert (evaluation.count, measurement.count, measurement.meshes) == (2000, 200, 40)
    steps = replace(request, joint_steps=100, device="cpu").steps()
    joint, model = steps["joint"], steps["model"]
    assert list(steps)[2:4] == ["joint", "model"]
    assert isinstance(joint, TrainJoint)
    assert joint.config.init == str(tmp_path / "out" / "fit")
    assert (joint.config.steps, joint.config.run.device) == (100, "cpu")
    assert isinstance(model, WriteHeadsModel)
    assert model.run_dir == joint.run_dir


def test_wrong_numbers_are_refused_at_once(tmp_path: Path) -> None:
    request = RecipeHeads(facekit=tmp_path, out=tmp_path / "out")
    for wrong in (replace(request, joint_steps=-1), replace(request, seed=-1)):
        with pytest.raises(InputError, match="must be at least 0, not -1"):
            drain(wrong.run())


def test_the_card_tells_steps_times_and_machine() -> None:
    settings = {"seed": 8, "facekit": "kit", "config.points.steps": 2, "config.ema": 0.9}
    records = [
        Record("fit", "TrainFit", settings, 4000.0, True, "one"),
        Record("model", "WriteHeadsModel", {"quiet": True}, 2.0, True, "two"),
        Record("later", "Measure", {}),
    ]
    table = steps_table(records)
    assert table.startswith("Machine: one; two.")
    assert "| fit | TrainFit | seed 8, points.steps 2 | 67 min |" in table
    assert "later" not in table


def test_the_model_has_a_title_and_the_sliders_of_heads(tmp_path: Path) -> None:
    weights, card = tmp_path / "model.safetensors", tmp_path / "card.md"
    source = save_tiny(tmp_path / "tiny.safetensors")
    drain(WriteHeadsModel(run_dir=source, weights=weights, card=card).run())
    model = load_model(str(weights))
    assert "smile" in {direction.name for direction in model.directions}
    text = card.read_text(encoding="utf-8")
    assert "# Synthetic heads, 64²" in text
    assert "{" not in text


@pytest.mark.timeout(900)
def test_from_the_face_model_to_a_measured_card(
    tmp_path: Path, facekit_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("cv2")
    # Shards of 20 heads, not of a hundred.
    monkeypatch.setattr(surfaces, "build_cache", partial(surfaces.build_cache, shard_size=20))
    monkeypatch.setattr(view_shards, "SHARD_SIZE", 20)
    out = tmp_path / "recipe"
    request = RecipeHeads(
        facekit=facekit_path, out=out, end_to_end_steps=1, jobs=1, threads=2, device="cpu"
    )
    changes = {
        "pictures": {"count": 16, "size": 128},
        "fit": {
            "config.heads.surfaces": 1,
            "config.heads.views": 1,
            "config.points.steps": 2,
            "config.render.steps": 1,
            "config.decoder.steps": 1,
            "config.refine.steps": 1,
            "config.generator.width": 16,
            "config.generator.depth": 2,
            "config.generator.samples": 12,
            "config.generator.thumb_size": 32,
            "config.generator.output_size": 128,
            "config.checkpoint_every": 2,
            "config.evaluate_every": 2,
        },
        "evaluation": {"count": 16, "orbits": 1},
        "measurement": {"count": 1, "meshes": 0},
    }
    operation = request.run(changes)
    while (out / "fit" / "checkpoints" / "latest.json").exists() is False:
        next(operation)
    operation.close()  # as if killed in the middle of the fit
    request = replace(request, threads=1)  # as on another machine
    threads = torch.get_num_threads()
    result = drain(request.run(changes))
    assert torch.get_num_threads() == threads
    assert result.finished
    assert load_model(str(result.weights)).generator.config.output_size == 128
    card = result.card.read_text(encoding="utf-8")
    for told in ("PSNR", "seeded-features-1", "| fit | TrainFit |", "points.steps 2"):
        assert told in card
    for name in ("recipe.json", "evaluation.json", "quality.json", "grids"):
        assert (out / name).exists()
    messages = [progress.message for progress in request.run(changes)]
    assert messages == ["looking at the machine"], "nothing is done twice"
