"""Processes that train: started, followed, stopped, killed and resumed, without a window."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.train.process import StatsTail, TrainingProcess
from app.train.watch import RunRequest, RunsRequest, Watch, find_runs, sample_file
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.training import processes
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.run_summary import summary
from tests.training.adversarial.stage_phases import stage_config, write_images

# Every start of a process brings torch along, and training leaves the CPU to everybody else.
pytestmark = pytest.mark.timeout(1800)


def wait(condition: Callable[[], object], what: str, seconds: float = 600.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited too long: {what}"
        time.sleep(0.02)


@pytest.fixture
def run(tmp_path: Path) -> RunDir:
    """Two steps of a sphere and two hundred of a renderer of no account."""
    write_images(tmp_path / "images")
    config = to_json(stage_config("renderer", tmp_path))
    config["steps"] = 200
    config["run"]["threads"] = 1
    run = RunDir(tmp_path / "runs" / "faces")
    run.write_config(config)
    return run


def test_a_run_is_started_stopped_killed_and_resumed(run: RunDir) -> None:
    job = TrainingProcess(run.path)
    job.start()
    assert job.is_starting
    wait(lambda: run.latest() is not None, "a checkpoint")
    owner = run.running_process()
    assert owner is not None
    if sys.platform != "win32":
        assert psutil.Process(owner).nice() >= 10, "the window comes first"
        assert os.getsid(owner) != os.getsid(0), "it outlives the window"
    job.start()
    assert run.running_process() == owner, "nobody starts a run twice"
    job.stop()
    assert job.is_stopping
    wait(job.poll, "its end")
    assert (job.status, job.is_stopping, summary(run).state) == (0, False, "stopped")
    stopped_at = run.saved_step()
    job.start()
    wait(lambda: run.saved_step() > stopped_at, "more steps")
    owner = run.running_process()
    assert owner is not None
    os.kill(owner, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    wait(job.poll, "its death")
    assert job.status
    killed = summary(run)
    assert (killed.state, killed.process) == ("failed", None)
    assert "killed" in killed.words
    saved = run.saved_step()
    another = TrainingProcess(run.path)  # as after a restart of the studio
    another.start()
    wait(lambda: run.saved_step() > saved, "it goes on")
    another.stop()
    wait(another.poll, "its end")
    assert summary(run).state == "stopped"


def test_asked_to_stop_while_it_starts_it_stops(run: RunDir) -> None:
    """The process forgets stop files that are older than itself."""
    job = TrainingProcess(run.path)
    job.start()
    job.stop()
    wait(job.poll, "its end")
    assert run.saved_step() < 200
    assert not run.stop_requested()


def test_what_is_wrong_is_in_its_last_words(run: RunDir) -> None:
    for picture in (run.path.parents[1] / "images").iterdir():
        picture.unlink()
    job = TrainingProcess(run.path)
    job.start()
    wait(job.poll, "its end")
    assert job.status == 2
    words = processes.last_words(run)
    assert words is not None
    assert words.is_mistake
    assert "holds no images" in summary(run).words
    assert summary(run).state == "failed"


def test_the_tail_reads_only_what_is_new(tmp_path: Path) -> None:
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
    news = tail.read()
    assert ([r["step"] for r in news.records], news.starts_over) == ([40], False)


def test_the_tail_starts_over_when_a_run_goes_back(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in range(5):
        run.append_stats({"step": step})
    tail = StatsTail(run)
    tail.read()
    run.trim_stats(2)
    for step in (3, 4, 5, 6):  # longer than before: its size alone would not tell
        run.append_stats({"step": step})
    news = tail.read()
    assert news.starts_over
    assert [r["step"] for r in news.records] == list(range(7))


def test_a_long_tail_comes_in_pieces(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    line = json.dumps({"step": 1, "event": "x" * 1000}) + "\n"
    run.stats_file.write_text(line * 3000)
    tail, count, pieces = StatsTail(run), 0, 0
    while True:
        news = tail.read()
        count, pieces = count + len(news.records), pieces + 1
        if not news.more:
            break
    assert count == 3000
    assert pieces > 10


def test_the_list_finds_all_runs_and_says_what_is_wrong(run: RunDir, tmp_path: Path) -> None:
    broken = tmp_path / "runs" / "broken"
    broken.mkdir()
    (broken / "config.json").write_text("{")
    elsewhere = RunDir(tmp_path / "elsewhere")
    elsewhere.write_config(run.read_config())
    folder = run.path.parent
    found = {r.name: r for r in find_runs(RunsRequest(folder, added=(str(elsewhere.path),)))}
    assert found.keys() == {"faces", "broken", "elsewhere"}
    assert found["broken"].state == "failed"
    assert "cannot be read as JSON" in found["broken"].words
    hidden = find_runs(RunsRequest(folder, hidden=(str(broken),)))
    assert [r.name for r in hidden] == ["faces"]
    assert find_runs(RunsRequest(tmp_path / "nowhere", added=(str(tmp_path / "gone"),)))[
        0
    ].words.startswith(str(tmp_path / "gone"))


def test_a_run_is_followed_as_it_records(run: RunDir) -> None:
    import threading

    watch = Watch(threading.Event())
    where, what = RunsRequest(run.path.parent), RunRequest(run.path, ("β", "losses"), 0.5)
    try:
        watch.look(where, what)
        wait(lambda: watch.poll() or watch.runs is not None, "the list")
        assert watch.runs is not None
        assert [r.state for r in watch.runs] == ["new"]

        def lines() -> int:
            watch.poll()
            report = watch.report
            found = report.lines["β"] if report is not None and report.lines is not None else ()
            return len(found[0].steps) if found else 0

        for step in range(3):
            run.append_stats({"step": step, "phase": "renderer", "beta": 0.1})
        wait(lambda: lines() == 3, "three records")
        run.append_stats({"step": 3, "phase": "renderer", "beta": 0.1, "event": "hello"})
        run.sample_path(3).write_bytes(b"")
        wait(lambda: lines() == 4, "one more")
        wait(lambda: watch.poll() or (watch.report and watch.report.samples == (3,)), "samples")
        assert watch.report is not None
        assert watch.report.log[0] == "step 3  hello"
        assert sample_file(run.path, 3, thumb=True) == run.sample_path(3)
    finally:
        watch.close()
