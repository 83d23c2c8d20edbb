"""``train fit``: the command's settings are the run's config."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from app.program import _parse as parse
from stylesdf_core.commands.train.fit import TrainFit
from stylesdf_core.dataclass_json import from_json
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import with_values


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "heads"
    folder.mkdir()
    return folder


def test_the_config_is_what_was_asked_for(tmp_path: Path, data: Path) -> None:
    words = ["train", "fit", "--run-dir", str(tmp_path / "run"), "--data", str(data)]
    request = parse(
        [*words, "--points.steps", "3", "--end-to-end.steps", "5", "--refine.adversarial", "0.3"]
    )
    run = request.prepare()
    config = from_json(FitConfig, run.read_config(), "config.json", complete=True)
    assert (config.points.steps, config.end_to_end.steps, config.refine.steps) == (3, 5, 10_000)
    assert config.refine.adversarial == 0.3
    assert parse(words).config == FitConfig(data=str(data)), "flags default to the recipe"


def test_heads_lie_in_the_run_unless_a_folder_is_named(tmp_path: Path) -> None:
    request = TrainFit(run_dir=tmp_path / "run", config=FitConfig())
    with pytest.raises(InputError, match=r"run/heads holds no heads; give --heads\.facekit"):
        request.prepare()
    given = replace(request, config=with_values(FitConfig(), {"heads.facekit": "nowhere"}))
    with pytest.raises(InputError, match="no face model nowhere"):
        given.prepare()
    (tmp_path / "run" / "heads").mkdir(parents=True)
    assert request.prepare().read_config()["data"] == str(tmp_path / "run" / "heads")


def test_a_batch_factor_is_at_least_one(data: Path) -> None:
    with pytest.raises(InputError, match="batch_factor"):
        parse(["train", "fit", "--run-dir", "r", "--data", str(data), "--batch-factor", "0"])


def test_a_run_that_has_begun_takes_other_jobs_and_nothing_else(
    tmp_path: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facekit = tmp_path / "face.npz"
    facekit.touch()

    def request(**values: object) -> TrainFit:
        paths = {name.replace("__", "."): value for name, value in values.items()}
        config = with_values(FitConfig(data=str(data)), {"heads.facekit": str(facekit), **paths})
        return TrainFit(run_dir=tmp_path / "run", config=config)

    run = request().prepare()
    monkeypatch.setattr(RunDir, "latest", lambda *_: tmp_path / "a checkpoint")
    for jobs in (2, 5):
        request(heads__jobs=jobs).prepare()
        assert run.read_config()["heads"]["jobs"] == jobs
    with pytest.raises(InputError, match=r"a run with batch_factor 1 instead of 2"):
        request(batch_factor=2).prepare()
    with pytest.raises(InputError, match=r"heads\.jobs"):
        request(heads__jobs=0)
