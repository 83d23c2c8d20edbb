"""``train fit``: the supervised fit of a model to the synthetic heads."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from stylesdf_core.commands.train.base import TrainStage, absolute_init, absolute_path
from stylesdf_core.errors import InputError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.progress import Operation
from stylesdf_core.resources import expanded
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.runs.stages import Stage

if TYPE_CHECKING:
    from stylesdf_core.training.phase import Loop


@dataclass(frozen=True, kw_only=True)
class TrainFit(TrainStage):
    """Fit a generator to the synthetic heads: the field, then its volume renders, then the decoder.

    A file named `stop` in the folder stops the run. The same command resumes a run.
    """

    config: Annotated[FitConfig, tyro.conf.arg(name="")]

    def checked(self) -> FitConfig:
        """See :class:`TrainStage`; also checks that there are heads or a face model."""
        config, heads = self.config, self.config.heads
        data = config.data or str(self.run_dir / "heads")
        if heads.facekit is None and not expanded(data).is_dir():
            raise InputError(f"{data} holds no heads; give --heads.facekit to prepare them.")
        if heads.facekit is not None:
            if not expanded(heads.facekit).exists():
                raise InputError(
                    f"There is no face model {heads.facekit}; give a clone of ICT-FaceKit or "
                    "its .npz."
                )
            heads = replace(heads, facekit=absolute_path(heads.facekit))
        return replace(
            config, data=absolute_path(data), heads=heads, init=absolute_init(config.init)
        )

    def check_data(self, config: FitConfig, run: RunDir) -> None:
        """See :class:`TrainStage`."""
        from stylesdf_core.heads.fit.bank import heads_in
        from stylesdf_core.training.runs import run_data

        assert config.data is not None
        run_data.check_data(run, config.data, heads_in(Path(config.data)))

    def measured(self) -> FitConfig:
        """See :class:`TrainStage`; heads are not prepared for a measurement."""
        config = self.checked()
        if not any(Path(str(config.data)).glob("views/shard-*.npz")):
            raise InputError(
                f"{config.data} holds no heads yet, so no step can be measured: start the run, "
                "which prepares heads first, or give --data with prepared heads."
            )
        return replace(config, heads=replace(config.heads, facekit=None))


def _train(run: RunDir, config: FitConfig, loop: Loop) -> Operation[Any]:
    from stylesdf_core.heads.fit.stage import run_fit

    return (yield from run_fit(run, config, loop))


FIT = Stage(
    name="fit",
    config=FitConfig,
    # A fit's result does not depend on these settings, or only on more heads.
    adjustable=frozenset({
        "data", "threads", "device", "heads.facekit", "heads.surfaces", "heads.views", "heads.jobs",
    }),
    train=_train,
)  # fmt: skip
