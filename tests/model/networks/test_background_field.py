"""The field behind the volume: its rays, what shows of it, and files that keep it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.model.checkpoints.checkpoints import (
    load_checkpoint,
    read_architecture,
    save_published,
    save_safetensors,
)
from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.model.networks.film_siren import FieldOutput
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.rendering.inverted_sphere import (
    SPHERE_RADIUS,
    inverse_radii,
    inverted_points,
)
from stylesdf_core.rendering.rays import make_rays
from stylesdf_core.rendering.volume_rendering import Behind, composite, composite_behind
from tests.models import tiny_generator

RADIUS, HEAD, BEHIND = 0.05, 0.75, (0.1, 0.6, 0.3)
CAMERA = OrbitCamera(0.4, -0.2)


def camera(view: OrbitCamera) -> Tensor:
    return torch.from_numpy(view.cam2world()).float()[None]


def sphere_before_a_colour(*, density: float | None = None) -> Generator:
    """A sphere of one colour before a background of another; or fog of one density."""
    generator = tiny_generator(background="sphere", field="sdf", samples=24)
    width = generator.config.width

    def field(points: Tensor, viewdirs: Tensor, w: Tensor) -> FieldOutput:
        distance = points.norm(dim=-1, keepdim=True) - RADIUS
        color = torch.full_like(points, HEAD).logit()
        return FieldOutput(distance, color, distance.new_full((*distance.shape[:2], width), 2.0))

    def background(origins: Tensor, directions: Tensor, w: Tensor) -> Behind:
        color = torch.tensor(BEHIND).expand(*origins.shape[:2], 3)
        return Behind(color, origins.new_full((*origins.shape[:2], width), -1.0))

    generator.field.forward = field  # type: ignore[method-assign]
    assert generator.background is not None
    generator.background.forward = background  # type: ignore[method-assign]
    generator.field.sigmoid_beta.data.fill_(1e-4)
    if density is not None:
        fog: Callable[[Tensor], Tensor] = lambda scalar: torch.full_like(scalar, density)  # noqa: E731
        generator.sigma = fog  # type: ignore[method-assign]
    return generator


def test_rays_run_from_the_sphere_to_infinity() -> None:
    rays = make_rays(camera(CAMERA), CAMERA.focal(8), 8)
    places = inverted_points(rays.origins, rays.directions, inverse_radii(5, rays.origins))
    direction, inverse = places[..., :3], places[..., 3]
    torch.testing.assert_close(direction.norm(dim=-1), torch.ones(1, 8, 8, 5))
    torch.testing.assert_close(inverse[0, 4, 4], torch.tensor([1.0, 0.75, 0.5, 0.25, 0.0]))
    unit = rays.directions / rays.directions.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(direction[..., -1, :], unit)
    points = direction[..., :-1, :] * (SPHERE_RADIUS / inverse[..., :-1, None])
    offset = points - rays.origins[..., None, :]
    along = (offset * unit[..., None, :]).sum(dim=-1, keepdim=True) * unit[..., None, :]
    torch.testing.assert_close(offset, along, atol=2e-6, rtol=1e-5)  # on the rays
    assert (offset.norm(dim=-1) > 1.12).all()  # behind the volume


def test_the_sphere_holds_what_training_cameras_see() -> None:
    rays = make_rays(camera(CAMERA), CAMERA.focal(8), 8)
    far = rays.origins + rays.directions * 1.12
    assert float(far.norm(dim=-1).max()) < SPHERE_RADIUS


def test_rays_beside_the_sphere_begin_nearest_to_it_without_a_seam() -> None:
    beside = torch.linspace(0.9, 1.1, 201)[:, None] * SPHERE_RADIUS * torch.tensor([[1.0, 0, 0]])
    origins = beside + torch.tensor([0.0, 0.0, 1.0])
    rays = torch.tensor([0.0, 0.0, -1.0]).expand_as(origins)
    places = inverted_points(origins, rays, inverse_radii(4, origins))
    torch.testing.assert_close(places[..., :3].norm(dim=-1), torch.ones(201, 4))
    assert float(places[..., 3].max()) <= 1.0 + 1e-6
    assert float((places[1:] - places[:-1]).abs().max()) < 0.06
    torch.testing.assert_close(places[-1, 0, :3], torch.tensor([1.0, 0.0, 0.0]), atol=1e-3, rtol=0)


def test_an_opaque_sample_hides_those_behind_it_and_the_last_takes_the_rest() -> None:
    raw = torch.tensor([[-100.0, 100.0, 5.0], [-100.0, -100.0, -100.0]])
    logits = torch.tensor([0.2, 0.5, 0.9]).logit()[:, None].expand(2, 3, 3)
    seen = composite_behind(raw, logits, torch.eye(3).expand(2, 3, 3))
    torch.testing.assert_close(seen.rgb[:, 0], torch.tensor([0.5, 0.9]))
    torch.testing.assert_close(seen.features, torch.eye(3)[1:])


def test_what_the_samples_leave_shows_what_is_behind() -> None:
    weights = torch.tensor([[0.25, 0.5]])
    logits, features = torch.tensor([[[0.0], [0.0]]]).expand(1, 2, 3), torch.ones(1, 2, 4)
    points = torch.tensor([[[0.0, 0.0, 0.1], [0.0, 0.0, -0.1]]])
    seen = Behind(torch.tensor([[0.0, 1.0, 0.5]]), -torch.ones(1, 4))
    whole = composite(weights, logits, features, points, torch.tensor([0.9, 1.1]), seen)
    torch.testing.assert_close(whole.mask, torch.tensor([0.25]))
    expected = 2.0 * (0.75 * 0.5 + 0.25 * seen.rgb) - 1.0
    torch.testing.assert_close(whole.rgb, expected)
    torch.testing.assert_close(whole.features, torch.full((1, 4), 0.5))
    torch.testing.assert_close(whole.depth, torch.tensor([(0.25 * 0.9 + 0.5 * 1.1) / 0.75]))


@pytest.mark.parametrize("forced", [True, False])
def test_a_sphere_before_a_colour_in_closed_form(forced: bool) -> None:
    generator, size = sphere_before_a_colour(), 32
    options = RenderOptions(force_background=forced, samples=128)
    matrix, focal = camera(CAMERA), CAMERA.focal(size)
    w = torch.zeros(1, 256)
    with torch.no_grad():
        render = generator.volume_render(w, matrix, focal, options, resolution=size)
    rays = make_rays(matrix, focal, size)
    unit = rays.directions / rays.directions.norm(dim=-1, keepdim=True)
    b = (rays.origins - (rays.origins * unit).sum(-1, keepdim=True) * unit).norm(dim=-1)[0]
    inside, outside = b < RADIUS - 2e-3, b > RADIUS + 2e-3
    opacity = 1.0 - render.mask[0, 0]
    assert float(opacity[inside].min()) > 0.999
    assert float(opacity[outside].max()) < 1e-3
    hit, missed = (0.5 * render.rgb[0] + 0.5)[:, inside], (0.5 * render.rgb[0] + 0.5)[:, outside]
    torch.testing.assert_close(hit, torch.full_like(hit, HEAD), atol=1e-3, rtol=0)
    expected = torch.tensor(BEHIND)[:, None].expand_as(missed)
    torch.testing.assert_close(missed, expected, atol=1e-3, rtol=0)
    assert render.behind is not None
    whole = 2.0 * torch.tensor(BEHIND)[:, None, None].expand(3, size, size) - 1.0
    torch.testing.assert_close(render.behind[0], whole)
    features = render.features[0, 0]
    torch.testing.assert_close(features, 3.0 * opacity - 1.0, atol=1e-4, rtol=0)


def test_fog_lets_through_what_its_optical_depth_says() -> None:
    """exp(−σ·length), over as many intervals as samples: the last one is as long as the others."""
    density, size = 5.0, 8
    generator = sphere_before_a_colour(density=density)
    with torch.no_grad():
        render = generator.volume_render(
            torch.zeros(1, 256),
            camera(CAMERA),
            CAMERA.focal(size),
            RenderOptions(),
            resolution=size,
        )
    length = 0.24 * make_rays(camera(CAMERA), CAMERA.focal(size), size).directions.norm(dim=-1)
    torch.testing.assert_close(render.mask[:, 0], torch.exp(-density * length), atol=1e-5, rtol=0)


def test_wide_views_show_the_background_beside_the_volume() -> None:
    generator, view = tiny_generator(background="sphere"), OrbitCamera(fov=18.0, pan_x=0.1)
    with torch.no_grad():
        render = generator.volume_render(
            torch.zeros(1, 256), camera(view), view.focal(32), RenderOptions(), resolution=32
        )
    assert render.behind is not None
    corner = render.mask[0, 0] > 1.0 - 1e-6
    assert corner[:, 0].all()
    torch.testing.assert_close(render.rgb[0][:, corner], render.behind[0][:, corner])


def test_without_a_background_weights_and_pictures_stay_as_they_are() -> None:
    """The second field is drawn last, so that the others have the weights of a model without."""
    plain, other = tiny_generator(), tiny_generator(background="sphere")
    assert plain.background is None
    state = other.state_dict()
    assert all(torch.equal(value, state[key]) for key, value in plain.state_dict().items())
    assert {key.split(".")[0] for key in state.keys() - plain.state_dict().keys()} == {"background"}


def test_gradients_reach_every_weight_of_the_background() -> None:
    generator = tiny_generator(background="sphere").requires_grad_(True)
    render = generator.volume_render(
        torch.randn(2, 256), camera(CAMERA).expand(2, -1, -1), CAMERA.focal(16), RenderOptions()
    )
    (render.rgb.square().mean() + render.features.square().mean()).backward()
    assert generator.background is not None
    for name, parameter in generator.background.named_parameters():
        assert parameter.grad is not None, name
        assert float(parameter.grad.abs().max()) > 0.0, name


def test_own_files_keep_it_and_the_published_layout_refuses_it(tmp_path: Path) -> None:
    generator, path = tiny_generator(background="sphere"), tmp_path / "own.safetensors"
    save_safetensors(generator, path, means=True)
    assert read_architecture(path) == generator.config
    loaded = load_checkpoint(path).generator
    assert loaded.config.background == "sphere"
    theirs = loaded.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in generator.state_dict().items())
    with pytest.raises(InputError, match=r"no field behind the volume, .*background: sphere"):
        save_published(generator, tmp_path / "own.pt")
    assert not (tmp_path / "own.pt").exists()
    with pytest.raises(InputError, match="background must be none or sphere, not 'box'"):
        replace(GeneratorConfig(), background="box")  # type: ignore[arg-type]
