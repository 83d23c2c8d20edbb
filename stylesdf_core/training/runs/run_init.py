"""The weights that a run began with (``init``), recognised when they lie elsewhere later.

``init.json`` in the run's folder holds their digest, so that a folder of several runs, of which one
began with another's weights, can be moved.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.files import write_json
from stylesdf_core.foreign import read_json
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.model_zoo import resolve
from stylesdf_core.training.runs.run_dir import RunDir


def record_init(run: RunDir, init: str | None) -> None:
    """Note the weights with which a new run begins; nothing for a run that begins without.

    Args:
        init: a name of the model zoo, a weights file or a run folder.

    Raises:
        ModelNotFoundError, CheckpointError: there are no such weights, or they are damaged.
        OutputError: the run's folder cannot be written.
    """
    _file(run).unlink(missing_ok=True)
    if init is not None:
        write_json(_file(run), {"digest": weights_digest(resolve(init).path)})


def began_with(run: RunDir, init: str | None) -> bool:
    """Whether a run is known to have begun with these very weights, wherever they lay then."""
    if init is None:
        return False
    with suppress(StyleSDFError):  # without a readable record, or without the weights
        return bool(read_json(_file(run)) == {"digest": weights_digest(resolve(init).path)})
    return False


def _file(run: RunDir) -> Path:
    return run.path / "init.json"
