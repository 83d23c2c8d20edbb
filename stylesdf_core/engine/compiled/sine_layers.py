"""A field's sine layers in one compiled call, with the matrix product of torch's own library.

Called one by one, each product and each sine takes Python's lock for its call, which the other
tiles and the window need as well: in small tiles on two cores, half of the time went into waiting
for the lock. Compiled code calls the same product (BLAS's ``sgemm_``, which torch's library exports
on Linux) without the lock, to the same bits. Where torch does not export the product,
``field/baked_field.py`` calls product and sine in turns.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from stylesdf_core.engine.compiled.cpu_kernels import EXACT, sine
from stylesdf_core.engine.compiled.disk_cache import compiled


@cache
def product_address() -> int:
    """Where torch's library has its product of float32 matrices; 0 if it exports none."""
    for library in Path(torch.__file__).parent.glob("lib/libtorch_cpu.*"):
        try:
            product = ctypes.CDLL(str(library)).sgemm_
        except (OSError, AttributeError):
            continue
        address = ctypes.cast(product, ctypes.c_void_p).value or 0
        return address if _is_right(address) else 0
    return 0


def _is_right(address: int) -> bool:
    """Whether the product can be called, and multiplies."""
    x, weight = (np.linspace(-1, 1, n * m, dtype=np.float32).reshape(n, m) for n, m in _SHAPES)
    out = np.zeros((len(x), weight.shape[1]), np.float32)
    try:
        product(address, x, weight, out)
    except Exception:  # of any kind: this Numba generates other code
        return False
    return bool(np.allclose(out, x @ weight, atol=1e-5))


_SHAPES = (5, 3), (3, 4)


def _sgemm_code(
    typing_context: Any,
    address: Any,
    rows: Any,
    width: Any,
    depth: Any,
    x: Any,
    weight: Any,
    out: Any,
) -> Any:
    """out ← x·weight, for the addresses of x (rows, depth), weight (depth, width), out.

    BLAS counts columns first: outᵀ ← weightᵀ·xᵀ.
    """
    signature = types.void(*[types.intp] * 7)

    def generate(context: Any, builder: Any, _: Any, arguments: Any) -> Any:
        pointer, real = ir.IntType(8).as_pointer(), ir.FloatType()

        def stored(value: Any) -> Any:
            allocate: Any = cgutils.alloca_once_value
            return builder.bitcast(allocate(builder, value), pointer)

        address, rows, width, depth, *matrices = arguments
        x, weight, out = (builder.inttoptr(matrix, pointer) for matrix in matrices)
        # As 64 bits, of which a library with numbers of 32 bits reads the first, lower half.
        m, n, k = (stored(size) for size in (width, rows, depth))
        plain = stored(ir.Constant(ir.IntType(8), ord("N")))
        one, zero = (stored(ir.Constant(real, value)) for value in (1.0, 0.0))
        kind = ir.FunctionType(ir.VoidType(), [pointer] * 13)
        function = builder.inttoptr(address, kind.as_pointer())
        builder.call(function, [plain, plain, m, n, k, one, weight, m, x, k, zero, out, m])
        return context.get_dummy_value()

    return signature, generate


_sgemm: Any = intrinsic(_sgemm_code)


@compiled()
def product(address: int, x: Any, weight: Any, out: Any) -> None:
    """out ← x·weight, for x (N, K), weight (K, C) and out (N, C), float32, contiguous."""
    if x.shape[0] > 0:
        _sgemm(
            address, x.shape[0], weight.shape[1], weight.shape[0],
            x.ctypes.data, weight.ctypes.data, out.ctypes.data,
        )  # fmt: skip


@compiled(**EXACT)
def sine_layers(
    address: int, points: Any, first: Any, weights: Any, biases: Any, spare: Any, out: Any
) -> None:
    """Outputs of L layers x ↦ sin(x·W + b) at points (N, 3), written to ``out`` (N, C).

    Args:
        address: of :func:`product_address`.
        first: (3, C), weights of the first layer.
        weights: (L − 1, C, C), of the others.
        biases: (L, C).
        spare: (N, C), overwritten.
    """
    last = biases.shape[0] - 1
    x = y = out
    for layer in range(last + 1):
        x, y = y, out if (last - layer) % 2 == 0 else spare
        if layer == 0:
            product(address, points, first, y)
        else:
            product(address, x, weights[layer - 1], y)
        bias = biases[layer]
        for row in range(y.shape[0]):
            values = y[row]
            for i in range(values.size):
                values[i] = sine(values[i] + bias[i])


@compiled(**EXACT)
def shade_rows(address: int, trunk: Any, weight: Any, biases: Any, index: Any, out: Any) -> None:
    """out ← sin(trunk·weight + biases[index]), (N, C).

    Args:
        address: of :func:`product_address`.
        biases: (R, C).
        index: (N,) int64.
    """
    product(address, trunk, weight, out)
    for row in range(out.shape[0]):
        values, bias = out[row], biases[index[row]]
        for i in range(values.size):
            values[i] = sine(values[i] + bias[i])


def call_all() -> None:
    """Load the code of every loop, or compile it; without torch's product nothing happens."""
    if address := product_address():
        x, weight = np.zeros((1, 1), np.float32), np.zeros((1, 1, 1), np.float32)
        points, first = np.zeros((1, 3), np.float32), np.zeros((3, 1), np.float32)
        sine_layers(address, points, first, weight[:0], x, x.copy(), x.copy())
        shade_rows(address, x, x, x, np.zeros(1, np.int64), x.copy())
