"""Every compiled loop against its twin in plain torch."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.field import baked_field
from stylesdf_core.engine.march.distance_grid import RADIUS as GRID_RADIUS
from stylesdf_core.engine.march.distance_grid import DistanceGrid
from stylesdf_core.engine.march.ray_march import (
    VISIBLE,
    VISIBLE_IN_MOTION,
    RayMarch,
    _DepthBounds,
    _transmittance,
    relevant_band,
)
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.rendering.camera import FAR, NEAR, OrbitCamera
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import sample_depths
from stylesdf_core.scene.scene import Scene, View
from tests.models import tiny_model

compiled = pytest.mark.skipif(
    not compiled_loops.usable(), reason="Numba is not installed, or STYLESDF_COMPILED=0"
)
CPU = torch.device("cpu")
RADIUS = 0.08


def uniform(seed: int, largest: float, *shape: int) -> Tensor:
    source = np.random.default_rng(seed)
    return torch.from_numpy(source.uniform(-largest, largest, shape).astype(np.float32))


# --- sines ----------------------------------------------------------------------------------------


@compiled
@pytest.mark.parametrize(
    ("largest", "error"), [(1e-3, 1e-9), (1.5, 2e-7), (60.0, 3e-7), (1e3, 3e-7), (1e4, 2e-6)]
)
def test_sine_of_sum(largest: float, error: float) -> None:
    x, bias = uniform(0, largest, 511, 40), uniform(1, 0.1 * largest, 40)
    exact = torch.sin((x + bias).double())  # of the float32 sum: what torch's own sine is given
    twin, own = x.clone(), x.clone()
    twin.add_(bias).sin_()
    baked_field.sine_of_sum(own, bias)
    np.testing.assert_allclose(own, exact, rtol=0, atol=error)
    np.testing.assert_allclose(own, twin, rtol=0, atol=2 * error)


@compiled
def test_sine_where_it_is_zero_or_one() -> None:
    quarter_turns = torch.arange(-400, 401) * (0.5 * math.pi)
    x = quarter_turns.float()[:, None].contiguous()
    exact = torch.sin(x.double())
    baked_field.sine_of_sum(x, torch.zeros(1))
    np.testing.assert_allclose(x, exact, rtol=0, atol=2e-7)


@compiled
@pytest.mark.parametrize("largest", [0.5, 60.0])
def test_sine_of_sum_by_row(largest: float) -> None:
    x, biases = uniform(2, largest, 300, 24), uniform(3, 2.0, 7, 24)
    index = torch.from_numpy(np.random.default_rng(4).integers(0, 7, 300))
    exact = torch.sin((x + biases[index]).double())
    baked_field._sine_of_sum_by_row(x, biases, index)
    np.testing.assert_allclose(x, exact, rtol=0, atol=3e-7)


@compiled
def test_no_rows_are_fine() -> None:
    empty = torch.empty(0, 24)
    baked_field.sine_of_sum(empty, torch.zeros(24))
    baked_field._sine_of_sum_by_row(empty, torch.zeros(1, 24), torch.empty(0, dtype=torch.int64))


# --- bounds of the optical depths -----------------------------------------------------------------


@dataclass(frozen=True)
class Tile:
    origins: Tensor
    directions: Tensor


def rippled_sphere(points: FloatArray) -> FloatArray:
    ripple = 0.001 * np.sin(80.0 * points[:, 0]) * np.sin(70.0 * points[:, 1])
    distance: FloatArray = np.linalg.norm(points, axis=-1) - np.float32(RADIUS) + ripple
    return distance.astype(np.float32)


def seen_from(camera: OrbitCamera) -> Tile:
    matrix = torch.from_numpy(camera.cam2world().astype(np.float32))[None]
    rays = make_rays(matrix, camera.focal(24), 24)
    return Tile(rays.origins.reshape(-1, 3), rays.directions.reshape(-1, 3))


def grazing() -> Tile:
    """Parallel rays that pass the sphere's centre at 0.9 to 1.1 of its radius, and so its rim."""
    height = torch.linspace(0.9 * RADIUS, 1.1 * RADIUS, 400)
    origins = torch.stack([torch.zeros(400), height, torch.ones(400)], dim=-1)
    return Tile(origins, torch.tensor([[0.0, 0.0, -1.0]]).repeat(400, 1))


def beside_the_grid() -> Tile:
    """Rays that never meet the grid, and ones that pass through a corner of it."""
    shift = torch.linspace(0.1, 0.4, 200)
    origins = torch.stack([shift, shift, torch.ones(200)], dim=-1)
    return Tile(origins, torch.tensor([[0.1, -0.05, -1.0]]).repeat(200, 1))


TILES = {
    "front": lambda: seen_from(OrbitCamera()),
    "side": lambda: seen_from(OrbitCamera(math.pi / 2, -1.4, 3.0, 0.02, 0.05)),
    "widest": lambda: seen_from(OrbitCamera(0.7, 0.3, 20.0, -0.12, 0.12)),
    "grazing": grazing,
    "beside": beside_the_grid,
}


def both_bounds(tile: Tile, beta: float, visible: float, samples: int) -> list[_DepthBounds]:
    """The bounds by the compiled loop, then by torch."""
    band = relevant_band(beta, (FAR - NEAR) / 24)
    grid = DistanceGrid.sample(rippled_sphere, band, CPU)
    t_vals = sample_depths(samples, tile.origins)
    march = RayMarch(None, torch.relu, beta, t_vals, grid, True, visible)  # type: ignore[arg-type]
    spacing = (t_vals[1] - t_vals[0]) * tile.directions.norm(dim=-1)
    given = (tile.origins, tile.directions, spacing)
    shape = len(tile.origins), samples
    upper, lower = torch.zeros(2, *shape)
    selected = torch.zeros(shape, dtype=torch.bool)
    inside = torch.ones(0, 0, dtype=torch.bool)
    arrays = (x.contiguous().numpy() for x in (*given, inside, upper, lower, selected))
    from stylesdf_core.engine.compiled import cpu_kernels

    count = cpu_kernels.bound_depths(
        grid.interleaved, grid.nearest, GRID_RADIUS, t_vals.numpy(), beta, visible, *arrays
    )
    assert count == int(selected.sum())
    return [_DepthBounds(upper, lower, selected), march._bound_depths(*given)]


@compiled
@pytest.mark.parametrize("samples", [24, 100])
@pytest.mark.parametrize("visible", [VISIBLE, VISIBLE_IN_MOTION])
@pytest.mark.parametrize("beta", [0.001, 0.05])
@pytest.mark.parametrize("name", TILES)
def test_compiled_and_plain_bounds_agree(
    name: str, beta: float, visible: float, samples: int
) -> None:
    fast, plain = both_bounds(TILES[name](), beta, visible, samples)
    alpha = 1.0 - torch.exp(-plain.upper)
    front = torch.ones_like(plain.selected)
    front[:, -1] = False  # the background always counts, whatever its density
    # The compiled loop stops behind the first opaque sample, and says nothing of samples that
    # cannot weigh half of ``visible``.
    hidden = _transmittance(plain.lower) < 1.01 * visible
    bounded = front & (fast.upper > 0)
    assert not bool((front & ~bounded & ~hidden & (alpha > 0.5 * visible)).any())
    torch.testing.assert_close(fast.upper[bounded], plain.upper[bounded], rtol=2e-3, atol=1e-6)
    solid = bounded & (fast.lower > 0)
    assert not bool((front & ~solid & ~hidden & (alpha > 1.01 * visible) & (plain.lower > 0)).any())
    torch.testing.assert_close(fast.lower[solid], plain.lower[solid], rtol=2e-3, atol=1e-6)
    # Where they differ the sample weighs next to exactly ``visible``: both are right.
    differing = fast.selected != plain.selected
    assert float(differing.float().mean()) < 5e-3
    assert bool(plain.selected.any())


@compiled
def test_samples_outside_the_grid_are_evaluated() -> None:
    tile = beside_the_grid()
    outside = (tile.origins[:, 0] > 0.35).nonzero().squeeze(1)
    for bounds in both_bounds(tile, 0.001, VISIBLE, 24):
        assert bool(bounds.selected[outside].all())
        assert bool(bounds.upper[outside, :-1].isinf().all())
        assert bool((bounds.lower[outside] == 0).all())


# --- whole pictures -------------------------------------------------------------------------------


@compiled
@pytest.mark.parametrize("field", ["sdf", "density"])
def test_the_same_pictures_without_compiled_loops(
    field: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, scene = tiny_model(field=field), Scene(camera=OrbitCamera(0.4, -0.2, 8.0))
    views: tuple[View, ...] = ("image", "volume", "depth")
    fast = Engine(model, "cpu", exact=True).render_views(scene, views)
    monkeypatch.setattr(compiled_loops, "usable", lambda: False)
    monkeypatch.setitem(
        sys.modules, "stylesdf_core.engine.compiled.cpu_kernels", None
    )  # whoever imports it
    plain = Engine(model, "cpu", exact=True).render_views(scene, views)
    solid = plain["depth"].background < 0.9
    assert solid.any()
    np.testing.assert_allclose(fast["volume"].data, plain["volume"].data, rtol=0, atol=2e-4)
    np.testing.assert_allclose(
        fast["depth"].data[0][solid], plain["depth"].data[0][solid], rtol=0, atol=1e-5
    )
    spread = float(plain["image"].data.std())
    np.testing.assert_allclose(fast["image"].data, plain["image"].data, rtol=0, atol=2e-3 * spread)


def printed(code: str, **environment: str) -> list[str]:
    """The lines that a fresh process prints."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.splitlines()


def state_of_kernels(code: str = "", **environment: str) -> list[str]:
    """Whether loops are usable, state and note, in a fresh process that runs ``code`` first."""
    code += "\nfrom stylesdf_core.engine.compiled import compiled_loops as loops"
    code += "\nprint(loops.usable(), loops.state(), loops.note(), sep='\\n')"
    return printed(code, **environment)


def test_an_environment_variable_turns_compiled_loops_off() -> None:
    code = "import sys; sys.modules['numba'] = None"  # whoever imports it now fails
    state = state_of_kernels(code, STYLESDF_COMPILED="0")
    assert state == ["False", "turned off by STYLESDF_COMPILED=0", ""]


def test_numba_that_cannot_be_loaded_is_off_with_a_note(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('Numba needs NumPy 2.3 or less')")
    available, state, note = state_of_kernels(f"import sys; sys.path.insert(0, {str(tmp_path)!r})")
    assert available == "False"
    assert state == "Numba cannot be loaded: Numba needs NumPy 2.3 or less"
    assert note == f"{state}; rendering is slower without it."


@compiled
def test_numba_that_cannot_compile_is_off_with_a_note() -> None:
    """Numba may be imported, and refuse this NumPy or a loop only when the loop is called."""
    refusing = """
import numba
def njit(**options):
    def refuse(function):
        def loop(*arguments):
            raise SystemError("unknown type of array\\nwith details")
        loop.py_func = function
        return loop
    return refuse
numba.njit = njit
"""
    available, state, note = state_of_kernels(refusing)
    assert available == "False"
    assert state == "Numba cannot be loaded: unknown type of array"
    assert note == f"{state}; rendering is slower without it."


@compiled
def test_postponed_loops_are_loaded_beside_the_pictures() -> None:
    code = """
from stylesdf_core.engine.compiled import compiled_loops as loops
loops.postpone()
assert not loops.usable() and loops.state() == "not loaded yet" and "numba" not in sys.modules
loops.load_in_background(0.0)
loops.wait()
assert loops.usable()
loops.postpone()  # too late
loops.load_in_background(0.0)
"""
    assert state_of_kernels("import sys" + code)[0] == "True"


@compiled
def test_waiting_loads_postponed_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled_loops, "_stage", compiled_loops._Stage.UNASKED)
    monkeypatch.setattr(compiled_loops, "_thread", None)
    compiled_loops.postpone()
    assert not compiled_loops.usable()
    compiled_loops.wait()
    assert compiled_loops.usable()


@compiled
def test_a_cache_that_fails_is_done_without(tmp_path: Path) -> None:
    """There is no folder; later the file is damaged, and the disk full; of one small loop."""
    (tmp_path / "doubling.py").write_text("def double(x):\n    return 2 * x\n")
    use = f"""
import sys; sys.path.insert(0, {str(tmp_path)!r})
from doubling import double
from stylesdf_core.engine.compiled import cpu_kernels, disk_cache, sine_layers
print(disk_cache.compiled()(double)(4))
"""
    nowhere = "import os; os.access = lambda *_: False; os.path.expanduser = lambda path: path\n"
    nowhere += "for name in ('NUMBA_CACHE_DIR', 'XDG_CACHE_HOME'): os.environ.pop(name, None)\n"
    spared = "cpu_kernels.call_all = sine_layers.call_all = lambda: None"  # all take ten seconds
    double, available, state, note = state_of_kernels(nowhere + use + spared)
    assert (double, available) == ("8", "True")
    assert state == "compiled loops, compiled anew at every start"
    assert "NUMBA_CACHE_DIR" in note

    for damage in ("", "full", "cut"):
        if damage == "full":
            use = "import numba.core.caching as c\nc.IndexDataCacheFile.save = None\n" + use
        if damage == "cut":
            for index in tmp_path.rglob("*.nbi"):
                index.write_bytes(b"")
        assert printed(use, NUMBA_CACHE_DIR=str(tmp_path)) == ["8"]
    assert list(tmp_path.rglob("*.nbi"))
