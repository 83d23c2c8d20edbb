"""What the fit's phases measure on held-out heads, and the grids they leave in the run folder."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.heads.fit.data import HeadBank, ViewBatch
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.networks.generator import Generator, VolumeRender
from stylesdf_core.rendering.camera import focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.training.grids import save_grid
from stylesdf_core.training.losses import psnr

FOV = 6.0
SHOWN = 16


@torch.no_grad()
def render_views(generator: Generator, views: ViewBatch) -> VolumeRender:
    """Volume renders of the views at the generator's thumb size, one head at a time."""
    size = generator.config.thumb_size
    focal = focal_length(FOV, size)
    options = RenderOptions()
    parts = []
    for index in range(len(views.z)):
        chunk = slice(index, index + 1)
        cameras = cam2world(views.azimuth[chunk], views.elevation[chunk])
        w = generator.mapping(views.z[chunk])
        parts.append(generator.volume_render(w, cameras, focal, options))
    names = ("rgb", "features", "mask", "depth", "xyz", "scalar")
    return VolumeRender(**{n: torch.cat([getattr(part, n) for part in parts]) for n in names})


def evaluate_volume(generator: Generator, bank: HeadBank, samples: Path) -> dict[str, float]:
    """PSNR, silhouette IoU and depth error of volume renders; writes truth above render."""
    views = bank.held_out()
    render = render_views(generator, views)
    truth = views.thumbs(generator.config.thumb_size)
    save_grid([truth[:SHOWN], render.rgb[:SHOWN]], samples)
    record = {"psnr_thumb": psnr(render.rgb, truth)}
    seen = views.coverage(generator.config.thumb_size)  # (B, 1, H, W)
    drawn, real = render.mask < 0.5, seen > 0.5
    union = (drawn | real).sum(dim=(1, 2, 3)).clamp_min(1)
    record["iou"] = float(((drawn & real).sum(dim=(1, 2, 3)) / union).mean())
    return record


@torch.no_grad()
def evaluate_decoder(generator: Generator, bank: HeadBank, samples: Path) -> dict[str, float]:
    """PSNR of decoded images and of the bicubically enlarged 64², and relative sharpness."""
    views = bank.held_out()
    render = render_views(generator, views)
    images = decode(generator, views.z, render.features)
    truth = views.images
    enlarged = F.interpolate(render.rgb, truth.shape[-2:], mode="bicubic", antialias=True)
    save_grid([truth[:SHOWN], images[:SHOWN]], samples)
    return {
        "psnr_thumb": psnr(render.rgb, views.thumbs(generator.config.thumb_size)),
        "psnr": psnr(images.clamp(-1.0, 1.0), truth),
        "psnr_bicubic": psnr(enlarged.clamp(-1.0, 1.0), truth),
        "laplacian": sharpness(images) / sharpness(truth),
    }


def decode(generator: Generator, z: Tensor, features: Tensor) -> Tensor:
    """Decoded images (B, 3, S, S) with the stored noise, two at a time."""
    assert generator.decoder is not None
    styles = generator.broadcast_styles(generator.decoder.map(generator.mapping(z)))
    options = RenderOptions()
    parts = [
        generator.decode(features[i : i + 2], styles[i : i + 2], options)
        for i in range(0, len(z), 2)
    ]
    return torch.cat(parts)


def sharpness(images: Tensor) -> float:
    """Mean absolute Laplacian of images (B, C, H, W)."""
    centre = images[..., 1:-1, 1:-1]
    beside = images[..., 1:-1, :-2] + images[..., 1:-1, 2:]
    above = images[..., :-2, 1:-1] + images[..., 2:, 1:-1]
    return float((beside + above - 4.0 * centre).abs().mean())
