"""Networks made without drawing weights, to be filled with exactly the tensors of a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from stylesdf_core.errors import CheckpointError
from stylesdf_core.foreign import brief
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import SURFACE_LEVEL, Generator

_Network = TypeVar("_Network", bound=nn.Module)
_SHOWN = 4
#: Numbers that a model may have beyond twice the numbers of its file.
_SMALL = 1_000_000


class NothingDrawn(TorchFunctionMode):
    """A context in which new modules keep uninitialised weights, since a file's replace them.

    The meta device would do the same, but imports torch's compiler, which takes a second.

    Args:
        most: largest number of elements of all new tensors together; beyond it a CheckpointError is
            raised before their memory is touched.
    """

    def __init__(self, most: float = math.inf) -> None:
        super().__init__()
        self._left = most

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        if func in (Tensor.normal_, Tensor.uniform_):
            return args[0]
        if func is torch.randn:
            func = torch.empty
        made = func(*args, **(kwargs or {}))
        if func in (torch.empty, torch.full, torch.ones, torch.zeros):
            self._left -= made.numel()
            if self._left < 0:
                raise CheckpointError("its architecture has more weights than the file holds")
        return made


def blank(make: Callable[[], _Network], state: Mapping[str, Tensor], path: Path) -> _Network:
    """A network without weights; no larger than the ``state`` in its file allows."""
    held = sum(value.numel() for value in state.values())
    try:
        with NothingDrawn(2 * held + _SMALL):  # some weights may be missing, and are named later
            return make()
    except CheckpointError as error:
        raise CheckpointError(
            f"{path} does not hold this model: {error} ({held:,} numbers)."
        ) from error


def filled(config: GeneratorConfig, state: Mapping[str, Tensor], path: Path) -> Generator:
    """A generator of ``config`` with exactly the tensors of ``state``; a missing level is 0."""
    state = {SURFACE_LEVEL: torch.zeros(()), **state}
    generator = blank(lambda: Generator(config), state, path)
    expected = generator.state_dict()
    check_shapes(
        {key: tuple(value.shape) for key, value in expected.items()},
        {key: tuple(value.shape) for key, value in state.items()},
        path,
    )
    weights = {key: value.to(torch.float32, copy=True) for key, value in state.items()}
    for key, value in weights.items():
        # The sum of finite weights is finite, unless they are huge; it is ten times as fast.
        if not math.isfinite(float(value.sum())) and not torch.isfinite(value).all():
            raise CheckpointError(f"{path}: {key} holds NaN or infinite values; the file is bad.")
    generator.load_state_dict(weights, assign=True)
    return generator.eval().requires_grad_(False)


def check_shapes(
    expected: Mapping[str, tuple[int, ...]], found: Mapping[str, tuple[int, ...]], path: Path
) -> None:
    """Compare the shapes of a file's tensors with those that its model has.

    Raises:
        CheckpointError: names the tensors that are missing, unknown or of another shape.
    """
    problems = [f"{key} is missing" for key in expected if key not in found]
    problems += [f"{brief(key)} is unknown" for key in found if key not in expected]
    problems += [
        f"{key} should be {shape} and is {found[key]}"
        for key, shape in expected.items()
        if key in found and found[key] != shape
    ]
    if problems:
        more = f" (and {len(problems) - _SHOWN} more)" if len(problems) > _SHOWN else ""
        raise CheckpointError(
            f"{path} does not hold this model: {'; '.join(problems[:_SHOWN])}{more}."
        )


def first_keys(keys: Iterable[str]) -> str:
    """A file's first keys, for a message."""
    return ", ".join(brief(key) for key in list(keys)[:_SHOWN]) or "none"
