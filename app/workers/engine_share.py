"""An engine that one thread or several threads use, in turns."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.model.model import Model

A = TypeVar("A")


class EngineShare:
    """The engine of the last model that was asked for.

    An engine is not thread-safe, and keeps grids and folded weights of the last faces. Visitors of
    the browser view share one, so that their number changes neither its memory nor that of a GPU.
    """

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._engine: Engine | None = None
        self._key: tuple[Model, str] | None = None

    def engine(self, model: Model, device: str) -> Engine:
        """The engine of a model on a device, named as in Settings; for work :meth:`in_turns`."""
        from stylesdf_core.engine.engine import Engine

        key = (model, device)
        if self._engine is None or key != self._key:
            self._engine = None  # frees the old engine's memory before the new engine takes some
            self._engine, self._key = Engine(*key), key
        return self._engine

    def in_turns(self, work: Generator[A, None, None]) -> Iterator[A]:
        """The answers of ``work``, each computed while no other thread uses the engine."""
        with closing(work):
            while True:
                with self._turn:
                    try:
                        answer = next(work)
                    except StopIteration:
                        return
                yield answer
