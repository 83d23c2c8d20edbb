"""Sample grids show heads as the studio does; distances are of as many images as are asked for."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.seeds import seeded
from stylesdf_core.training.adversarial.config.stages import RendererConfig
from stylesdf_core.training.adversarial.phases.snapshots import (
    COLUMNS,
    WIDEST,
    Snapshots,
    studio_styles,
    turned,
)
from tests.models import tiny_model
from tests.training.adversarial.stage_phases import images_of, phase_of


def test_grids_show_heads_as_the_studio_does(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both latents are truncated, the renderer's and the decoder's."""
    monkeypatch.undo()  # the grid and the means of a real run
    model, poses = tiny_model(), Poses(azimuth_std=0.2)
    z = torch.randn(2, model.generator.config.z_dim, generator=seeded(4))
    with torch.no_grad():
        thumbs, full = turned(model.generator, studio_styles(model.generator, z), poses)
    engine = Engine(model, "cpu", exact=True)
    for row, column in ((0, 0), (1, 5)):
        azimuth = WIDEST * 0.2 * (2.0 * column / (COLUMNS - 1) - 1.0)
        identity = Identity(z=tuple(z[row].tolist()))
        scene = Scene(identity=identity, camera=OrbitCamera(azimuth=azimuth))
        place = row * COLUMNS + column
        image, thumb = full[place], thumbs[place]
        for found, shown in (
            (image, engine.render(scene, "image")),
            (thumb, engine.render(scene, "volume", thumb.shape[-1])),
        ):
            error = (found - torch.from_numpy(shown.data)).abs().mean()
            assert float(error) < 2e-3


def test_distances_are_of_as_many_images_as_are_compared(
    renderer: RendererConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phase, images = phase_of(renderer), images_of(renderer)
    generator = phase.models.ema.float()
    compared: list[int] = []
    for count in (6, 9):
        snapshots = Snapshots(Poses(), 0, rows=1)
        monkeypatch.setattr(images, "compare", count)
        features = snapshots._features

        def counted(batch: torch.Tensor, features: object = features) -> object:
            compared.append(len(batch))
            return features(batch)  # type: ignore[operator]

        monkeypatch.setattr(snapshots, "_features", counted)
        monkeypatch.setattr(counted, "short", features.short, raising=False)
        first = snapshots.write(generator, tmp_path / "a.png", images)
        assert sum(compared) == 2 * count
        assert snapshots.write(generator, tmp_path / "a.png", images) == first
        assert sum(compared) == 3 * count, "true images are looked at once"
        compared.clear()
    images.close()
