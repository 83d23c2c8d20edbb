"""The bench's full-size model: the published architecture, fitted to one head-like shape.

The published weights may not be shipped. A field with random weights has no surface, so the
engine could skip no sample of it. A short supervised fit gives the field the properties of
published fields: one solid with |∇d| ≈ 1 and a thin shell of density. The decoder keeps seeded
random weights, on which its time does not depend.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass
from typing import cast

import torch
from torch import Tensor, nn

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint, save_safetensors
from stylesdf_core.model.config import GeneratorConfig, RenderOptions
from stylesdf_core.model.latents.mean_latents import MeanLatents, mean_latents
from stylesdf_core.model.model import Model, select_device
from stylesdf_core.model.model_zoo import cache_folder
from stylesdf_core.model.networks.decoder import StyledConv, ToRGB
from stylesdf_core.model.networks.film_siren import FilmSiren
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.rendering.camera import VOLUME_RADIUS, OrbitCamera
from stylesdf_core.seeds import seeded_weights

#: Version of the fit, to be raised with every change of its result.
_VERSION = 1
#: Width of the density's transition, world units. The published models end below 3e-3, a third of
#: the spacing of 24 samples; a wider transition would leave the engine fewer samples to skip than
#: real models do.
SIGMOID_BETA = 0.002
#: Identities in one step of the fit.
_STYLES = 4
#: Half edge of the fitted cube, world units: rays of turned cameras leave the volume's cube, and
#: nothing may appear there.
_OUTER = 0.17
#: Distances beyond this limit, world units, need not be exact.
_LIMIT = 0.06
#: Influence of w on the field, as a share of a fresh network's; small, since all identities get one
#: shape.
_STYLE_SHARE = 0.15
#: Standard deviation of the decoded pictures' values, which lie in [−1, 1].
_PICTURE_SPREAD = 0.35
#: Truncation ψ of the fitted identities; the default of a scene.
_PSI = 0.7
_CPU = torch.device("cpu")


@dataclass(frozen=True)
class FitRecipe:
    """Settings of the fit, on which the cached field depends.

    Attributes:
        width, depth: the field's channels and trunk layers.
        steps: Adam's steps.
        points: points per step, half of them near the surface.
        learning_rate: highest rate, reached after a twentieth of the steps; falls to 0.
        seed: seed of weights and points.
    """

    width: int = 256
    depth: int = 8
    steps: int = 1000
    points: int = 2048
    learning_rate: float = 2e-4
    seed: int = 0

    @property
    def file_name(self) -> str:
        """Name in the cache, made of the fit's version and all settings."""
        return f"bench-{'-'.join(map(str, (_VERSION, *astuple(self))))}.safetensors"


PUBLISHED_SIZE = FitRecipe()


def bench_model(
    output_size: int, recipe: FitRecipe = PUBLISHED_SIZE, device: str = "cpu"
) -> Operation[Model]:
    """The fitted model with a decoder to ``output_size``² of the published widths, on the CPU.

    The field is fitted once, in under two minutes on two cores, and kept in the user's cache.

    Args:
        device: where to fit: auto, cpu, cuda or mps.

    Raises:
        InputError: there is no such device.
        OutputError: the cache cannot be written.
    """
    path = cache_folder() / recipe.file_name
    try:
        fitted = load_checkpoint(path).generator
    except StyleSDFError:  # the file is not there yet, or damaged
        fitted = yield from fit_field(recipe, select_device(device))
        save_safetensors(fitted, path)
    generator = _new_generator(recipe, output_size)
    generator.load_state_dict(fitted.state_dict(), strict=False)
    generator.eval().requires_grad_(False)
    means = mean_latents(generator)
    _calibrate(generator, means)
    return Model(f"full{output_size}", path, generator, means, ())


def fit_field(
    recipe: FitRecipe = PUBLISHED_SIZE, device: torch.device = _CPU
) -> Operation[Generator]:
    """A generator without decoder, on the CPU, that has :func:`head_distance` in every identity.

    Minimises the mean absolute error of distance and colour at random points. The points see w of
    random identities, truncated as in a default scene, so that the surface stays while a latent
    slides.
    """
    generator = _new_generator(recipe, 64)
    field = generator.field
    nn.init.constant_(field.sigmoid_beta, SIGMOID_BETA)
    generator.mapping.requires_grad_(False)
    mean_w = mean_latents(generator).renderer.to(device)
    generator.to(device)
    optimizer = torch.optim.Adam(
        [p for p in field.parameters() if p is not field.sigmoid_beta], lr=recipe.learning_rate
    )
    random = torch.Generator().manual_seed(recipe.seed)
    for step in range(recipe.steps):
        yield Progress(step, recipe.steps, "fitting the full-size field")
        with torch.no_grad():
            z = torch.randn(_STYLES, generator.config.z_dim, generator=random).to(device)
            w = mean_w + _PSI * (generator.mapping(z) - mean_w)
            points = _random_points(recipe, random).to(device)
            truth, color = head_distance(points), head_color(points)
        ahead = points.new_tensor([0.0, 0.0, -1.0]).expand_as(points)
        output = field(points, ahead, w)
        near = truth.abs() < _LIMIT
        bounded = truth.clamp(-_LIMIT, _LIMIT)
        # Beyond the limit, only a distance that is too small is an error.
        predicted = torch.where(near, output.scalar, output.scalar.clamp(-_LIMIT, _LIMIT))
        distance_error = (predicted - bounded).abs()
        color_error = (torch.sigmoid(output.rgb) - color).abs().mean(dim=-1, keepdim=True)
        loss = 40.0 * distance_error.mean() + (near * color_error).mean()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(field.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = recipe.learning_rate * _rate(step, recipe.steps)
        optimizer.step()
    return generator.cpu().eval().requires_grad_(False)


def head_distance(points: Tensor) -> Tensor:
    """Signed distance (…, 1) to a bald head of joined spheres on a neck, world units.

    The spheres' distances are exact and joined smoothly, so |∇d| is at most 1 and close to it;
    furrows 0.0008 deep give detail finer than a coarse grid's cells. The neck leaves the volume
    through its floor, as the published models' necks do.
    """
    skull = _sphere(points, (0.0, 0.022, -0.006), 0.066)
    face = _sphere(points, (0.0, -0.014, 0.018), 0.046)
    chin = _sphere(points, (0.0, -0.044, 0.034), 0.018)
    nose = _sphere(points, (0.0, -0.004, 0.066), 0.010)
    ears = _sphere(points.abs(), (0.066, 0.006, 0.004), 0.013)
    below = torch.stack([points[..., 0], (points[..., 1] + 0.03).clamp_min(0.0), points[..., 2]])
    neck = below.norm(dim=0)[..., None] - 0.034
    head = _joined(_joined(_joined(skull, face, 0.02), chin, 0.015), nose, 0.008)
    head = _joined(_joined(head, ears, 0.008), neck, 0.02)
    furrows = torch.sin(250.0 * points).prod(dim=-1, keepdim=True)
    return head + 0.0008 * furrows


def head_color(points: Tensor) -> Tensor:
    """Colour in [0, 1] (…, 3): skin below, a darker cap above, grey away from the head."""
    blend = torch.sigmoid((points[..., 1:2] - 0.045 + 0.5 * points[..., 2:3]) / 0.006)
    patches = 0.06 * torch.sin(90.0 * points)
    skin = points.new_tensor([0.82, 0.62, 0.52]) + patches
    cap = points.new_tensor([0.25, 0.18, 0.15]) + patches
    return torch.lerp(skin, cap, blend)


def _sphere(points: Tensor, centre: tuple[float, float, float], radius: float) -> Tensor:
    distance: Tensor = (points - points.new_tensor(centre)).norm(dim=-1, keepdim=True) - radius
    return distance


def _joined(a: Tensor, b: Tensor, radius: float) -> Tensor:
    """Union whose crease is rounded over ``radius``."""
    overlap = (radius - (a - b).abs()).clamp_min(0.0)
    return torch.minimum(a, b) - overlap.square() / (4.0 * radius)


def _random_points(recipe: FitRecipe, random: torch.Generator) -> Tensor:
    """(styles, points / styles, 3): one half near the surface, the other all over the volume."""
    count = recipe.points // 2
    pool = (2.0 * torch.rand(16 * count, 3, generator=random) - 1.0) * _OUTER
    distance = head_distance(pool).abs()[:, 0]
    near = distance.topk(count, largest=False).indices
    both = torch.cat([pool[near], pool[:count]])
    order = torch.randperm(len(both), generator=random)
    return both[order].view(_STYLES, -1, 3)


def _rate(step: int, steps: int) -> float:
    rise = min(1.0, (step + 1) / (0.05 * steps))
    return rise * 0.5 * (1.0 + math.cos(math.pi * step / steps))


def _new_generator(recipe: FitRecipe, output_size: int) -> Generator:
    config = GeneratorConfig(width=recipe.width, depth=recipe.depth, output_size=output_size)
    with seeded_weights(recipe.seed):
        generator = Generator(config)
    field = generator.field
    with torch.no_grad():
        # Smooth to begin with: half the frequencies, a small change about a sphere's distance.
        cast(nn.Linear, field.trunk[0].linear).weight.mul_(0.5)
        field.scalar_head.weight.mul_(0.1)
        field.scalar_head.bias.fill_(VOLUME_RADIUS / 4.0)
        for layer in (*field.trunk, field.view_layer):
            for style in (cast(FilmSiren, layer).gamma, cast(FilmSiren, layer).beta):
                style.weight.mul_(_STYLE_SHARE)
    return generator


@torch.no_grad()
def _calibrate(generator: Generator, means: MeanLatents) -> None:
    """Scale the untrained toRGBs, so that pictures fill [−1, 1] and PSNR has its usual meaning."""
    decoder = generator.decoder
    if decoder is None or means.decoder is None:
        return
    options = RenderOptions(noise="none")
    matrix = torch.from_numpy(OrbitCamera().cam2world()).float()[None]
    size = 16  # enough to see how large the features are
    focal = OrbitCamera().focal(size)
    volume = generator.volume_render(means.renderer, matrix, focal, options, resolution=size)
    styles = generator.broadcast_styles(means.decoder)
    spread = generator.decode(volume.features, styles, options).std()
    for rgb in decoder.to_rgbs:
        cast(ToRGB, rgb).conv.weight.mul_(_PICTURE_SPREAD / spread)
    for conv in decoder.convs:
        cast(StyledConv, conv).noise_strength.fill_(0.1)
