"""Functions of tensors, compiled and recorded once for each shape, then replayed by the device.

A GPU finishes a small step sooner than Python asks for the next one. A recorded graph (CUDA graph)
asks for all steps of a picture at once, and torch.compile joins the steps between two products. A
graph reads fixed buffers: weights and inputs are copied there, so that another face, whose weights
have the same shapes, needs no new graph.

Compiling takes up to a minute, in a thread of its own; until then, and where compiling fails (no
compiler, no Triton), the plain function runs, and :attr:`DeviceGraphs.note` says so.
``STYLESDF_COMPILE=0`` turns graphs off; ``STYLESDF_COMPILE=eager`` records without compiling.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias, TypeVar

import torch
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.progress import Operation

R = TypeVar("R")
Outputs: TypeAlias = tuple[Tensor, ...]
Function: TypeAlias = Callable[..., Outputs]

#: Uses of a shape after which a graph is worth its compiling.
_WORTH = 3
#: Variants of one function that torch compiles: shapes of several models and sizes.
_VARIANTS = 64
#: Graphs that are kept, the last used ones; each holds its buffers.
_MOST = 16

_products = threading.RLock()
#: Held while the process's settings are changed.
_settings = threading.Lock()
#: Whether convolutions were of TF32 before each block of :func:`products`, the outermost first.
_convolutions: list[bool] = []


@contextmanager
def products(*, tf32: bool) -> Iterator[None]:
    """Whether CUDA rounds the factors of float32 products to 11 bits (TF32), while this lasts.

    Convolutions of float32, for which TF32 is torch's default, are exact in either case. The
    settings are the process's: other threads that ask for a kind of product wait, and those that
    do not ask get this kind.
    """
    with _products:
        matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
        with _settings:
            before = matmul.allow_tf32
            _convolutions.append(cudnn.allow_tf32)
            matmul.allow_tf32, cudnn.allow_tf32 = tf32, False
        try:
            yield
        finally:
            with _settings:
                matmul.allow_tf32, cudnn.allow_tf32 = before, _convolutions.pop()


def exact_convolutions() -> None:
    """From now on CUDA's float32 convolutions are exact, also after a block of :func:`products`
    that lasts in another thread.
    """
    with _settings:
        torch.backends.cudnn.allow_tf32 = False
        _convolutions[:] = [False] * len(_convolutions)


def exact_products(device: torch.device) -> AbstractContextManager[None]:
    """Products of float32 are exact, while this lasts; for files that are drawn on CUDA."""
    return products(tf32=False) if device.type == "cuda" else nullcontext()


def exactly(work: Operation[R], device: torch.device) -> Operation[R]:
    """The operation ``work``, each of whose steps computes with exact products.

    Between two steps the process has its own kind of products again.
    """
    with closing(work):
        while True:
            with exact_products(device):
                try:
                    progress = next(work)
                except StopIteration as stop:
                    result: R = stop.value
                    return result
            yield progress


class Recorder(Protocol):
    """Records work on a device."""

    def __call__(self, work: Callable[[], Outputs]) -> tuple[Outputs, Callable[[], None]]:
        """The buffers of the work's results, and a function that does the work again."""


class CudaRecorder:
    """Records CUDA graphs, which share one pool of memory."""

    _WARM_UPS = 2

    def __init__(self) -> None:
        self._pool: Any = None

    def __call__(self, work: Callable[[], Outputs]) -> tuple[Outputs, Callable[[], None]]:
        """See :class:`Recorder`; libraries prepare themselves in a first call off the record."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(self._WARM_UPS):
                work()
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool, capture_error_mode="thread_local"):
            outputs = work()
        self._pool = self._pool or graph.pool()
        return outputs, graph.replay


@dataclass(eq=False)
class _Graph:
    """One function for one set of shapes, and how far it is prepared.

    Attributes:
        inputs, weights: the buffers that the function reads.
        sources: the tensors that the weights were copied from, with their versions.
        compiling: answers with the compiled function.
        is_exact: its products are not of TF32.
    """

    is_exact: bool = False
    uses: int = 0
    inputs: list[Tensor] = field(default_factory=list)
    weights: list[Tensor] = field(default_factory=list)
    sources: list[tuple[Tensor, int]] = field(default_factory=list)
    compiling: Future[Function] | None = None
    replay: Callable[[], None] | None = None
    outputs: Outputs = ()
    failed: bool = False


class DeviceGraphs:
    """Runs functions as graphs of a device, each prepared while the plain function answers.

    Not thread-safe, as an engine.

    Args:
        recorder: records graphs; None to call compiled functions one step at a time.
        backend: of torch.compile; empty to record the plain function.
        tf32: whether products may be of TF32. On the shipped models an image with all of the
            field's products rounded so is 67 dB from float32.

    Attributes:
        note: a sentence for the user on what is being prepared, or why it cannot be.
        compiled: functions compiled so far. While one is being compiled, other threads' products
            are of TF32 too: what is kept for long is computed anew when this number has changed.
    """

    def __init__(
        self, recorder: Recorder | None, backend: str = "inductor", *, tf32: bool = False
    ) -> None:
        self._recorder, self._backend, self._tf32 = recorder, backend, tf32
        self._graphs: OrderedDict[Hashable, _Graph] = OrderedDict()
        self._compiler = ThreadPoolExecutor(1, "compiling")
        self._refusal, self.compiled = "", 0

    @property
    def note(self) -> str:
        """See the class."""
        waits = (graph.compiling for graph in self._graphs.values() if graph.replay is None)
        if any(future is not None and not future.done() for future in waits):
            return "Preparing this device: pictures are slower for up to a minute."
        return self._refusal

    @property
    def count(self) -> int:
        """Graphs that have been recorded and are kept."""
        return sum(graph.replay is not None for graph in self._graphs.values())

    def run(
        self,
        name: Hashable,
        inputs: Sequence[Tensor],
        weights: Sequence[Tensor],
        make: Callable[[list[Tensor]], Function],
        plain: Callable[[], Outputs],
        *,
        exact: bool = False,
    ) -> Outputs:
        """The function's results, in tensors of their own.

        Args:
            name: of the function and of everything but shapes on which its steps depend.
            inputs: differ from call to call.
            weights: are copied only if they are other tensors, or have been written to.
            make: the function of the inputs, with buffers in place of the weights.
            plain: gives the same results without a graph.
            exact: a graph's products are not of TF32.
        """
        key = (name, *((x.shape, x.dtype, x.device) for x in (*inputs, *weights)))
        graph = self._graphs.setdefault(key, _Graph(exact))
        self._graphs.move_to_end(key)
        while len(self._graphs) > _MOST:
            self._graphs.popitem(last=False)
        graph.uses += 1
        if not self._is_ready(graph, inputs, weights, make):
            return plain()
        assert graph.replay is not None
        _copy(graph.inputs, inputs)
        self._refresh(graph, weights)
        graph.replay()
        return tuple(x.clone() for x in graph.outputs)

    def wait(self) -> None:
        """Wait for everything that is being compiled."""
        for graph in self._graphs.values():
            if graph.compiling is not None:
                graph.compiling.exception()

    def _is_ready(
        self,
        graph: _Graph,
        inputs: Sequence[Tensor],
        weights: Sequence[Tensor],
        make: Callable[[list[Tensor]], Function],
    ) -> bool:
        if graph.replay is not None:
            return True
        if graph.failed or graph.uses < _WORTH:
            return False
        if graph.compiling is None:
            graph.inputs = [x.clone() for x in inputs]
            graph.weights = [x.clone() for x in weights]
            graph.sources = [(x, x._version) for x in weights]
            function = make(graph.weights)
            graph.compiling = self._compiler.submit(self._compiled, graph, function, inputs)
        if not graph.compiling.done() or not _products.acquire(blocking=False):
            return False  # another thread compiles: later
        try:
            function = graph.compiling.result()
            with self._own_products(graph):
                graph.outputs, graph.replay = self._record(graph, function)
        except Exception as error:  # capture meets what a graph cannot hold, memory is short …
            self._refuse("Graphs of this device are not used", error)
            graph.failed = True
            graph.inputs, graph.weights, graph.sources = [], [], []
        finally:
            _products.release()
        return graph.replay is not None

    def _record(self, graph: _Graph, function: Function) -> tuple[Outputs, Callable[[], None]]:
        if self._recorder is not None:
            return self._recorder(lambda: function(*graph.inputs))

        def call() -> None:
            graph.outputs = function(*graph.inputs)

        return (), call

    @torch.no_grad()
    def _compiled(self, graph: _Graph, function: Function, inputs: Sequence[Tensor]) -> Function:
        """The function compiled, by a first call; the function itself where that fails."""
        if not self._backend:
            return function
        try:
            from torch._dynamo import config

            compiled: Function = torch.compile(function, backend=self._backend, dynamic=False)
            # A compiled function holds for one kind of product and one set of shapes, all graphs
            # of one name share the code, and torch gives up after eight variants of it.
            with self._own_products(graph), config.patch(cache_size_limit=_VARIANTS):
                compiled(*(x.clone() for x in inputs))
        except Exception as error:  # no compiler, no Triton, a system without either
            self._refuse("torch.compile is not used", error)
            return function
        finally:
            self.compiled += 1
        return compiled

    def _own_products(self, graph: _Graph) -> AbstractContextManager[None]:
        return products(tf32=not graph.is_exact) if self._tf32 else nullcontext()

    def _refuse(self, what: str, error: Exception) -> None:
        reason = str(error).strip().partition("\n")[0] or repr(error)
        self._refusal = f"{what}: {reason[:200]}"

    @staticmethod
    def _refresh(graph: _Graph, weights: Sequence[Tensor]) -> None:
        old = [
            index
            for index, (value, (source, version)) in enumerate(
                zip(weights, graph.sources, strict=True)
            )
            if source is not value or version != value._version
        ]
        _copy([graph.weights[index] for index in old], [weights[index] for index in old])
        for index in old:
            graph.sources[index] = (weights[index], weights[index]._version)


def _copy(buffers: list[Tensor], values: Sequence[Tensor]) -> None:
    """Write the values into the buffers, in one step of the device where the types agree."""
    if buffers:
        torch._foreach_copy_(buffers, list(values))


def device_note(device: torch.device, graphs: DeviceGraphs | None) -> str:
    """What a user should know of the steps of pictures on a device; usually empty."""
    if graphs is not None:
        return graphs.note
    return compiled_loops.note() if device.type == "cpu" else ""


def device_graphs(device: torch.device, *, exact: bool = False) -> DeviceGraphs | None:
    """Graphs for a device, as ``STYLESDF_COMPILE`` asks for; None where there are none.

    Args:
        exact: for files, whose products are exact and whose steps are those of the tests.
    """
    wanted = os.environ.get("STYLESDF_COMPILE", "inductor")
    if device.type != "cuda" or wanted == "0" or exact:
        return None
    return DeviceGraphs(CudaRecorder(), "" if wanted == "eager" else wanted, tf32=True)
