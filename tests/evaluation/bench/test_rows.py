"""The bench on tiny models, each measured once: what it reports, not how fast anything is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from stylesdf_core.engine.passes import RenderPass, passes
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.evaluation.bench import paths, rows
from stylesdf_core.evaluation.bench.memory_probe import peak_memory
from stylesdf_core.evaluation.bench.paths import compare_pictures, decode, hausdorff
from stylesdf_core.evaluation.bench.rows import (
    ROWS,
    Pairs,
    Result,
    chosen_rows,
    load_heads,
    run_bench,
)
from stylesdf_core.evaluation.bench.scenes import changing, dragging, orbiting, sliding
from stylesdf_core.evaluation.bench.speed_report import SHORT, SpeedReport, Speedup
from stylesdf_core.evaluation.bench.timing import BenchSettings, in_turns
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.model.model import select_device
from stylesdf_core.progress import Operation, Progress, drain
from tests.models import save_tiny

ONCE = BenchSettings(repeats=1, patience=0.0)


@pytest.fixture(scope="module")
def subject(tmp_path_factory: pytest.TempPathFactory) -> Pairs:
    path = save_tiny(tmp_path_factory.mktemp("bench") / "tiny.safetensors")
    return drain(load_heads("cpu", str(path)))


def measured(subject: Pairs, *only: str) -> list[Result]:
    results: list[Result] = []
    for row in chosen_rows(only):
        results += drain(row.run(subject, ONCE))
    return results


def test_pictures_are_compared(subject: Pairs) -> None:
    rows = measured(subject, "heads.volume", "heads.image", "heads.decode")
    names = [row.name for row in rows if isinstance(row, Speedup)]
    suffixes = ("volume64", "image256", "image1024", "decode256")
    assert names == [f"heads.{suffix}" for suffix in suffixes]
    for row in rows:
        assert isinstance(row, Speedup)
        assert min(*row.reference, *row.engine) > 0.0
        assert row.psnr is not None
        assert row.psnr > 40.0
        assert row.max_error < 0.1
        assert len(row.reference) == len(row.engine) == 1
    assert "enlarged" in rows[2].note  # type: ignore[union-attr]


def test_meshes_are_compared_in_voxels(subject: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    (row,) = chosen_rows(("heads.mesh64",))
    monkeypatch.setitem(rows.TARGETS, f"{row.name}.hausdorff", {"high": 1.0})
    monkeypatch.setitem(rows.TARGETS, f"{row.name}.evaluated", {"high": 5.0})
    small = replace(row, size=32)
    comparison, distance, share = drain(small.run(subject, ONCE))
    assert isinstance(comparison, Speedup)
    assert isinstance(distance, Figure)
    assert isinstance(share, Figure)
    assert comparison.psnr is None
    assert comparison.max_error == distance.value < 1.0
    assert distance.reached is True
    assert 5.0 < share.value <= 100.0  # a 32³ grid is hardly refined
    assert share.reached is False


def test_a_mesh_of_the_engine_alone_is_a_figure(subject: Pairs) -> None:
    (row,) = chosen_rows(("heads.mesh256",))
    small = replace(row, size=32)
    (figure,) = drain(small.run(subject, ONCE))
    assert isinstance(figure, Figure)
    assert figure.value > 0.0
    assert "% of the points" in figure.detail


def test_rates_and_first_passes_are_figures(subject: Pairs) -> None:
    figures = measured(subject, "heads.first", "heads.orbit", "heads.slide")
    units = {row.key: row.unit for row in figures if isinstance(row, Figure)}
    assert units == {
        "heads.first_pass": "ms",
        "heads.first_pass_new": "ms",
        "heads.first_pass_cold": "ms",
        "heads.slide_mesh48": "/s",
        "heads.orbit256": "fps",
        "heads.slide256": "fps",
    }
    for row in figures:
        assert isinstance(row, Figure)
        assert row.value > 0.0


def test_full_size_rows_have_targets_on_a_cpu(subject: Pairs) -> None:
    measured_rows = measured(subject, "full.volume64", "full.image256")
    assert [row.target_text for row in measured_rows] == ["≥ 10×, ≥ 45 dB", "≥ 5×, ≥ 40 dB"]


def test_only_the_first_pass_of_a_moving_camera_has_a_target(subject: Pairs) -> None:
    figures = measured(subject, "heads.first")
    assert [row.target_text for row in figures] == ["≤ 15 ms", "–", "–"]


def test_decoding_is_measured_alone(subject: Pairs, monkeypatch: pytest.MonkeyPatch) -> None:
    counts: list[int] = []

    def counted(*args: Any, **options: Any) -> Iterator[RenderPass]:
        frames = list(passes(*args, **options))
        counts.append(len(frames))
        return iter(frames)

    monkeypatch.setattr(paths, "passes", counted)
    _, engine = decode(subject[0], 256)
    engine(orbiting(0))
    assert counts == [3]  # a preview, the volume render, the decoder


def test_memory_is_measured_in_processes_of_their_own(subject: Pairs) -> None:
    (row,) = measured(subject, "heads.memory")
    assert isinstance(row, Figure)
    assert 0.0 < row.value < 4096.0
    assert row.high is not None
    assert 0.0 < row.high < 4096.0
    with pytest.raises(StyleSDFError, match=r"nothing\.pt"):
        peak_memory("reference", "nothing.pt", select_device("cpu"))


def test_paths_take_turns_until_patience_ends() -> None:
    order: list[str] = []

    def draw(name: str, seconds: float, value: float) -> tuple[np.ndarray, float]:
        order.append(name)
        return np.full((3, 2, 2), value, np.float32), 1e3 * seconds

    turns = drain(
        in_turns(
            lambda _: draw("plain", 2.0, 0.0),
            lambda _: draw("engine", 0.5, 0.02),
            orbiting,
            BenchSettings(repeats=4, patience=3.0),
            compare_pictures,
        )
    )
    assert order == ["plain", "engine"] * 3 + ["engine"] * 2  # the first pair warms up
    assert turns.reference == (2000.0, 2000.0)
    assert turns.engine == (500.0,) * 4
    assert turns.psnr == pytest.approx(40.0, abs=1e-3)
    assert turns.max_error == pytest.approx(0.02)


def test_psnr_takes_pictures_for_a_range_of_two() -> None:
    flat = np.zeros((3, 4, 4), np.float32)
    assert compare_pictures(flat + 0.2, flat)[0] == pytest.approx(20.0, abs=1e-3)
    assert compare_pictures(flat, flat)[0] == 99.0


def test_hausdorff_of_spheres_is_the_difference_of_their_radii() -> None:
    inner, outer = (
        drain(extract_surface(lambda p, r=r: np.linalg.norm(p, axis=1) - r, resolution=64))
        for r in (0.080, 0.088)
    )
    edge = 0.24 / 63  # vertices of the two lie on grid lines, not opposite each other
    assert 0.0079 < hausdorff(inner, outer) < 0.008 + edge
    assert hausdorff(inner, inner) == 0.0


def test_no_two_repeats_draw_the_same_scene() -> None:
    for scenes in (orbiting, dragging, sliding, changing):
        assert len({scenes(repeat) for repeat in range(-1, 50)}) == 51
    assert orbiting(0).identity == orbiting(1).identity == dragging(0).identity
    assert dragging(0).identity == dragging(1).identity
    assert sliding(0).camera == sliding(1).camera
    assert changing(0).camera == changing(1).camera


def test_rows_are_chosen_by_the_beginning_of_their_names() -> None:
    names = {row.name for row in ROWS}
    assert len(names) == len(ROWS)
    wanted = {f"{m}.{c}" for m in ("full", "heads") for c in ("volume64", "image256", "mesh128")}
    assert wanted | {"full.image1024", "heads.image1024"} <= names
    of_meshes = {f"full.mesh128.{kind}" for kind in ("hausdorff", "evaluated")}
    assert set(rows.TARGETS) <= names | of_meshes
    assert {name for name in SHORT if not name.startswith("studio.")} <= names
    chosen = [row.name for row in chosen_rows(("full.volume", "heads.mesh"))]
    assert chosen == ["full.volume64", "heads.mesh64", "heads.mesh128", "heads.mesh256"]


def test_a_stopped_bench_keeps_the_rows_it_has_measured(
    subject: Pairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(_: str) -> Operation[Pairs]:
        yield Progress(0, 1, "loading")
        return subject

    monkeypatch.setattr(rows, "load_heads", load)
    kept: list[SpeedReport] = []
    operation = run_bench(("heads.volume64", "heads.first_pass"), ONCE, "cpu", kept.append)
    while not kept:
        next(operation)
    operation.close()
    assert [row.name for row in kept[-1].speedups] == ["heads.volume64"]


def test_no_model_is_loaded_without_chosen_rows() -> None:
    operation = run_bench(("studio",), ONCE, "cpu")
    with pytest.raises(StopIteration) as stop:
        next(operation)
    assert (stop.value.value.speedups, stop.value.value.figures) == ((), ())
