"""Functions of tensors as a device's graphs: same pictures, few recordings, plain when refused."""

from __future__ import annotations

import shutil
import threading

import pytest
import torch
from torch import Tensor

from stylesdf_core.engine.compiled import device_graphs as module
from stylesdf_core.engine.compiled.device_graphs import (
    DeviceGraphs,
    device_graphs,
    products,
)
from tests.engine.compiled.fake_recorder import FakeRecorder

CPU = torch.device("cpu")


def scaled(graphs: DeviceGraphs, x: Tensor, weight: Tensor, name: str = "scaled") -> Tensor:
    """x · weight, by a graph once there is one."""
    (result,) = graphs.run(
        name, [x], [weight], lambda own: lambda x: (x * own[0],), lambda: (x * weight,)
    )
    return result


def prepared(graphs: DeviceGraphs, x: Tensor, weight: Tensor, name: str = "scaled") -> None:
    """Use a function until it is a graph."""
    for _ in range(module._WORTH):
        scaled(graphs, x, weight, name)
    graphs.wait()
    scaled(graphs, x, weight, name)


def test_a_graph_is_recorded_once_and_its_results_are_kept() -> None:
    recorder = FakeRecorder()
    graphs = DeviceGraphs(recorder, "")
    prepared(graphs, torch.ones(3), torch.tensor(2.0))
    first = scaled(graphs, torch.full((3,), 5.0), torch.tensor(2.0))
    second = scaled(graphs, torch.full((3,), 6.0), torch.tensor(2.0))
    assert (first.tolist(), second.tolist()) == ([10.0] * 3, [12.0] * 3)
    assert recorder.recorded == 1
    assert recorder.replayed >= 3


def test_a_function_used_twice_is_not_prepared() -> None:
    graphs = DeviceGraphs(recorder := FakeRecorder(), "")
    for _ in range(module._WORTH - 1):
        scaled(graphs, torch.ones(3), torch.tensor(2.0))
    graphs.wait()
    assert recorder.recorded == graphs.count == 0
    assert not graphs.note


def test_other_shapes_and_names_are_other_graphs_and_the_oldest_are_dropped() -> None:
    graphs, weight = DeviceGraphs(recorder := FakeRecorder(), ""), torch.tensor(2.0)
    for size in range(1, module._MOST + 3):
        prepared(graphs, torch.ones(size), weight)
    assert recorder.recorded == module._MOST + 2
    assert graphs.count == module._MOST
    prepared(graphs, torch.ones(module._MOST + 2), weight)
    assert recorder.recorded == module._MOST + 2, "the newest graphs are kept"
    prepared(graphs, torch.ones(1), weight, "another")
    assert recorder.recorded == module._MOST + 3


def test_other_weights_of_the_same_shape_are_copied_into_the_graph() -> None:
    graphs, weight = DeviceGraphs(recorder := FakeRecorder(), ""), torch.tensor(2.0)
    prepared(graphs, torch.ones(1), weight)
    assert scaled(graphs, torch.ones(1), torch.tensor(7.0)).item() == 7.0
    weight.fill_(9.0)  # written to in place, as training does
    assert scaled(graphs, torch.ones(1), weight).item() == 9.0
    assert recorder.recorded == 1


def test_the_plain_function_answers_while_another_thread_compiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    go = threading.Event()

    def slow(function: object, **_: object) -> object:
        assert go.wait(30)
        return function

    monkeypatch.setattr(torch, "compile", slow)
    graphs, weight = DeviceGraphs(FakeRecorder(), "inductor"), torch.tensor(2.0)
    for _ in range(module._WORTH + 2):
        assert scaled(graphs, torch.ones(1), weight).item() == 2.0
    assert "Preparing" in graphs.note
    assert graphs.count == 0
    go.set()
    graphs.wait()
    scaled(graphs, torch.ones(1), weight)
    assert (graphs.count, graphs.note) == (1, "")


def test_without_a_compiler_the_plain_function_is_recorded_and_the_reason_told() -> None:
    def failing(*_: object) -> object:
        raise RuntimeError("Cannot find a working triton installation.\nSee the manual.")

    torch._dynamo.reset()
    graphs, weight = DeviceGraphs(FakeRecorder(), failing), torch.tensor(2.0)  # type: ignore[arg-type]
    prepared(graphs, torch.ones(1), weight)
    assert scaled(graphs, torch.full((1,), 3.0), weight).item() == 6.0
    assert graphs.count == 1
    assert graphs.note.startswith("torch.compile is not used: ")


def test_a_device_that_records_nothing_goes_on_step_by_step() -> None:
    graphs, weight = DeviceGraphs(FakeRecorder("operation not permitted"), ""), torch.tensor(2.0)
    prepared(graphs, torch.ones(1), weight)
    assert scaled(graphs, torch.ones(1), weight).item() == 2.0
    assert graphs.count == 0
    assert graphs.note == "Graphs of this device are not used: operation not permitted"


def test_only_cuda_has_graphs_and_a_variable_turns_them_off(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("STYLESDF_COMPILE", raising=False)
    assert device_graphs(CPU) is None
    assert device_graphs(torch.device("cuda")) is not None
    monkeypatch.setenv("STYLESDF_COMPILE", "0")
    assert device_graphs(torch.device("cuda")) is None


def test_the_kind_of_products_goes_back() -> None:
    before = torch.backends.cuda.matmul.allow_tf32
    with products(tf32=True):
        assert torch.backends.cuda.matmul.allow_tf32
        with products(tf32=False):
            assert not torch.backends.cuda.matmul.allow_tf32
        assert torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cuda.matmul.allow_tf32 == before


@pytest.mark.filterwarnings("ignore")  # torch's own
@pytest.mark.parametrize(
    "backend",
    [
        "eager",
        pytest.param(
            "inductor",
            marks=pytest.mark.skipif(shutil.which("g++") is None, reason="needs a compiler"),
        ),
    ],
)
def test_a_compiled_sine_layer_is_recorded(backend: str) -> None:
    torch._dynamo.reset()
    graphs = DeviceGraphs(FakeRecorder(), backend)
    x, weight = torch.linspace(-3.0, 3.0, 8).view(4, 2), torch.ones(2, 2)
    expected = torch.sin(x @ weight)
    for _ in range(module._WORTH + 1):
        (found,) = graphs.run(
            "sine",
            [x],
            [weight],
            lambda own: lambda x: (torch.sin(x @ own[0]),),
            lambda: (torch.sin(x @ weight),),
        )
        torch.testing.assert_close(found, expected)
        graphs.wait()
    assert (graphs.count, graphs.note) == (1, "")
