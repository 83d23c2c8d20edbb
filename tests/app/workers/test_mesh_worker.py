"""The mesh worker: which meshes are made and drawn under many requests, with a stand-in engine."""

from __future__ import annotations

import time
from collections.abc import Generator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from threading import Timer
from typing import Any, cast

import numpy as np
import pytest

from app.workers.concurrency.schedule import LatestWorker
from app.workers.mesh_worker import LIVE_RESOLUTION, LiveMesh, MeshRequest
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.engine.engine import Engine
from stylesdf_core.mesh.preview import MeshPicture
from stylesdf_core.mesh.surface import SurfaceMesh
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.latents.mean_latents import MeanLatents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator as Network
from stylesdf_core.scene.scene import Identity, Scene
from tests.models import tiny_model

NOTHING = np.zeros((3, 3), np.float32)
PICTURE = MeshPicture(np.zeros((4, 4, 3), np.float32), NOTHING, NOTHING)


class Preview:
    """Draws in ``seconds``; with None never."""

    def __init__(self, seconds: float | None) -> None:
        self.seconds = seconds
        self.drawn: list[Future[MeshPicture]] = []
        self.is_empty = False

    def forget(self) -> None:
        self.is_empty = True

    def submit(self, *_: Any, **__: Any) -> Future[MeshPicture]:
        picture: Future[MeshPicture] = Future()
        self.drawn.append(picture)
        if self.seconds is not None:
            Timer(self.seconds, lambda: picture.cancelled() or picture.set_result(PICTURE)).start()
        return picture


class Live(LiveMesh):
    """Meshes of one triangle, made in some time."""

    def __init__(self, preview: Preview | None) -> None:
        super().__init__(cast(Any, preview))
        self.built: list[tuple[int, int]] = []

    def _build(self, request: MeshRequest, resolution: int) -> Generator[None, None, None]:
        for _ in range(3):
            time.sleep(0.005)
            yield None
        self.built.append((request.scene.identity.seed, resolution))
        faces = np.array([[0, 1, 2]], np.int32)
        self._meshes[resolution] = SurfaceMesh(
            NOTHING + np.eye(3, dtype=np.float32), faces, NOTHING
        )


@pytest.fixture(scope="module")
def request_() -> MeshRequest:
    network = Network(GeneratorConfig(z_dim=8, width=8, depth=1, thumb_size=16, output_size=16))
    means = MeanLatents(network.field.sigmoid_beta.new_zeros(1, 8), network.field.sigmoid_beta)
    model = Model("none", Path(), network, means, ())
    return MeshRequest(Scene(), "cpu", MeshSettings(), 512, model)


def of(request: MeshRequest, seed: int) -> MeshRequest:
    return replace(request, scene=Scene(identity=Identity(seed)))


def test_every_mesh_that_is_made_under_a_moving_slider_is_shown(request_: MeshRequest) -> None:
    live = Live(Preview(0.01))
    worker = LatestWorker("mesh", live.passes)
    shown: list[tuple[int, int]] = []

    def look() -> None:
        outcome = worker.poll()
        assert outcome is None or outcome.error is None
        if outcome is not None and outcome.value is not None:
            mesh = (outcome.value.request.scene.identity.seed, outcome.value.resolution)
            shown.extend([mesh] if mesh not in shown else [])
        time.sleep(0.004)

    for seed in range(60):
        worker.submit(of(request_, seed), refine=False)
        look()
        look()
    while shown[-1:] != [(59, LIVE_RESOLUTION)]:
        look()
    worker.close()
    assert shown == live.built
    assert 3 < len(shown) < 60, "what came too fast was left out"


def test_at_rest_the_draft_comes_first(request_: MeshRequest) -> None:
    live = Live(Preview(0.0))
    answers = [answer for answer in live.passes(of(request_, 5)) if answer is not None]
    assert [(a.resolution, a.report is not None) for a in answers] == [(48, False), (128, True)]
    again = [a for a in live.passes(of(request_, 5)) if a is not None]
    assert [(a.resolution, a.report is not None) for a in again] == [(128, True), (128, True)]
    assert live.built == [(5, 48), (5, 128)], "nothing is made twice"


def test_what_a_finer_resolution_took_is_freed(request_: MeshRequest) -> None:
    preview = Preview(0.0)
    live = Live(preview)
    fine = replace(of(request_, 5), settings=MeshSettings(resolution=512))
    list(live.passes(fine))
    assert live.resolutions == {48, 512}
    list(live.passes(of(request_, 5)))
    assert live.resolutions == {48, 128}
    live.forget()
    assert live.resolutions == {48, 128}, "small grids are kept"
    list(live.passes(fine))
    live.forget()
    assert live.resolutions == set()
    assert preview.is_empty


def test_another_model_makes_a_mesh_of_its_own_of_the_same_seed(request_: MeshRequest) -> None:
    live = Live(Preview(0.0))
    list(live.passes(request_))
    list(live.passes(replace(request_, model=tiny_model())))
    assert live.built == 2 * [(0, LIVE_RESOLUTION), (0, request_.settings.resolution)]


def test_the_drawing_of_a_replaced_request_is_cancelled(request_: MeshRequest) -> None:
    preview = Preview(None)
    live = Live(preview)
    answers = live.passes(of(request_, 5))
    while not preview.drawn:
        assert next(answers) is None
    assert next(answers) is None
    cast(Any, answers).close()
    assert preview.drawn[0].cancelled()


def test_opengl_that_could_not_be_opened_is_tried_again(
    request_: MeshRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[int] = []

    def open_preview() -> Preview:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("not yet")
        return Preview(0.0)

    monkeypatch.setattr("stylesdf_core.mesh.preview.MeshPreview", open_preview)
    live = Live(None)
    with pytest.raises(OSError, match="not yet"):
        list(live.passes(of(request_, 5)))
    assert [a.resolution for a in live.passes(of(request_, 5)) if a is not None] == [48, 128]


def test_clay_has_the_normals_of_the_field() -> None:
    """Those of a grid of 48 points lose the mouth; under colours they are hardly seen."""
    model, scene = tiny_model(), Scene(identity=Identity(5))
    live, preview = LiveMesh(cast(Any, Preview(0.0))), []
    for colored in (False, True):
        settings = MeshSettings(resolution=48, vertex_colors=colored)
        request = MeshRequest(scene, "cpu", settings, 16, model)
        preview += [shown for shown in live.passes(request) if shown is not None][-1:]
    for shown, is_exact in zip(preview, (True, False), strict=True):
        inner = np.abs(shown.mesh.vertices).max(axis=1) < 0.11
        normals = Engine(model, "cpu").normals(scene)(shown.mesh.vertices[inner])
        agree = (normals * shown.mesh.normals[inner]).sum(axis=1)
        assert (agree.min() > 0.9999) == is_exact
