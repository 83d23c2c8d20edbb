"""``python -m stylesdf_core.training RUN_DIR``: train by the folder's config.json.

Several GPUs, or machines that share the folder: start it with torchrun.
"""

from __future__ import annotations

import sys
from pathlib import Path

from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.progress import drain
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.stages import run_stage


def main(arguments: list[str]) -> int:
    """Exit status: 0 finished or stopped on request, 2 a user's mistake, 1 another failure."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m stylesdf_core.training RUN_DIR\n")
        return 2
    try:
        drain(run_stage(RunDir(Path(arguments[0]))))
    except StyleSDFError as error:
        sys.stderr.write(f"training: {error}\n")
        return 2 if isinstance(error, InputError) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
