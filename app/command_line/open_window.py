"""``open`` on the command line: what the window shows first."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from stylesdf_core.model.model_zoo import WEIGHT_SUFFIXES
from stylesdf_core.scene.session_files import SESSION_SUFFIXES


@dataclass(frozen=True)
class OpenWindow:
    """Open the window on a model, a session, or an exported picture or mesh."""

    file: Annotated[
        Path,
        tyro.conf.Positional,
        tyro.conf.arg(
            help=f"{', '.join(SESSION_SUFFIXES)}; {', '.join(WEIGHT_SUFFIXES)}; a folder of a "
            "training run; or a name of `models list`."
        ),
    ]
