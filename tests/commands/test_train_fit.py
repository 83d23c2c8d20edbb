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
    config = from_json(FitConfig, run.read_config(), "config.json", complete=True)
    assert (config.points.steps, config.end_to_end.steps, config.refine.steps) == (3, 5, 10_000)
    assert config.refine.adversarial == 0.3


def test_a_batch_factor_is_at_least_one(tmp_path: Path, data: Path) -> None:
    with pytest.raises(InputError, match="batch_factor"):
        TrainFit(run_dir=tmp_path / "run", data=data, batch_factor=0).config()


def test_a_run_that_has_begun_takes_other_jobs_and_nothing_else(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facekit = tmp_path / "face.npz"
    facekit.touch()
    request = TrainFit(run_dir=tmp_path / "run", data=data, facekit=facekit)
    config = json.loads(json.dumps(to_json(request.config())))
    run = RunDir(tmp_path / "run")
    run.write_config(config)
    monkeypatch.setattr(RunDir, "latest", lambda *_: tmp_path / "a checkpoint")
    for jobs in (2, 5):
        replace(request, jobs=jobs).prepare()
        assert run.read_config()["heads"]["jobs"] == jobs
    with pytest.raises(InputError, match=r"another batch_factor"):
        replace(request, batch_factor=2).prepare()
    with pytest.raises(InputError, match=r"heads\.jobs"):
        replace(request, jobs=0).prepare()
