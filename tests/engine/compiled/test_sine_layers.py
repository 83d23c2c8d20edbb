"""Layers in one compiled call give torch's products and the compiled sines, to the bit."""

from __future__ import annotations

import pytest
import torch

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.field import baked_field
from stylesdf_core.engine.field.baked_field import BakedField
from stylesdf_core.scene.scene import Scene
from tests.models import tiny_model


@pytest.fixture
def product() -> int:
    if not compiled_loops.usable():
        pytest.skip("Numba is not installed, or STYLESDF_COMPILED=0")
    from stylesdf_core.engine.compiled.sine_layers import product_address

    if not product_address():
        pytest.skip("this torch does not export its product")
    return product_address()


def field(depth: int = 3) -> BakedField:
    return Engine(tiny_model(depth=depth), "cpu")._field(Scene())


@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("rows", [1, 7, 300])
@pytest.mark.usefixtures("product")
def test_the_layers_in_one_call_are_the_layers_one_by_one(
    depth: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = field(depth)
    points = 0.1 * torch.randn(rows, 3, generator=torch.Generator().manual_seed(0))
    terms = own.direction_terms(torch.nn.functional.normalize(points[:5], dim=-1))
    rays = torch.arange(rows) % len(terms)
    trunk, scalar = own.trunk(points), own.scalar(points).clone()
    shaded = own.shade(trunk, terms, rays)
    monkeypatch.setattr(baked_field, "_compiled_product", lambda x: 0)
    torch.testing.assert_close(own.trunk(points), trunk, rtol=0, atol=0)
    torch.testing.assert_close(own.scalar(points), scalar, rtol=0, atol=0)
    torch.testing.assert_close(own.shade(trunk, terms, rays), shaded, rtol=0, atol=0)


@pytest.mark.usefixtures("product")
def test_no_rows_are_fine() -> None:
    own, nothing = field(), torch.empty(0, 3)
    trunk = own.trunk(nothing)
    assert trunk.shape == (0, own.width)
    assert (
        own.shade(trunk, own.direction_terms(nothing), torch.empty(0).long()).shape == trunk.shape
    )


@pytest.mark.usefixtures("product")
def test_other_weights_are_packed_anew() -> None:
    own, points = field(), torch.rand(9, 3) * 0.1
    before = own.trunk(points)
    other = own.with_tensors([2.0 * x for x in own.tensors])
    assert not torch.equal(other.trunk(points), before)
    torch.testing.assert_close(own.trunk(points), before, rtol=0, atol=0)


def test_a_library_without_the_product_is_done_without(
    product: int, monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    from stylesdf_core.engine.compiled import sine_layers

    assert product
    monkeypatch.setattr(sine_layers.torch, "__file__", f"{tmp_path}/torch/__init__.py")
    assert sine_layers.product_address.__wrapped__() == 0
