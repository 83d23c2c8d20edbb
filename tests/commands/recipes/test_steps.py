"""Steps of a recipe: which settings are the same when it resumes."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from stylesdf_core.commands.recipes.steps import Request, run_steps
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress, drain


@dataclass(frozen=True)
class Copying:
    """A request that counts its runs in its folder."""

    data: Path
    run_dir: Path
    model: str

    def run(self) -> Operation[None]:
        yield Progress(0, 1, "copying")
        (self.run_dir / self.data.name).touch(exist_ok=False)


def steps(data: Path, folder: Path) -> dict[str, Request]:
    return {"copy": Copying(data, folder, str(folder / "model"))}


def test_a_recipe_goes_on_under_another_path_of_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    data, folder = Path("pictures"), Path("recipe")
    drain(run_steps(folder, steps(data, folder), "a machine"))
    (record,) = drain(
        run_steps(tmp_path / folder, steps(tmp_path / data, tmp_path / folder), "a machine")
    )
    assert record.finished
    assert record.settings == {"data": str(tmp_path / data), "run_dir": ".", "model": "model"}
    shutil.move(folder, "elsewhere")
    elsewhere = tmp_path / "elsewhere"
    drain(run_steps(elsewhere, steps(tmp_path / data, elsewhere), "a machine"))
    with pytest.raises(InputError, match="holds a recipe whose step 'copy' has data"):
        drain(run_steps(elsewhere, steps(Path("others"), elsewhere), "a machine"))
