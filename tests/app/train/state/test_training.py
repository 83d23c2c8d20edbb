"""The Train tab's state without a window: listing, checking, starting and opening runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from PIL import Image

from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from app.train.state import training as training_module
from app.train.state.training import Training
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.scene.scene import Scene
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.run_summary import RunSummary
from tests.models import save_tiny
from tests.training.adversarial.stage_phases import THUMB, stage_config, write_images
from tests.waiting import wait_until


class FakeProcess:
    """Starts nothing and remembers the calls."""

    asked: ClassVar[list[tuple[str, Any]]] = []
    is_starting = is_stopping = False
    status: int | None = None

    def __init__(self, path: Path) -> None:
        self.path = path

    def start(self, count: int | None = None) -> None:
        self.asked.append((self.path.name, count))

    def stop(self) -> None:
        self.asked.append((self.path.name, "stop"))

    def poll(self) -> bool:
        return False


@pytest.fixture
def training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Training]:
    monkeypatch.setattr(training_module, "TrainingProcess", FakeProcess)
    monkeypatch.setattr(training_module, "_POLL_EVERY", 0.0)
    FakeProcess.asked.clear()
    store = SettingsStore(tmp_path / "config")
    workbench = Workbench(store, Scene())
    settings = replace(workbench.settings.training, folder=str(tmp_path / "runs"))
    workbench.settings = replace(workbench.settings, training=settings)
    training = Training(workbench)
    yield training
    training.close()
    workbench.close()


def until(training: Training, condition: Callable[[], object], seconds: float = 60.0) -> None:
    wait_until(
        condition,
        lambda: training.tick(shown=True),
        seconds=seconds,
        state=lambda: (training.new.problem, training.runs),
    )


def make_run(path: Path, images: Path) -> RunDir:
    run = RunDir(path)
    run.write_config(to_json(stage_config("renderer", images)))
    return run


def test_a_new_run_begins_once_there_is_no_problem(training: Training, tmp_path: Path) -> None:
    new = training.new
    training.tick(shown=True)
    assert new.problem is not None
    assert (new.problem.field, new.problem.is_gap) == ("data", True)
    new.begin()
    assert not new.is_beginning, "not with a problem"
    new.change(data=str(tmp_path / "nowhere"))
    until(training, lambda: new.preview_problem)
    assert new.problem is not None
    assert "no folder" in new.problem.text
    write_images(tmp_path / "images")
    new.change(data=str(tmp_path / "images"))
    new.set_text("batch", "21")
    until(training, lambda: new.preview is not None and new.preview.usable == 20)
    assert new.problem is not None
    assert "20 images can be used and a batch has 21" in new.problem.text
    new.set_text("batch", "6")
    new.set_text("chunk", "0")
    assert new.problem is not None
    assert (new.problem.text, new.problem.field) == ("chunk must be at least 1, not 0.", "chunk")
    new.set_text("chunk", "")
    new.set_text("gpus", "4")
    until(training, lambda: new.problem is not None)
    assert new.problem is not None
    assert new.problem.text == "batch 6 must be a multiple of the 4 processes (gpus)."
    new.set_text("gpus", "3")
    until(training, lambda: new.problem is None)
    command = training.command()
    assert command is not None
    assert "train renderer --run-dir" in command
    assert not (tmp_path / "runs").exists(), "checks make no folders"
    new.begin()
    until(training, lambda: training.selected is not None)
    assert training.selected == tmp_path / "runs" / "images-renderer"
    assert FakeProcess.asked == [("images-renderer", 3)]
    assert RunDir(training.selected).read_config()["batch"] == 6
    assert training.workbench.settings.training.data == str(tmp_path / "images")
    assert new.name == "images-renderer-2", "the next one gets a name of its own"


def test_a_later_stage_is_checked_with_the_weights_it_starts_from(
    training: Training, tmp_path: Path
) -> None:
    write_images(tmp_path / "images", edge=64)
    new = training.new
    new.change(stage="decoder", data=str(tmp_path / "images"))
    assert new.problem is not None
    assert (new.problem.field, new.problem.is_gap) == ("init", True)
    assert training.command() is None
    assert training.workbench.messages.toasts[-1].text == new.problem.text
    new.change(init=str(tmp_path / "broken.pt"))
    (tmp_path / "broken.pt").write_bytes(b"nothing")
    until(training, lambda: new.problem is not None)
    assert "broken.pt" in new.problem.text
    weights = save_tiny(tmp_path / "renderer.safetensors", output_size=16)
    new.change(init=str(weights))
    training.tick(shown=True)
    until(training, lambda: new.problem is None and not new._checks._worker.busy)
    new.change(stage="renderer")
    assert new.form.init == "", "another stage starts from something else"


def test_runs_are_listed_added_and_taken_off(training: Training, tmp_path: Path) -> None:
    ours = make_run(tmp_path / "runs" / "a", tmp_path)
    other = make_run(tmp_path / "far" / "b", tmp_path)
    until(training, lambda: training.runs)
    assert [run.name for run in training.runs] == ["a"]
    assert training.selected == ours.path, "something is selected"
    training.add(tmp_path / "far")
    until(training, lambda: len(training.runs) == 2)
    assert training.selected == other.path
    training.add(tmp_path / "nothing")
    assert "holds no training run" in training.workbench.messages.toasts[-1].text
    for path in (ours.path, other.path):
        training.remove(path)
        toast = training.workbench.messages.toasts[-1]
        assert (toast.path, "its files stay" in toast.text) == (path, True)
    until(training, lambda: not training.runs)
    assert ours.stop_file.parent.is_dir(), "its files stay"
    training.add(ours.path)
    until(training, lambda: [run.name for run in training.runs] == ["a"])
    training.set_folder(tmp_path / "elsewhere")
    training.tick(shown=True)
    until(training, lambda: training.folder == tmp_path / "elsewhere")
    assert [run.name for run in training.runs] == ["a"], "what was listed is listed still"
    training.stop(ours.path)
    training.resume(ours.path)
    assert FakeProcess.asked[-2:] == [("a", "stop"), ("a", None)]


def test_any_checkpoint_can_be_opened(training: Training, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "a", tmp_path)
    assert not training.open_model(run.path)
    assert "no checkpoint" in training.workbench.messages.toasts[-1].text
    for step in (2, 4):
        run.save_checkpoint(step, {"step": step}, Generator(THUMB), keep=3, best=step == 2)
    opened = []
    training.workbench.open_model = opened.append  # type: ignore[assignment]
    assert training.open_model(run.path)
    assert training.open_model(run.path, 2)
    assert not training.open_model(run.path, 3)
    assert opened == [str(run.path), str(run.averages()[2])]
    until(training, lambda: training.report is not None and training.report.averages == (2, 4))
    assert training.report is not None
    assert training.report.best == 2


def test_quitting_says_which_runs_go_on(training: Training) -> None:
    run = RunSummary(Path("a"), "renderer", "tiny", "running", 1, 2)
    training.runs = (run,)
    assert training.quit_notice.startswith("A run goes on training by itself")
    training.runs = (run, replace(run, path=Path("b")))
    assert training.quit_notice.startswith("2 runs go on training by themselves")


def test_samples_follow_the_slider_through_training(training: Training, tmp_path: Path) -> None:
    run = make_run(tmp_path / "runs" / "a", tmp_path)
    for step, gray in ((100, 50), (200, 150)):
        pixels = np.full((32, 64, 3), gray, np.uint8)
        Image.fromarray(pixels).save(run.sample_path(step))
    until(training, lambda: training.sample is not None)
    assert training.sample is not None
    assert training.sample.request.step == 200
    assert training.sample.pixels.shape == (320, 640, 3)
    training.sample_step = 120
    until(training, lambda: training.sample is not None and training.sample.request.step == 100)
    assert abs(training.sample.pixels - 50 / 255).max() < 1e-6
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(
        run.sample_path(100).with_name("00000100-thumb.png")
    )
    training.sample_thumb = True
    until(training, lambda: training.sample is not None and training.sample.request.thumb)
    assert training.sample.pixels.shape == (320, 320, 3), "the renders are square"
