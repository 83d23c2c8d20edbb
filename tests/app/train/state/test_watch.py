"""Reading run folders: the list of runs, and one run's records as they grow."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from app.state.settings import TrainingSettings
from app.train.state.samples import SampleRequest, read_sample, sample_file, sample_steps
from app.train.state.watch import (
    Follower,
    RunReport,
    RunRequest,
    StatsTail,
    collapsed,
    list_runs,
)
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import RunSummary
from tests.training.adversarial.stage_phases import stage_config


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / "runs" / "faces")
    run.write_config(to_json(stage_config("renderer", tmp_path)))
    return run


def found(settings: TrainingSettings) -> tuple[RunSummary, ...]:
    (runs,) = list_runs(settings)
    return runs


def test_only_new_records_are_read(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    tail = StatsTail(run)
    assert tail.read().records == []
    run.append_stats({"step": 1})
    run.append_stats({"step": 2})
    assert [r["step"] for r in tail.read().records] == [1, 2]
    assert tail.read().records == []
    with open(run.stats_file, "a") as stream:
        stream.write('{"step": 3}\nnot json\n[]\n{"step": 4')
    assert [r["step"] for r in tail.read().records] == [3]
    with open(run.stats_file, "a") as stream:
        stream.write("0}\n")
    piece = tail.read()
    assert ([r["step"] for r in piece.records], piece.starts_over) == ([40], False)


def test_all_records_are_read_again_when_a_run_resumes_from_an_earlier_step(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in range(5):
        run.append_stats({"step": step})
    tail = StatsTail(run)
    tail.read()
    run.trim_stats(2)
    for step in (3, 4, 5, 6):  # longer than before: its size alone would not tell
        run.append_stats({"step": step})
    piece = tail.read()
    assert piece.starts_over
    assert [r["step"] for r in piece.records] == list(range(7))


def test_many_records_come_in_pieces(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    line = json.dumps({"step": 1, "event": "x" * 1000}) + "\n"
    run.stats_file.write_text(line * 3000)
    tail, count, pieces = StatsTail(run), 0, 0
    while True:
        piece = tail.read()
        count, pieces = count + len(piece.records), pieces + 1
        if not piece.more:
            break
    assert count == 3000
    assert pieces > 10


def test_the_list_has_all_runs_and_marks_those_that_cannot_be_read(
    run: RunDir, tmp_path: Path
) -> None:
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    elsewhere = RunDir(tmp_path / "elsewhere")
    elsewhere.write_config(run.read_config())
    folder = run.path.parent
    runs = {r.name: r for r in found(TrainingSettings(str(folder), added=(str(elsewhere.path),)))}
    assert runs.keys() == {"faces", "broken", "elsewhere"}
    assert runs["broken"].state == "failed"
    assert "cannot be read as JSON" in runs["broken"].words
    hidden = found(TrainingSettings(str(folder), hidden=(str(broken),)))
    assert [r.name for r in hidden] == ["faces"]
    assert found(TrainingSettings(str(tmp_path / "nowhere"), added=(str(tmp_path / "gone"),)))[
        0
    ].words.startswith(str(tmp_path / "gone"))


def test_reports_follow_the_records_of_a_run(run: RunDir) -> None:
    follower, request = Follower(), RunRequest(run.path, ("β", "losses"), 0.5)

    def report() -> RunReport:
        *_, last = follower(request)
        assert last is not None
        return last

    def steps(found: RunReport) -> int:
        return len(found.lines["β"][0].steps)

    first = report()
    assert first.groups == ()
    assert report() is first, "the same report while nothing is new"
    for step in range(3):
        run.append_stats({"step": step, "phase": "renderer", "beta": 0.1})
    assert steps(report()) == 3
    run.append_stats({"step": 3, "phase": "renderer", "beta": 0.1, "event": "hello"})
    run.sample_path(3).write_bytes(b"")
    last = report()
    assert (steps(last), last.samples, last.log[0]) == (4, (3,), "step 3  hello")
    run.log_file.write_text("said something\n")
    assert report().log[-1] == "said something"
    run.trim_stats(1)
    assert steps(report()) == 2, "a resumed run has forgotten its last steps"
    smoother = RunRequest(run.path, ("β",), 0.9)
    assert list(follower(smoother))[-1].request == smoother  # type: ignore[union-attr]


def test_progress_in_a_log_is_one_line_and_other_lines_stay() -> None:
    lines = [
        "Starting", "heads: 1 of 1,400", "heads: 652 of 1,400", "heads: 653 of 1,400", "step 3",
        "step 4", "heads: 7 of 1,400", " 10% done", " 20% done",
    ]  # fmt: skip
    assert collapsed(lines) == [
        "Starting", "heads: 653 of 1,400", "step 3", "step 4", "heads: 7 of 1,400", " 20% done",
    ]  # fmt: skip


def test_one_sample_of_a_grid_is_shown_alone(run: RunDir) -> None:
    grid = np.zeros((2, 8, 16, 16, 3), np.uint8)
    grid[1, 3] = 255
    file = run.path / "samples" / "00000003.png"
    file.parent.mkdir(exist_ok=True)
    Image.fromarray(grid.swapaxes(1, 2).reshape(32, 128, 3)).save(file)
    (whole,) = read_sample(SampleRequest(run.path, 3, thumb=False))
    (alone,) = read_sample(SampleRequest(run.path, 3, thumb=False, cell=(1, 3)))
    (other,) = read_sample(SampleRequest(run.path, 3, thumb=False, cell=(1, 2)))
    assert (whole.rows, alone.rows) == (2, 2)
    assert alone.pixels.shape == (320, 320, 3)
    assert (alone.pixels.min(), other.pixels.max()) == (1.0, 0.0)


def test_the_grid_of_images_is_shown_if_there_are_no_volume_renders(run: RunDir) -> None:
    run.sample_path(3).write_bytes(b"")
    assert sample_file(SampleRequest(run.path, 3, thumb=True)) == run.sample_path(3)
    renders = run.sample_path(3).with_name("00000003-thumb.png")
    renders.write_bytes(b"")
    assert sample_file(SampleRequest(run.path, 3, thumb=True)) == renders
    assert sample_file(SampleRequest(run.path, 3, thumb=False)) == run.sample_path(3)
    assert sample_steps(run.path) == (3,)
