"""The fit's figures of held-out heads, and the sample grids in the run folder."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.reports.grids import save_grid
from stylesdf_core.heads.fit.bank import VIEW_FOV, HeadBank, ViewBatch
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.latents.mean_latents import mean_latents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator, VolumeRender
from stylesdf_core.rendering.camera import OrbitCamera, focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.training.losses import laplacian, psnr


@torch.no_grad()
def render_views(generator: Generator, views: ViewBatch) -> VolumeRender:
    """Volume renders of the views at the generator's thumb size, one head at a time."""
    focal = focal_length(VIEW_FOV, generator.config.thumb_size)
    parts = []
    for index in range(len(views.z)):
        one = slice(index, index + 1)
        cameras = cam2world(views.azimuth[one], views.elevation[one])
        w = generator.mapping(views.z[one])
        parts.append(generator.volume_render(w, cameras, focal, RenderOptions()))
    names = ("rgb", "features", "mask", "depth", "xyz", "scalar")
    return VolumeRender(**{n: torch.cat([getattr(part, n) for part in parts]) for n in names})


def evaluate_volume(generator: Generator, bank: HeadBank, samples: Path) -> dict[str, float]:
    """PSNR and silhouette IoU of volume renders; writes a grid of truth above render."""
    views, size = bank.held_out(), generator.config.thumb_size
    render, truth = render_views(generator, views), views.thumbs(size)
    save_grid([truth, render.rgb], samples)
    drawn, real = render.mask < 0.5, views.coverage(size) > 0.5  # (B, 1, H, W)
    union = (drawn | real).sum(dim=(1, 2, 3)).clamp_min(1)
    iou = float(((drawn & real).sum(dim=(1, 2, 3)) / union).mean())
    return {"psnr_thumb": psnr(render.rgb, truth), "iou": iou}


@torch.no_grad()
def evaluate_decoder(generator: Generator, bank: HeadBank, samples: Path) -> dict[str, float]:
    """PSNR of decoded images and of the bicubically enlarged render, and relative sharpness.

    Writes a grid of truth above image.
    """
    assert generator.decoder is not None
    views = bank.held_out()
    render, truth = render_views(generator, views), views.images
    styles = generator.broadcast_styles(generator.decoder.map(generator.mapping(views.z)))
    pairs = zip(render.features.split(2), styles.split(2), strict=True)  # as memory allows
    images = torch.cat([generator.decode(*pair, RenderOptions()) for pair in pairs])
    enlarged = F.interpolate(render.rgb, truth.shape[-2:], mode="bicubic", antialias=True)
    save_grid([truth, images], samples)
    return {
        "psnr_thumb": psnr(render.rgb, views.thumbs(generator.config.thumb_size)),
        "psnr": psnr(images.clamp(-1.0, 1.0), truth),
        "psnr_bicubic": psnr(enlarged.clamp(-1.0, 1.0), truth),
        "laplacian": float(laplacian(images).abs().mean() / laplacian(truth).abs().mean()),
    }


@torch.no_grad()
def evaluate_direct(generator: Generator, bank: HeadBank, samples: Path) -> dict[str, float]:
    """PSNR of direct views, of the images' size; writes a grid of truth above view."""
    views = bank.held_out()
    truth = views.images.cpu()
    model = Model("", Path(), generator, mean_latents(generator), ())
    engine = Engine(model, views.z.device.type, exact=True)
    shown = []
    for z, azimuth, elevation in zip(views.z, views.azimuth, views.elevation, strict=True):
        camera = OrbitCamera(float(azimuth), float(elevation), VIEW_FOV)
        scene = Scene(identity=Identity(z=tuple(z.tolist())), camera=camera, truncation_psi=1.0)
        shown.append(torch.from_numpy(engine.direct(scene, truth.shape[-1]).data))
    pictures = torch.stack(shown)
    save_grid([truth, pictures], samples)
    return {"psnr": psnr(pictures.clamp(-1.0, 1.0), truth)}
