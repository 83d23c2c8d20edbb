"""``recipe compare``: trains both fields, measures them, writes one table and one picture."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.commands.recipes.compare import HEADINGS, RecipeCompare
from stylesdf_core.commands.recipes.steps import Request
from stylesdf_core.commands.train.base import TrainStage
from stylesdf_core.commands.train.stages import TrainDecoder, TrainRenderer
from stylesdf_core.errors import InputError
from stylesdf_core.progress import drain
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import with_values
from tests.evaluation.spheres import write_spheres
from tests.training.adversarial.stage_phases import write_images

#: A model of a few thousand numbers, trained for two steps.
SMALL = {
    "config.generator.width": 8, "config.generator.depth": 1, "config.generator.thumb_size": 8,
    "config.generator.z_dim": 8, "config.generator.output_size": 8, "config.generator.samples": 4,
    "config.volume.discriminator_channels": 4, "config.images.compare": 8,
    "config.images.held_out": 0.0, "config.sphere.steps": 2, "config.batch": 4,
    "config.run.evaluate_every": 2, "config.run.checkpoint_every": 2, "config.run.record_every": 1,
}  # fmt: skip


class Small(RecipeCompare):
    """The same recipe with a smaller network."""

    def requests(self) -> dict[str, Request]:
        """The requests, each with the settings of SMALL that it has."""
        requests = super().requests()
        for name, request in requests.items():
            if isinstance(request, TrainRenderer):
                requests[name] = with_values(request, SMALL)
            if isinstance(request, Evaluate):
                requests[name] = replace(request, orbits=0)
            if isinstance(request, TrainDecoder):
                changes = {"config.output_size": 16, "config.image.widest": 8}
                shared = {k: v for k, v in SMALL.items() if ".run." in k or ".images." in k}
                requests[name] = with_values(request, {**shared, **changes})
        return requests


def files_in(folder: Path) -> dict[Path, int]:
    """When each file was written, but for those that every start writes."""
    anew = ("recipe.json", "comparison.json", "comparison.md", "comparison.png")
    files = (path for path in folder.rglob("*") if path.is_file() and path.name not in anew)
    return {path: path.stat().st_mtime_ns for path in files}


@pytest.fixture
def compare(tmp_path: Path) -> RecipeCompare:
    write_images(tmp_path / "images")
    return Small(
        data=tmp_path / "images", out=tmp_path / "out", steps=2, decoder_steps=2, count=16,
        identities=2, threads=1, device="cpu",
    )  # fmt: skip


def test_both_fields_are_trained_alike_and_stand_in_one_table(compare: RecipeCompare) -> None:
    card = compare.data.parent / "card.md"
    marks = "<!-- measured by `stylesdf-studio recipe compare`: {} -->"
    card.write_text(f"# Card\n{marks.format('begin')}\n{marks.format('end')}\n", encoding="utf-8")
    shapes = write_spheres(compare.data.parent / "shapes", np.linspace(0.05, 0.08, 16).tolist())
    result = drain(replace(compare, card=card, shapes=shapes).run())
    configs = {name: RunDir(compare.out / name).read_config() for name in ("sdf", "density")}
    assert [c["generator"].pop("field") for c in configs.values()] == ["sdf", "density"]
    assert configs["sdf"] == configs["density"]
    assert RunDir(compare.out / "density").saved_step() == 2, "no sphere"
    comparison = json.loads((compare.out / "comparison.json").read_text(encoding="utf-8"))
    assert list(comparison["models"]) == list(HEADINGS.values())
    for figures in comparison["models"].values():
        values = {figure["key"]: figure["value"] for figure in figures}
        assert values["images"] in (8, 16)  # of the renderers, of the decoders
        assert values["images_per_second"] > 0
        assert 0 <= values["floaters"] <= 100
        assert any(key.startswith("frechet") for key in values)
        assert any(key.startswith("depth_consistency") for key in values)
        assert {"shape_mmd", "shape_coverage", "shape_normals"} <= values.keys()
    table = (compare.out / "comparison.md").read_text(encoding="utf-8")
    assert "Surfaces of 2 generated heads (seeds 0 to 1) against 2 of shapes" in table
    assert table.count("other true heads: ") == 3, "what is remarked on all models"
    assert all(heading in table.splitlines()[2] for heading in HEADINGS.values())
    assert table.strip() in card.read_text(encoding="utf-8")
    assert str(compare.out / "comparison.png") in str(result)
    picture = np.asarray(Image.open(compare.out / "comparison.png"))
    rows, rest = divmod(len(picture), 192 * len(HEADINGS))
    assert rest == 0
    assert rows in (3, 4), "image, normals, depth error and, with OpenGL, the mesh"
    assert picture.shape[1:] == (5 * 192, 3), "five azimuths"
    written, recipe = files_in(compare.out), compare.out / "recipe.json"
    steps = json.loads(recipe.read_text(encoding="utf-8"))["steps"]
    steps = [{**step, "machine": "the machine that trained"} for step in steps]
    recipe.write_text(json.dumps({"steps": steps}), encoding="utf-8")
    drain(replace(compare, card=card, shapes=shapes).run())
    assert files_in(compare.out) == written, "nothing is trained or measured again"
    assert "Machine: the machine that trained." in card.read_text(encoding="utf-8")


def test_all_runs_take_their_settings_from_the_defaults(tmp_path: Path) -> None:
    compare = RecipeCompare(data=tmp_path, out=tmp_path / "out", decoder_steps=3)
    runs = [run for run in compare.requests().values() if isinstance(run, TrainStage)]
    assert [run.config.run.threads for run in runs] == [0] * 4, "torch's choice"
    assert [run.config.steps for run in runs[2:]] == [3, 3]


@pytest.mark.parametrize(("setting", "flag"), [("count", "--count"), ("identities", "--identit")])
def test_what_no_evaluation_takes_is_refused_before_training(
    setting: str, flag: str, compare: RecipeCompare
) -> None:
    with pytest.raises(InputError, match=f"{flag}.* must lie between"):
        drain(replace(compare, **{setting: 0}).run())
    assert not compare.out.exists()


def test_a_card_without_a_place_for_the_table_is_refused_before_training(
    compare: RecipeCompare,
) -> None:
    card = compare.data.parent / "card.md"
    card.write_text("# Card\n", encoding="utf-8")
    with pytest.raises(InputError, match="recipe compare"):
        drain(replace(compare, card=card).run())
    assert not compare.out.exists()


def test_surfaces_are_compared_by_themselves_where_the_data_have_depth(
    compare: RecipeCompare, tmp_path: Path
) -> None:
    plain, later = compare.requests(), replace(compare, shapes=tmp_path).requests()
    assert list(later)[: len(plain)] == list(plain), "a finished comparison gets surfaces later"
    assert list(later)[len(plain) :] == [f"shapes of {name}" for name in HEADINGS]
    heads = write_spheres(tmp_path / "heads", [0.06] * 16)
    request = replace(compare, data=heads).requests()["shapes of sdf"]
    assert isinstance(request, Evaluate)
    assert (request.data, request.metrics) == (heads, "shapes")
    few = write_spheres(tmp_path / "few", [0.06])
    with pytest.raises(InputError, match="depth maps from the front of 1 heads"):
        drain(replace(compare, shapes=few).run())
    assert not compare.out.exists()


def test_without_decoder_steps_there_are_two_models(compare: RecipeCompare) -> None:
    requests = replace(compare, decoder_steps=0).requests()
    assert list(requests) == ["sdf", "density", "evaluate sdf", "evaluate density"]
    with pytest.raises(InputError, match="--decoder-steps must be at least 0"):
        drain(replace(compare, decoder_steps=-1).run())
