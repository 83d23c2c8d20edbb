"""The dry run: steps measured without a run folder, and what follows from them."""

from __future__ import annotations

import math
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from app.program import _parse as parse
from stylesdf_core.commands.train.stages import (
    TrainDecoder,
    TrainFit,
    TrainJoint,
    TrainRenderer,
    TrainRequest,
    TrainSphereInit,
)
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig, HeadsConfig
from stylesdf_core.progress import Progress, drain
from stylesdf_core.training import estimate
from stylesdf_core.training.adversarial.config.stages import (
    RendererConfig,
    SphereConfig,
    SphereInitConfig,
)
from stylesdf_core.training.estimate import Estimate, _rhythm
from stylesdf_core.training.peak_memory import PeakMemory
from stylesdf_core.training.runs.run_dir import RunDir
from tests.heads.fit.spheres import tiny_fit, write_spheres
from tests.training.adversarial.stage_phases import RUN, THUMB, stage_config


@pytest.fixture(autouse=True)
def measure_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate, "_SECONDS", 0.0)


@pytest.fixture
def no_leftovers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of temporary files, in which torch has caches of its own."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


def requests(stage: str, folder: Path, run_dir: Path) -> TrainRequest:
    commands: dict[str, Any] = {
        "renderer": TrainRenderer, "decoder": TrainDecoder, "joint": TrainJoint,
    }  # fmt: skip
    if stage == "sphere-init":
        sphere = SphereConfig(steps=4, batch=2, rays=4)
        config: Any = SphereInitConfig(generator=THUMB, sphere=sphere, run=RUN)
        return TrainSphereInit(run_dir=run_dir, config=config, dry_run=True)
    if stage == "fit":
        write_spheres(folder / "heads")
        return TrainFit(run_dir=run_dir, config=tiny_fit(folder / "heads"), dry_run=True)
    request: TrainRequest = commands[stage](
        run_dir=run_dir, config=stage_config(stage, folder), dry_run=True
    )
    return request


PHASES = {
    "sphere-init": ["sphere"],
    "renderer": ["sphere", "renderer"],
    "decoder": ["decoder"],
    "joint": ["joint"],
    "fit": ["points", "render", "density", "decoder", "end-to-end", "refine"],
}


@pytest.mark.parametrize("stage", PHASES)
def test_a_dry_run_of_any_stage_measures_its_phases_and_writes_nothing(
    stage: str, folder: Path, tmp_path: Path, no_leftovers: Path
) -> None:
    run_dir = tmp_path / "run"
    found = drain(requests(stage, folder, run_dir).run())
    assert isinstance(found, Estimate)
    assert [phase.name for phase in found.phases] == PHASES[stage]
    assert all(phase.seconds > 0 and phase.steps > 0 for phase in found.phases)
    assert min(found.peak, found.idle) > 0
    assert found.memory > 0
    assert found.hours == pytest.approx(sum(p.steps * p.seconds for p in found.phases) / 3600)
    text = str(found)
    heads = [line[:10].strip() for line in text.splitlines() if line[:10].strip()]
    assert heads[:3] == ["time", "memory", "disk"], "what was asked for comes first"
    assert heads[-1] == "settings"
    for word in ("settings", "weights", "memory", "disk", "time", "to the end"):
        assert word in text
    if stage in ("renderer", "decoder", "joint"):
        last = found.phases[-1]
        assert last.reading is not None
        assert last.reading > 0
        assert "20 images" in found.found[0]
        assert any("with R1" in kind for kind in last.memory)
        assert "images a second; its workers read" in text
    assert not run_dir.exists()
    assert not list(no_leftovers.glob("stylesdf*"))


def test_the_size_on_the_disk_is_that_of_the_files(folder: Path, tmp_path: Path) -> None:
    request = requests("renderer", folder, tmp_path / "run")
    found = drain(request.run())
    assert isinstance(found, Estimate)
    drain(replace(request, dry_run=False).run())
    run = RunDir(tmp_path / "run")
    state, average = run.latest("state"), run.latest("ema")
    assert state is not None
    assert average is not None
    written = state.stat().st_size + average.stat().st_size
    assert written == pytest.approx(found.checkpoint, rel=0.5), "names take room in tiny files"
    assert found.checkpoints == 3, "two, and the best one"


def test_steps_with_lazy_terms_count_in_proportion() -> None:
    kinds = _rhythm({"R1": 4, "path length": 2})
    assert {kind: share for kind, (_, share) in kinds.items()} == {
        "step": 0.5, "step with path length": 0.25, "step with R1 and path length": 0.25,
    }  # fmt: skip
    assert all(index % 2 == (kind == "step") for kind, (index, _) in kinds.items())
    assert _rhythm({}) == {"step": (1, 1.0)}
    assert _rhythm({"R1": 1}) == {"step with R1": (1, 1.0)}


def test_of_several_processes_one_is_measured(folder: Path, tmp_path: Path) -> None:
    request = requests("renderer", folder, tmp_path / "run")
    assert isinstance(request, TrainRenderer)
    found = drain(replace(request, gpus=2).run())
    assert isinstance(found, Estimate)
    assert (found.processes, found.phases[-1].batch) == (2, 2)
    assert found.settings["batch"] == 4
    assert "on 2 devices" in str(found)


def test_a_dry_run_checks_its_data(folder: Path, tmp_path: Path) -> None:
    request = requests("renderer", folder, tmp_path / "run")
    assert isinstance(request, TrainRenderer)
    empty = tmp_path / "empty"
    empty.mkdir()
    config: RendererConfig = replace(request.config, data=str(empty))
    with pytest.raises(InputError, match="holds no images"):
        drain(replace(request, config=config).run())
    heads = HeadsConfig(facekit=str(folder))
    fit = TrainFit(run_dir=tmp_path / "run", config=FitConfig(heads=heads), dry_run=True)
    with pytest.raises(InputError, match="holds no heads yet"):
        drain(fit.run())
    assert not (tmp_path / "run").exists()


def test_a_dry_run_can_be_stopped(
    folder: Path, tmp_path: Path, no_leftovers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(RunDir, "stop_requested", lambda self: True)
    operation = requests("renderer", folder, tmp_path / "run").run()
    with pytest.raises(KeyboardInterrupt, match="leaves no file behind"):
        drain(operation)
    assert not list(no_leftovers.glob("stylesdf*"))


def test_a_dry_run_is_a_flag(tmp_path: Path) -> None:
    words = ["train", "renderer", "--data", "d", "--run-dir", "r"]
    assert parse([*words, "--dry-run"]).dry_run
    assert not parse(words).dry_run


def test_peak_memory_is_that_of_the_block() -> None:
    cpu = torch.device("cpu")
    with PeakMemory(cpu) as before:
        pass
    with PeakMemory(cpu) as during:
        torch.ones(40_000_000)
    with PeakMemory(cpu) as after:
        pass
    assert during.peak - before.peak == pytest.approx(160e6, rel=0.2)
    assert math.isclose(after.peak, before.peak, rel_tol=0.2)


def test_progress_names_the_phase(folder: Path, tmp_path: Path) -> None:
    operation = requests("sphere-init", folder, tmp_path / "run").run()
    seen = [item for item in operation if isinstance(item, Progress)]
    assert [item.message for item in seen] == ["sphere: first step", "sphere: step"]
