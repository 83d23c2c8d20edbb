"""Surfaces of a model against the depth maps of a data set: spheres for heads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import numpy.typing as npt
import pytest

from stylesdf_core import resources
from stylesdf_core.commands.evaluation.evaluate import Evaluate
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.measures.protocol import ImageProtocol, Workplace
from stylesdf_core.evaluation.measures.rows import Part, run_tasks
from stylesdf_core.evaluation.measures.shapes import ShapeComparison
from stylesdf_core.evaluation.measures.true_depths import enough_depths, frontal_depths, has_depths
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene
from tests.evaluation.spheres import sphere_depth, write_spheres
from tests.models import save_tiny

#: Radii of a data set's spheres, world units: the truth's, then those of the others.
TRUE, OTHERS = np.linspace(0.05, 0.085, 8), np.linspace(0.055, 0.09, 8)


@dataclass(frozen=True)
class Spheres:
    """In an engine's place: draws a sphere of the seed's radius, nothing for a radius of 0."""

    radii: npt.NDArray[np.float64]
    model = SimpleNamespace(digest="spheres", name="spheres")
    device = SimpleNamespace(type="cpu")

    def render(self, scene: Scene, view: str, size: int) -> SimpleNamespace:
        assert view == "depth"
        depth = sphere_depth(self.radii[scene.identity.seed], size)
        return SimpleNamespace(data=np.nan_to_num(depth)[None], background=np.isnan(depth) * 1.0)


@pytest.fixture(scope="module")
def heads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_spheres(tmp_path_factory.mktemp("heads") / "set", [*TRUE, *OTHERS])


def compared(radii: npt.NDArray[np.float64], heads: Path, rows: Path) -> ShapeComparison:
    engine = Spheres(radii)
    comparison = ShapeComparison(engine, heads, ImageProtocol(), Workplace(rows))  # type: ignore[arg-type]
    drain(run_tasks([comparison.task], Part()))
    return comparison


def figures_of(radii: npt.NDArray[np.float64], heads: Path, rows: Path) -> dict[str, float]:
    figures = drain(compared(radii, heads, rows).finish())
    return {figure.key: figure.value for figure in figures}


def test_the_true_heads_themselves_are_at_no_distance(heads: Path, tmp_path: Path) -> None:
    found = figures_of(TRUE, heads, tmp_path)
    assert found["shape_mmd"] < 0.002, "16 bits of depth"
    assert found["shape_coverage"] == 100.0
    assert found["shape_normals"] < 0.5


def test_other_spheres_are_as_far_as_their_radii_and_stand_beside_the_others(
    heads: Path, tmp_path: Path
) -> None:
    comparison = compared(OTHERS, heads, tmp_path)
    figures = drain(comparison.finish())
    assert figures[0].value == pytest.approx(1 / 8 * 0.5, abs=0.02), "only one is without its like"
    for figure in figures:
        label, _, value = figure.detail.partition(": ")
        assert label == "other true heads"
        assert float(value) == pytest.approx(figure.value, rel=0.05, abs=0.05), "the same spheres"
    assert "8 generated heads (seeds 0 to 7) against 8 of set" in comparison.text()
    assert [score["seed"] for score in comparison.scores] == list(range(8))
    assert comparison.scores[0]["nearest"] == "depth-1-0.png"


def test_one_head_over_and_over_covers_one_true_head(heads: Path, tmp_path: Path) -> None:
    found = figures_of(np.full(8, 0.0655), heads, tmp_path)
    assert found["shape_coverage"] == 100 / 8
    assert found["shape_mmd"] > 0.5


def test_heads_without_surface_are_counted_and_never_matched(heads: Path, tmp_path: Path) -> None:
    some = drain(compared(np.where(np.arange(8) < 2, 0.0, TRUE), heads, tmp_path / "1").finish())
    assert some[0].detail.endswith("2 without surface")
    assert some[1].value == 75.0
    comparison = compared(np.zeros(8), heads, tmp_path / "2")
    none = {figure.key: figure.value_text for figure in drain(comparison.finish())}
    assert none["shape_mmd"] == none["shape_normals"] == "not measured"
    assert none["shape_coverage"] == "0 %"
    assert comparison.scores == []


def test_each_head_is_taken_from_its_most_frontal_view(tmp_path: Path) -> None:
    folder = write_spheres(tmp_path / "set", [0.06, 0.07], [0.4, -0.08, 0.03])
    shapes = frontal_depths(folder)
    assert [shape.file.name for shape in shapes] == ["depth-0-2.png", "depth-1-2.png"]
    assert [shape.camera.azimuth for shape in shapes] == [0.03, 0.03]
    sizes = {64: shapes[1]}
    (sizes[128],) = frontal_depths(write_spheres(tmp_path / "large", [0.07], size=128))
    for size, shape in sizes.items():
        points = shape.points(64)
        assert points.shape == (64, 64, 3)
        covered = np.isfinite(points).all(axis=-1)
        assert covered.sum() > 1000
        radii = np.linalg.norm(points[covered], axis=-1)
        assert np.abs(radii - 0.07).max() < 2e-5, size


def test_data_without_depth_from_the_front_say_how_to_make_some(tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    turned = write_spheres(tmp_path / "turned", np.full(20, 0.06).tolist(), [0.3])
    flat = write_spheres(tmp_path / "flat", [0.06] * 20, depth=False)
    for folder in (plain, turned, flat):
        assert not has_depths(folder)
        with pytest.raises(InputError, match=r"front of 0 heads, .* `heads --depth --size 64"):
            enough_depths(folder)
    description = turned / "dataset.json"
    description.write_text(json.dumps({"settings": {"depth": True}}), encoding="utf-8")
    with pytest.raises(InputError, match="description of a data set of heads"):
        frontal_depths(turned)


def test_the_command_measures_shapes_and_no_pictures(
    heads: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resources, "user_folder", lambda kind: tmp_path / "own" / kind)
    weights = str(save_tiny(tmp_path / "tiny.safetensors"))
    request = Evaluate(
        model=weights, data=heads, metrics="shapes,depth-consistency", identities=8, device="cpu"
    )
    report = drain(request.run())
    keys = ["shape_mmd", "shape_coverage", "shape_normals", "depth_consistency"]
    assert [figure.key for figure in report.figures] == keys
    assert report.protocol.startswith("Surfaces of 8 generated heads")
    everything = Evaluate(model=weights, data=heads, metrics="all")._metrics()
    assert "shapes" in everything
    assert "foreground" not in everything
    with pytest.raises(InputError, match="The metric shapes compares with true pictures or shapes"):
        drain(Evaluate(model=weights, metrics="shapes").run())
