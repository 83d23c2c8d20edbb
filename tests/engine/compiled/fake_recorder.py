"""A stand-in for what records CUDA graphs."""

from __future__ import annotations

from collections.abc import Callable

from stylesdf_core.engine.compiled.device_graphs import Outputs


class FakeRecorder:
    """Records as CUDA does: results always lie in the buffers of the first call."""

    def __init__(self, refusal: str = "") -> None:
        self.recorded = self.replayed = 0
        self._refusal = refusal

    def __call__(self, work: Callable[[], Outputs]) -> tuple[Outputs, Callable[[], None]]:
        if self._refusal:
            raise RuntimeError(self._refusal)
        self.recorded += 1
        outputs = work()

        def replay() -> None:
            self.replayed += 1
            for buffer, value in zip(outputs, work(), strict=True):
                buffer.copy_(value)

        return outputs, replay
