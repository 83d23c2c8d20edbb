"""Landmarks of photographs in a fit: where the head's are, and how far off."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from stylesdf_core.errors import InputError
from stylesdf_core.inversion.fitting import Fit
from stylesdf_core.inversion.picture import PhotoView, Similarity
from stylesdf_core.inversion.unknowns import Unknowns
from stylesdf_core.judges.generic_face import POSITIONS
from stylesdf_core.model.landmarks import COUNT, Landmarks, landmarks_text, load_landmarks
from stylesdf_core.resources import shipped
from tests.models import tiny_model

POINTS = torch.tensor(POSITIONS, dtype=torch.float32)
SLOPES = 0.01 * torch.randn(4, COUNT, 3, generator=torch.Generator().manual_seed(1))
MODEL = replace(tiny_model(), landmarks=Landmarks(POINTS, SLOPES))


def view(landmarks: torch.Tensor) -> PhotoView:
    return replace(PhotoView.framed(torch.zeros(3, 16, 16)), landmarks=landmarks)


def test_landmarks_are_a_linear_function_of_z_and_survive_a_file(tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(landmarks_text(torch.cat([POINTS[None], SLOPES]).numpy()), encoding="utf-8")
    again = load_landmarks(path)
    z = torch.zeros(1, 32)
    z[0, 2] = 2.0
    torch.testing.assert_close(again.points(z)[0], POINTS + 2.0 * SLOPES[2], atol=2e-5, rtol=0.0)


@pytest.mark.parametrize("text", ["[1, 2]", "[[[1, 2, 3]]]", '{"a": 1}', "[[1], 2]"])
def test_a_file_of_anything_else_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "own.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"own\.json: expected lists of 51 landmarks"):
        load_landmarks(path)


def test_the_shipped_landmarks_are_those_of_the_generic_face() -> None:
    shipped_ones = load_landmarks(shipped("assets/landmarks/heads.json"))
    assert float((shipped_ones.mean - POINTS)[:, :2].abs().max()) < 2e-3


def test_the_heads_landmarks_in_the_picture_are_projected_as_its_rays_are() -> None:
    unknowns = Unknowns(MODEL, MODEL.generator, [view(torch.zeros(COUNT, 2))])
    with torch.no_grad():
        unknowns.angles[0] = torch.tensor([0.3, -0.1])
        unknowns.framing[0] = torch.tensor([0.1, -0.2, 0.1, 0.2])
    seen = torch.rand(COUNT, 2, generator=torch.Generator().manual_seed(2)) - 0.5
    miss = unknowns.landmark_miss(0, seen)
    assert miss is not None
    x, y = seen.T
    model_x, model_y = unknowns._in_model(0, x, y)
    slope = math.tan(math.radians(MODEL.poses.fov))
    points = MODEL.landmarks.points(unknowns.z_of(0))[0] if MODEL.landmarks else POINTS
    from stylesdf_core.rendering.rays import cam2world

    matrix = cam2world(*unknowns.angles[:1].T)[0]
    own = miss + torch.stack([model_x, model_y], dim=-1)
    rays = torch.stack([slope * own[:, 0], -slope * own[:, 1], -torch.ones(COUNT)], dim=-1)
    rays = rays @ matrix[:, :3].T
    off = torch.linalg.cross(points - matrix[:, 3], rays, dim=-1)
    assert float(off.detach().abs().max()) < 1e-5
    assert Unknowns(tiny_model(), MODEL.generator, [view(seen)]).landmark_miss(0, seen) is None


def test_landmarks_follow_a_correction_of_the_framing() -> None:
    seen = torch.tensor([[0.2, -0.1], [0.5, 0.4]])
    before = view(seen).landmarks_in_picture()
    correction = Similarity(0.1, 0.2, 0.1, 0.3)
    after = view(seen).reframed(correction).landmarks_in_picture()
    assert before is not None
    assert after is not None
    torch.testing.assert_close(after, correction.of(before))


def test_a_fit_moves_the_heads_landmarks_to_the_photographs() -> None:
    moved = (POINTS + 1.5 * SLOPES[0])[:, :2] * torch.tensor([1.0, -1.0])
    target = moved / math.tan(math.radians(MODEL.poses.fov))
    fit = Fit(MODEL, MODEL.generator, [view(target)], effort=0.2)
    before = float(fit._off_landmarks(0).detach())
    for progress in fit.run():
        if progress.message != "finding the pose":
            break
    assert float(fit._off_landmarks(0).detach()) < 0.6 * before
