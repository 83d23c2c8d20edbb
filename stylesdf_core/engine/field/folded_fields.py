"""The fields of a generator with one w folded in; the last one is kept."""

from __future__ import annotations

import torch
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import DeviceGraphs, Outputs
from stylesdf_core.engine.field.baked_background import BakedBackground
from stylesdf_core.engine.field.baked_field import BakedField, fold_field
from stylesdf_core.model.networks.generator import Generator


class FoldedFields:
    """Folds each new w into a generator's field and background field.

    Args:
        graphs: fold by a graph once one field has been folded; None to fold step by step.
    """

    def __init__(self, generator: Generator, graphs: DeviceGraphs | None) -> None:
        self.graphs = graphs
        self._generator = generator
        self._last: tuple[object, BakedField, BakedBackground | None] | None = None

    def of(self, styles: bytes, w: Tensor) -> tuple[BakedField, BakedBackground | None]:
        """The field, and the background field of a model that has one.

        Args:
            styles: differ where ``w`` does; a look at ``w`` itself would wait for a GPU.
            w: as in :class:`~.baked_field.BakedField`.
        """
        key = (styles, 0 if self.graphs is None else self.graphs.compiled)
        if self._last is None or self._last[0] != key:
            second = self._generator.background
            with torch.no_grad():
                behind = None if second is None else BakedBackground(second, w)
                self._last = (key, self._folded(w), behind)
        return self._last[1:]

    def _folded(self, w: Tensor) -> BakedField:
        field = self._generator.field
        if self.graphs is None or self._last is None:
            return BakedField(field, w)

        def fold(w: Tensor) -> Outputs:
            return tuple(fold_field(field, w))

        tensors = self.graphs.run(
            "fold field", [w], [], lambda _: fold, lambda: fold(w), exact=True
        )
        return self._last[1].with_tensors(tensors)
