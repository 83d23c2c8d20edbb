"""Where the document's face lies on each direction of the loaded model: what sliders show."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from app.state.document.document import Document
from app.workers.model_loader import ModelSlot
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.engine.styles import StyleMapper
    from stylesdf_core.model.model import Model


class DirectionValues:
    """Values of the loaded model's directions; those of the last face are remembered."""

    def __init__(self, models: ModelSlot, document: Document) -> None:
        self._models, self._document = models, document
        self._mapper: tuple[Model, StyleMapper] | None = None
        self._last: tuple[Scene, Mapping[str, float]] | None = None

    def by_name(self) -> Mapping[str, float]:
        """Standard deviations by the directions' names; zeros for a face of another model."""
        model = self._models.model
        if model is None:
            return {}
        if self._mapper is None or self._mapper[0] is not model:
            import torch

            from stylesdf_core.engine.styles import StyleMapper

            mapper = StyleMapper(model, model.generator, torch.device("cpu"))
            self._mapper, self._last = (model, mapper), None
        # The same for any camera.
        face = replace(self._document.scene, camera=OrbitCamera())
        if self._last is None or self._last[0] != face:
            try:
                values = self._mapper[1].direction_values(face)
            except StyleSDFError:
                values = {direction.name: 0.0 for direction in model.directions}
            self._last = (face, values)
        return self._last[1]

    def of(self, names: Collection[str]) -> list[tuple[LatentDirection, float]]:
        """The directions that have one of the names, with their values."""
        model = self._models.model
        named = [] if model is None else [d for d in model.directions if d.name in names]
        values = self.by_name() if named else {}
        return [(direction, values[direction.name]) for direction in named]
