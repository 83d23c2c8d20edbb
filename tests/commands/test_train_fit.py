"""``train fit``: what the command asks for is what the run's config says."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from stylesdf_core.commands.train_fit import TrainFit
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.training.run_dir import RunDir


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    return folder


def test_the_config_is_what_was_asked_for(tmp_path: Path, data: Path) -> None:
    request = TrainFit(
        run_dir=tmp_path / "run", data=data, points_steps=3, end_to_end_steps=5, adversarial=0.3
    )
    run = request.prepare()
    config = from_json(FitConfig, run.read_config(), "config.json")
    assert (config.points.steps, config.end_to_end.steps, config.refine.steps) == (3, 5, 10_000)
    assert config.refine.adversarial == 0.3
    assert not config.refine.noise


def test_a_gpu_takes_more_heads_in_every_phase(tmp_path: Path, data: Path) -> None:
    plain, large = (
        TrainFit(run_dir=tmp_path / "run", data=data, batch_factor=factor).config()
        for factor in (1, 4)
    )
    for name in ("points", "render", "decoder", "end_to_end", "refine"):
        assert getattr(large, name).heads == 4 * getattr(plain, name).heads, name
        assert getattr(large, name).steps == getattr(plain, name).steps, name
    with pytest.raises(InputError, match="--batch-factor"):
        TrainFit(run_dir=tmp_path / "run", data=data, batch_factor=0).config()


def test_a_run_that_has_begun_takes_other_jobs_and_nothing_else(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a run from before there were any jobs to choose."""
    facekit = tmp_path / "face.npz"
    facekit.touch()
    request = TrainFit(run_dir=tmp_path / "run", data=data, facekit=facekit)
    config = json.loads(json.dumps(to_json(request.config())))
    del config["heads"]["jobs"]
    run = RunDir(tmp_path / "run")
    run.write_config(config)
    monkeypatch.setattr(RunDir, "latest", lambda *_: tmp_path / "a checkpoint")
    for jobs in (2, 5):
        replace(request, jobs=jobs).prepare()
        assert run.read_config()["heads"]["jobs"] == jobs
    with pytest.raises(InputError, match=r"another decoder\.heads.*refine\.heads"):
        replace(request, batch_factor=2).prepare()
    with pytest.raises(InputError, match=r"heads\.jobs"):
        replace(request, jobs=0).prepare()


def test_a_run_from_before_the_phase_has_none_of_it(data: Path) -> None:
    config = from_json(FitConfig, {"data": str(data), "refine": {"steps": 7}}, "config.json")
    assert config.end_to_end.steps == 0
    assert (config.refine.steps, config.refine.noise) == (7, True)
    assert (config.refine.ringing, config.refine.eyes) == (0.0, 0.0)


def test_a_run_of_an_earlier_version_goes_on_with_what_no_flag_names(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = TrainFit(run_dir=tmp_path / "run", data=data)
    config = json.loads(json.dumps(to_json(request.config())))
    config["points"] |= {"heads": 16, "near": 512, "learning_rate": 1e-3}
    config["render"] |= {"heads": 8, "rays": 192}
    run = RunDir(tmp_path / "run")
    run.write_config(config)
    monkeypatch.setattr(RunDir, "latest", lambda *_: tmp_path / "a checkpoint")
    request.prepare()
    assert run.read_config() == config
    replace(request, threads=5).prepare()
    assert run.read_config() == {**config, "threads": 5}
    with pytest.raises(InputError, match=r"another decoder.heads"):
        replace(request, batch_factor=2).prepare()
