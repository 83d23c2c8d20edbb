"""``train list``: the training runs in a folder and how far each has come."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation

if TYPE_CHECKING:
    from stylesdf_core.training.runs.run_summary import RunSummary


@dataclass(frozen=True)
class RunTable:
    """The runs in a folder; as text, one run per line."""

    rows: tuple[RunSummary, ...]

    def __str__(self) -> str:
        return "\n".join(map(str, self.rows)) or "no runs here"


@dataclass(frozen=True, kw_only=True)
class TrainList:
    """List the training runs in a folder."""

    folder: Path = Path("runs")
    """Folder whose subfolders are runs."""

    def run(self) -> Operation[RunTable]:
        """Summarise every run folder; a run that cannot be read is shown as failed, and why.

        Raises:
            InputError: there is no such folder.
        """
        from stylesdf_core.training.runs.run_summary import summary_or_failure

        yield from ()
        if not self.folder.is_dir():
            raise InputError(f"There is no folder {self.folder}; give --folder.")
        configs = sorted(self.folder.glob("*/config.json"))
        return RunTable(tuple(summary_or_failure(config.parent) for config in configs))
