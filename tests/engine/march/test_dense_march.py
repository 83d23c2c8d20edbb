"""Every sample evaluated, as on a GPU: the same pictures, and no step that waits for the device."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from torch.profiler import ProfilerActivity, profile

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.levels import levels
from stylesdf_core.engine.passes import passes
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Scene, View
from tests.models import tiny_model

#: Operations that on a GPU make the host wait: it needs a value, or how many values there are.
WAITING = {
    "aten::item",
    "aten::_local_scalar_dense",
    "aten::is_nonzero",
    "aten::nonzero",
    "aten::equal",
    "aten::bincount",
    "aten::unique2",
    "aten::masked_select",
    "aten::repeat_interleave",
}
SCENE = Scene(identity=Identity(4), camera=OrbitCamera(0.4, 0.1))
WIDE = Scene(camera=OrbitCamera(0.2, -0.1, fov=12.0, pan_x=0.02))
MIXED = replace(SCENE, mixing=Mixing(seed=9, crossover=3), options=RenderOptions(noise="random"))


def as_on_a_gpu(**changes: object) -> Engine:
    """An engine that computes on the CPU in the way in which it computes on a GPU."""
    engine = Engine(tiny_model(**changes), "cpu")
    engine._evaluates_all = True
    engine._tiles._on_cpu = False  # in one tile, on this thread
    return engine


def waits(engine: Engine, scenes: Iterator[Scene], view: View) -> list[int]:
    """How often the host would wait in each picture of a motion."""
    counts, level = [], levels(engine.config, view, "cuda")[-1]
    for scene in scenes:
        with profile(activities=[ProfilerActivity.CPU]) as profiler:
            next(iter(passes(engine, scene, view, first=level)))
        counts.append(sum(event.count for event in profiler.key_averages() if event.key in WAITING))
    return counts


@pytest.mark.parametrize("field", ["sdf", "density"])
@pytest.mark.parametrize("scene", [SCENE, WIDE, MIXED])
def test_pictures_are_those_of_the_chosen_samples(scene: Scene, field: str) -> None:
    dense, sparse = as_on_a_gpu(field=field), Engine(tiny_model(field=field), "cpu", exact=True)
    for forced in (True, False):
        drawn = replace(scene, options=replace(scene.options, force_background=forced))
        views: tuple[View, ...] = ("volume", "depth", "image")
        ours, expected = (engine.render_views(drawn, views) for engine in (dense, sparse))
        np.testing.assert_allclose(ours["volume"].data, expected["volume"].data, atol=2e-4)
        np.testing.assert_allclose(
            ours["volume"].background, expected["volume"].background, atol=2e-4
        )
        solid = expected["depth"].background < 0.9
        np.testing.assert_allclose(
            ours["depth"].data[0][solid], expected["depth"].data[0][solid], atol=2e-4
        )
        spread = float(expected["image"].data.std())
        np.testing.assert_allclose(
            ours["image"].data,
            expected["image"].data,
            atol=0.05 * spread,  # 16 bits on screens
        )


@pytest.mark.parametrize("view", ["image", "volume", "depth"])
@pytest.mark.parametrize("options", [RenderOptions(), RenderOptions(noise="random")])
def test_a_camera_that_moves_waits_for_nothing(view: View, options: RenderOptions) -> None:
    engine = as_on_a_gpu()
    moving = (replace(SCENE, camera=OrbitCamera(0.1 * step), options=options) for step in range(3))
    first, *others = waits(engine, moving, view)
    assert others == [0, 0]
    assert first < 20  # the weights of the new style are folded


def test_a_wide_view_waits_for_nothing() -> None:
    engine = as_on_a_gpu()
    moving = (replace(WIDE, camera=OrbitCamera(0.1 * step, fov=12.0)) for step in range(3))
    assert waits(engine, moving, "image")[1:] == [0, 0]


def test_a_latent_that_slides_waits_once() -> None:
    """To see which layers' styles have changed."""
    engine = as_on_a_gpu()
    sliding = (replace(SCENE, truncation_psi=0.5 + 0.1 * step) for step in range(4))
    assert max(waits(engine, sliding, "image")[1:]) <= 1


def test_the_count_sees_what_waits() -> None:
    engine = Engine(tiny_model(), "cpu")
    engine._tiles._on_cpu = False
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stylesdf_core.engine.compiled.compiled_loops.usable", lambda: False)
        counts = waits(engine, iter([SCENE, replace(SCENE, camera=OrbitCamera(0.1))]), "image")
    assert counts[1] > 0


@pytest.mark.parametrize(
    "text", ["MPS backend out of memory (MPS allocated: 17 GB)", "Invalid buffer size: 30.5 GB"]
)
def test_memory_that_runs_out_on_apple_s_gpu_halves_the_tiles(text: str) -> None:
    engine = as_on_a_gpu()
    rows, calls = engine._tiles.rows, []

    def work(start: int, stop: int) -> None:
        calls.append(stop - start)
        if stop - start > rows // 4:
            raise RuntimeError(text)

    engine._tiles.run(work, rows)
    assert calls[:3] == [rows, rows // 2, rows // 4]
    assert "Memory is short" in engine._tiles.note
