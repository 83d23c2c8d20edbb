"""What the engine records as graphs: nothing of the host in it, whole, and the same pictures."""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

from stylesdf_core.engine.compiled.device_graphs import (
    DeviceGraphs,
    Outputs,
)
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import levels
from stylesdf_core.engine.march.dense_march import DenseRayMarch
from stylesdf_core.engine.passes import passes
from stylesdf_core.engine.styles import StyleMapper
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from tests.engine.compiled.fake_recorder import FakeRecorder
from tests.models import tiny_model


def engine_with(graphs: DeviceGraphs | None, model: Model | None = None) -> Engine:
    """An engine that computes on the CPU as on a GPU."""
    model = copy.deepcopy(model or tiny_model())  # others use it, too
    assert model.generator.decoder is not None
    with torch.no_grad():
        for layer in model.generator.decoder.convs:
            layer.noise_strength.fill_(0.1)  # type: ignore[operator, union-attr]
    engine = Engine(model, "cpu")
    engine._evaluates_all, engine._tiles._on_cpu, engine._tiles.rows = True, False, 1 << 19
    engine.graphs = engine._fields.graphs = graphs
    assert engine._decoder is not None
    engine._decoder._graphs = graphs
    return engine


class Elsewhere(TorchDispatchMode):
    """Lists operations between two memories, with torch's device "meta" as the other memory."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = operation(*args, **(kwargs or {}))
        values = tree_leaves((args, kwargs, result))
        if len({value.device for value in values if isinstance(value, Tensor)}) > 1:
            self.found.append(str(operation))
        return result


class GraphsElsewhere(DeviceGraphs):
    """Runs each function once more with all that lies on a GPU in another memory.

    Attributes:
        engine: whose weights lie on the device.
        crossings: operations between both memories, by the function's name.
    """

    engine: Engine

    def __init__(self) -> None:
        super().__init__(None)
        self.crossings: dict[str, list[str]] = {}

    def run(
        self,
        name: Any,
        inputs: Sequence[Tensor],
        weights: Sequence[Tensor],
        make: Callable[[list[Tensor]], Callable[..., Outputs]],
        plain: Callable[[], Outputs],
        *,
        exact: bool = False,
    ) -> Outputs:
        decoder, there = self.engine._decoder, [value.to("meta") for value in inputs]
        assert decoder is not None
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(decoder, "_by_phase", decoder._by_phase.to("meta"))
            for module in self.engine.generator.modules():
                for values in (module._parameters, module._buffers):
                    for key, value in values.items():
                        patch.setitem(values, key, None if value is None else value.to("meta"))
            function = make([weight.to("meta") for weight in weights])
            with Elsewhere() as seen:
                function(*there)
        self.crossings.setdefault(name if isinstance(name, str) else name[0], []).extend(seen.found)
        return plain()


def test_a_recorded_step_reads_nothing_in_the_host_s_memory() -> None:
    """CUDA records no copy from ordinary memory: a constant must be on the device before."""
    graphs = GraphsElsewhere()
    graphs.engine = engine = engine_with(graphs)
    first = levels(engine.config, "image", "cuda")[-2]
    for seed, noise in ((1, "fixed"), (2, "random")):
        scene = Scene(identity=Identity(seed), options=RenderOptions(noise=noise))
        *_, last = passes(engine, scene, "image", first=first)
        assert last.final
    assert graphs.crossings == {"march": [], "decoder": [], "fold": [], "fold field": []}


class ProductsOf11Bits(TorchDispatchMode):
    """Rounds the factors of float32 products as TF32 does."""

    def __torch_dispatch__(
        self, operation: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        if operation.__name__.partition(".")[0] in ("mm", "addmm", "bmm", "mv", "addmv"):
            args = tree_map(self._rounded, args)
        return operation(*args, **(kwargs or {}))

    @staticmethod
    def _rounded(value: Any) -> Any:
        if not isinstance(value, Tensor) or value.dtype != torch.float32:
            return value
        bits = value.contiguous().view(torch.int32) + (1 << 12)
        return (bits & ~((1 << 13) - 1)).view(torch.float32)


class RoundedGraphs(DeviceGraphs):
    """Runs each function with the products that CUDA gives it."""

    def run(
        self,
        name: Any,
        inputs: Any,
        weights: Any,
        make: Any,
        plain: Any,
        *,
        exact: bool = False,
    ) -> Outputs:
        with nullcontext() if exact else ProductsOf11Bits():
            return make(list(weights))(*inputs)  # type: ignore[no-any-return]


def test_products_of_tf32_do_not_move_a_picture() -> None:
    """Rays by products of 11 bits were off by a part of a pixel: 42 dB on an H200."""
    ours, plain = (
        engine_with(graphs, load_model("heads")) for graphs in (RoundedGraphs(None), None)
    )
    for seed in (1, 2):  # the second one's styles are folded by graphs
        scene = Scene(identity=Identity(seed), camera=OrbitCamera(0.3, 0.1))
        one, other = (engine.render(scene, "volume").data / 2.0 for engine in (ours, plain))
        assert 60.0 < psnr(one, other) < 120.0


def test_memory_that_is_short_makes_smaller_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, march = engine_with(DeviceGraphs(FakeRecorder(), "")), DenseRayMarch.__call__

    def short(own: DenseRayMarch, origins: Tensor, *rest: Any, **words: Any) -> Any:
        if len(origins) > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return march(own, origins, *rest, **words)

    scene = Scene(identity=Identity(1))
    expected = engine_with(None).render(scene, "volume").data
    monkeypatch.setattr(DenseRayMarch, "__call__", short)
    for _ in range(2):
        np.testing.assert_allclose(engine.render(scene, "volume").data, expected, atol=1e-5)
    assert engine.note("volume").startswith("Memory is short")


def test_what_was_made_while_something_was_compiled_is_made_anew() -> None:
    """Other threads' products are of TF32 meanwhile."""
    engine = engine_with(graphs := DeviceGraphs(FakeRecorder(), ""))
    engine.mapper = StyleMapper(engine.model, engine.generator, engine.device, graphs)
    scene = Scene(identity=Identity(1))
    styles, fields = engine.mapper.styles(scene), engine._folded(scene)
    assert engine.mapper.styles(scene) is styles
    assert engine._folded(scene) == fields
    graphs.compiled += 1
    assert engine.mapper.styles(scene) is not styles
    assert engine._folded(scene) != fields


@pytest.mark.filterwarnings("ignore")  # torch's own
def test_what_is_compiled_is_one_graph() -> None:
    """A break would leave its parts to be compiled for each shape, until torch gives up."""
    torch._dynamo.reset()
    compiled = partial(torch.compile, backend="eager", fullgraph=True, dynamic=False)

    class Whole(DeviceGraphs):
        def run(self, name: Any, inputs: Any, weights: Any, make: Any, *_: Any, **__: Any) -> Any:
            seen.add(name if isinstance(name, str) else name[0])
            return compiled(make(list(weights)))(*inputs)

    seen: set[str] = set()
    ours, plain = engine_with(Whole(None)), engine_with(None)
    for seed in (1, 2):
        pictures = (e.render(Scene(identity=Identity(seed)), "image").data for e in (ours, plain))
        np.testing.assert_allclose(*pictures, atol=5e-2)
    assert seen == {"march", "decoder", "fold", "fold field"}


@pytest.mark.parametrize("backend", ["", "aot_eager"])
def test_pictures_are_those_of_the_plain_steps(backend: str) -> None:
    """Moving cameras and faces, volume renders with and without features, half images."""
    torch._dynamo.reset()
    graphs = DeviceGraphs(recorder := FakeRecorder(), backend)
    ours, plain = engine_with(graphs), engine_with(None)
    scenes = [
        Scene(identity=Identity(seed), camera=OrbitCamera(0.1 * step))
        for step, seed in enumerate((1, 1, 1, 1, 2, 2, 3, 4, 5, 6))
    ]
    drawn = RenderOptions(noise="random", noise_seed=3)
    scenes += [replace(scenes[-1], options=drawn), scenes[-1]]
    for scene in scenes:
        for mine, theirs in zip(
            passes(ours, scene, "image"), passes(plain, scene, "image"), strict=True
        ):
            np.testing.assert_allclose(mine.picture.data, theirs.picture.data, atol=5e-2, rtol=0)
        graphs.wait()
    assert not graphs.note
    assert graphs.count == recorder.recorded > 1
    assert recorder.replayed > recorder.recorded
    made = {key[0] for key, graph in graphs._graphs.items() if graph.replay is not None}  # type: ignore[index]
    assert {"fold", "fold field"} < made, "the last faces are folded by graphs"
    wide = replace(scenes[0], camera=OrbitCamera(0.2, fov=12.0))  # sees untrained points
    np.testing.assert_allclose(
        ours.render(wide, "volume").data, plain.render(wide, "volume").data, atol=1e-4
    )
