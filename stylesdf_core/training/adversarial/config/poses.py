"""PosesConfig: flags of a stage's cameras, which contradict no model that the stage starts from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from stylesdf_core.errors import InputError
from stylesdf_core.model.poses import FFHQ_POSES, Poses


@dataclass(frozen=True)
class PosesConfig:
    """Cameras of the generated images; their distribution should be that of the real images.

    They belong to the model. What is not given here is as in the model that the stage starts from,
    else as in the paper for FFHQ.
    """

    azimuth_std: float | None = None
    """Standard deviation of the azimuth, radians. Default: the model's that the stage starts from,
    else 0.3."""

    elevation_std: float | None = None
    """Standard deviation of the elevation, radians. Default: the model's, else 0.15."""

    distribution: Literal["normal", "uniform"] | None = None
    """Normal, or uniform with the same standard deviations. Default: the model's, else normal."""

    fov: float | None = None
    """Half opening angle, degrees. Default: the model's, else 6."""

    static_viewdirs: bool | None = None
    """Give the field view directions in the camera's frame, so that colours do not know where the
    camera is. With the paper's world directions a small network tells the discriminator its pose
    by colour (pale from the right, dark from the left) instead of turning its heads. Default: the
    model's, else world directions."""

    def __post_init__(self) -> None:
        self.of(None)

    def of(self, model: Poses | None, init: str | None = None) -> Poses:
        """The poses of a run that starts from ``model``'s.

        Args:
            model: None where there is no such model or it does not state its poses.
            init: names the model in messages.

        Raises:
            InputError: a setting contradicts the model, or is out of range.
        """
        given = {name: value for name, value in vars(self).items() if value is not None}
        for name, value in given.items():
            if model is not None and getattr(model, name) != value:
                raise InputError(
                    f"{init} was trained with {name} {getattr(model, name)}, not {value}: leave "
                    f"out poses.{name} and a preset that sets it, or start from another model."
                )
        return replace(model or FFHQ_POSES, **given)
