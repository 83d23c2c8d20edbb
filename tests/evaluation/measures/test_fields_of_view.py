"""A model is measured with the field of view that it was trained with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.march.volume import Volume
from stylesdf_core.evaluation.measures import judged_views
from stylesdf_core.evaluation.measures.depth_consistency import DepthConsistency
from stylesdf_core.evaluation.measures.judged_views import JudgedViews
from stylesdf_core.evaluation.measures.orbits import OrbitFlicker
from stylesdf_core.evaluation.reports import gallery
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.scene.scene import Scene
from tests.models import tiny_model


class Watched(Engine):
    """Remembers the fields of view of its pictures."""

    def __init__(self) -> None:
        model = tiny_model(thumb_size=8, output_size=16)
        super().__init__(replace(model, poses=Poses(fov=4.0)), "cpu")
        self.seen: set[float] = set()

    def render_volume(self, scene: Scene, *sizes: Any, **how: Any) -> Volume:
        self.seen.add(scene.camera.fov)
        return super().render_volume(scene, *sizes, **how)


@pytest.mark.parametrize(
    "measure",
    [
        lambda engine: OrbitFlicker(engine, 1).measure([0]),
        lambda engine: DepthConsistency(engine, 1, engine.model.poses).measure([0]),
        lambda engine: JudgedViews(engine, 1).measure([0]),
        lambda engine: drain(gallery.gallery(engine, (1,))),
    ],
)
def test_pictures_that_are_measured_have_the_trained_field_of_view(
    measure: Callable[[Engine], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(judged_views, "find_faces", lambda *_: [])
    monkeypatch.setattr(judged_views, "dlib_judge", lambda: None)
    monkeypatch.setattr(gallery, "_EDGE", 16)
    monkeypatch.setattr(gallery, "_MESH_RESOLUTION", 32)
    engine = Watched()
    measure(engine)
    assert engine.seen == {4.0}
