"""On an NVIDIA GPU: the engine draws what it draws on the CPU, and every kind of training runs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch

import stylesdf_core.commands.train.stages  # noqa: F401  (makes the stages known)
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.passes import passes
from stylesdf_core.evaluation.bench.full_model import FitRecipe, fit_field
from stylesdf_core.evaluation.metrics.image_metrics import psnr
from stylesdf_core.heads.fit.bank import HeadBank
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.picture import PhotoView
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Mixing, Scene
from stylesdf_core.training.loop import TrainingResult, train_run
from stylesdf_core.training.run_config import Precision
from stylesdf_core.training.runs.run_dir import RunDir
from tests.heads.fit.spheres import fit, tiny_fit, write_spheres
from tests.training.adversarial.stage_phases import KINDS, stage_config, write_images, write_weights

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs an NVIDIA GPU and torch built for CUDA"
)
CUDA = torch.device("cuda")
SCENES = [
    Scene(identity=Identity(seed=4)),
    Scene(
        identity=Identity(seed=7),
        truncation_psi=1.0,
        camera=OrbitCamera(0.5, -0.2, 9.0),
        mixing=Mixing(seed=9, strengths=(0.0, 0.2, 0.5, 1.0, 1.0, 0.3)),
        options=RenderOptions(samples=12),
    ),
]


@pytest.fixture(scope="module")
def heads() -> Model:
    return load_model("heads")


def test_a_head_is_fitted_to_a_picture(heads: Model) -> None:
    engine = Engine(heads, "cuda")
    camera = OrbitCamera(0.3, 0.1)
    picture = engine.render(Scene(identity=Identity(seed=3), camera=camera), "image").data
    view = PhotoView.framed(torch.from_numpy(picture).to(CUDA))
    fit = Fit(heads, engine.generator, [view], framed=True)
    drain(fit.run())
    assert fit.unknowns.scene("heads").camera.azimuth == pytest.approx(0.3, abs=0.03)


@pytest.mark.parametrize("scene", SCENES)
@pytest.mark.parametrize("view", ["volume", "depth", "normals", "image"])
def test_same_picture_as_the_cpu(heads: Model, scene: Scene, view: str) -> None:
    drawn, expected = (
        Engine(heads, device, exact=True).render(scene, view)  # type: ignore[arg-type]
        for device in ("cuda", "cpu")
    )
    assert drawn.data.shape == expected.data.shape
    solid = np.broadcast_to(expected.background < 0.1, expected.data.shape)
    np.testing.assert_allclose(drawn.background, expected.background, atol=2e-2)
    if view == "depth":
        difference = np.abs(drawn.data - expected.data)[solid]
        assert np.quantile(difference, 0.99) < 1e-4
    elif view == "normals":
        dots = (drawn.data * expected.data).sum(axis=0)[solid[0]]
        assert np.quantile(dots, 0.01) > 0.99
    else:
        assert psnr(drawn.data / 2.0, expected.data / 2.0) > 45.0


@pytest.mark.parametrize("scene", SCENES)
def test_the_direct_view_is_the_cpu_s(heads: Model, scene: Scene) -> None:
    drawn, expected = (Engine(heads, d, exact=True).direct(scene, 128) for d in ("cuda", "cpu"))
    assert np.abs(drawn.background - expected.background).mean() < 2e-3, "a few outlines differ"
    assert psnr(drawn.data / 2.0, expected.data / 2.0) > 38.0


def test_sixteen_bits_and_passes_end_at_the_same_image(heads: Model) -> None:
    scene = SCENES[0]
    exact = Engine(heads, "cuda", exact=True).render(scene, "image").data
    *_, last = passes(Engine(heads, "cuda"), scene, "image")
    assert last.final
    assert psnr(last.picture.data / 2.0, exact / 2.0) > 45.0


def test_same_surface_as_the_cpu(heads: Model) -> None:
    meshes = []
    for device in ("cuda", "cpu"):
        engine = Engine(heads, device)
        meshes.append(drain(extract_surface(engine.sdf(SCENES[0]), resolution=64)))
    ours, expected = meshes
    assert len(ours.faces) == pytest.approx(len(expected.faces), rel=0.01)
    np.testing.assert_allclose(
        ours.vertices.mean(axis=0), expected.vertices.mean(axis=0), atol=1e-4
    )


def test_the_field_of_the_bench_is_fitted_on_the_gpu() -> None:
    small = FitRecipe(width=64, depth=2, steps=120, points=512, learning_rate=5e-4)
    on_cpu, on_gpu = (drain(fit_field(small, torch.device(name))) for name in ("cpu", "cuda"))
    points = torch.rand(2000, 3, generator=torch.Generator().manual_seed(1)) * 0.2 - 0.1
    w = on_cpu.mapping(torch.zeros(1, 256))
    one, other = (fitted.field.scalar(points[None], w) for fitted in (on_cpu, on_gpu))
    assert float((one - other).abs().max()) < 0.01


def test_batches_are_drawn_where_the_heads_are(tmp_path: Path) -> None:
    write_spheres(tmp_path)
    bank = HeadBank(tmp_path, device=CUDA)

    def random() -> torch.Generator:
        return torch.Generator().manual_seed(3)

    for batch in (bank.views(random(), 4), bank.points(random(), 4, 8, 4)):
        values = [v for v in vars(batch).values() if isinstance(v, torch.Tensor)]
        assert {value.device.type for value in values} == {"cuda"}
    assert torch.equal(bank.views(random(), 4).rows, bank.views(random(), 4).rows)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_fit_stops_and_resumes(tmp_path: Path, precision: Literal["float32", "bfloat16"]) -> None:
    write_spheres(tmp_path / "data")
    config = replace(tiny_fit(tmp_path / "data"), device="cuda", precision=precision)
    run = RunDir(tmp_path / "run")
    run.write_config(to_json(config))
    rounds = 0
    result: TrainingResult | None = None
    while result is None or not result.finished:
        operation = fit(run)
        for _ in range(3):
            next(operation, None)
        run.request_stop()
        result = drain(operation)
        rounds += 1
        assert rounds <= 11
    assert rounds > 1
    assert {record["phase"] for record in run.read_stats()} >= {"points", "end-to-end", "refine"}
    assert result.weights is not None
    for key, value in load_checkpoint(result.weights).generator.state_dict().items():
        assert bool(value.isfinite().all()), key


@pytest.mark.parametrize("precision", ["tf32", "bfloat16", "float16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_stage_runs(tmp_path: Path, kind: str, precision: Precision) -> None:
    write_images(tmp_path / "images")
    write_weights(tmp_path / "whole.safetensors")
    config = stage_config(kind, tmp_path)
    config = replace(config, run=replace(config.run, device="cuda", precision=precision))
    run = RunDir(tmp_path / "run")
    run.write_config(to_json(config))
    result = drain(train_run(run))
    assert result.finished
    assert sum("seconds" in record for record in run.read_stats()) >= 4


@pytest.fixture(autouse=True)
def switches() -> Iterator[None]:
    """What an engine sets for the whole process goes back."""
    tf32 = torch.backends.cudnn.allow_tf32
    yield
    torch.backends.cudnn.allow_tf32 = tf32
