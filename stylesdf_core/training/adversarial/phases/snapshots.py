"""Snapshots of a run: grids of fixed latents from eight sides, a mesh, and two distances.

The Fréchet distance, by which the best checkpoint is chosen, uses the short form of the seeded
features (:mod:`stylesdf_core.evaluation.metrics.frechet`): 48 numbers, whose covariance a
thousand pictures determine. The sliced Wasserstein distance between patches (Karras et al. 2018,
Sec. 5) needs no network, but all pictures at once, so that it is of few. Neither is an FID, and
both are larger than with the thousands that `stylesdf-studio evaluate` takes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.styles import StyleMapper, Styles
from stylesdf_core.errors import EmptySurfaceError, InputError
from stylesdf_core.evaluation.metrics.frechet import (
    FloatArray,
    Gaussian,
    SeededFeatures,
    frechet_distance,
)
from stylesdf_core.evaluation.reports.grids import save_grid
from stylesdf_core.mesh.files.formats import export_mesh
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.latents.mean_latents import mean_latents
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import AZIMUTH_STD, focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.seeds import seeded
from stylesdf_core.training.adversarial.batches.draws import draw_fakes
from stylesdf_core.training.adversarial.batches.real_images import RealBatch, RealImages
from stylesdf_core.training.adversarial.terms.volume import drawn_fakes

COLUMNS = 8
#: The outermost azimuths of the grids, in standard deviations of the training poses.
WIDEST = 2.0
_SHOWN, _COMPARED, _MESH = 101, 102, 48
_SMALLEST_SCALE = 16
#: Images generated at a time, and images whose patches are compared, up to 128² and above.
_CHUNK, _PATCHED, _FEWER = 4, 128, 32


class Snapshots:
    """Writes grids and meshes of a run's averaged generator.

    Args:
        poses: cameras of the run's generated images.
        seed: seed of the fixed latents.
        rows: latents in the grids.
    """

    def __init__(self, poses: Poses, seed: int, *, rows: int = 4) -> None:
        self.poses, self.seed = poses, seed
        self.rows = rows
        self._features = SeededFeatures()
        self._true: Gaussian | None = None

    @torch.no_grad()
    def write(
        self, generator: Generator, path: Path, images: RealImages | None = None
    ) -> dict[str, float]:
        """Write ``path`` (full size), ``…-thumb.png`` and ``….ply``; measure both distances.

        Returns:
            ``mesh_triangles``, 0 where the field has no surface; with ``images`` also ``swd``,
            ``frechet`` and, if any, ``damaged_images``: images that cannot be read.
        """
        z = torch.randn(self.rows, generator.config.z_dim, generator=seeded(self.seed, _SHOWN))
        styles = studio_styles(generator, z)
        thumbs, full = turned(generator, styles, self.poses)
        save_grid([full], path, columns=COLUMNS)
        save_grid([thumbs], path.with_name(f"{path.stem}-thumb.png"), columns=COLUMNS)
        record: dict[str, float] = {}
        if generator.config.field == "sdf":
            record["mesh_triangles"] = write_mesh(generator, styles[0].w, path.with_suffix(".ply"))
        if images is not None:
            record |= self._distances(generator, images)
            if images.damaged:
                record["damaged_images"] = float(len(images.damaged))
        return record

    def _distances(self, generator: Generator, images: RealImages) -> dict[str, float]:
        """Distances of decoded images (of thumbs, without a decoder) rendered as in training."""
        whole = generator.decoder is not None
        random = seeded(self.seed, _COMPARED)
        count, few = images.compare, _PATCHED if generator.config.output_size <= 128 else _FEWER
        few = min(few, count)
        kept: list[Tensor] = []
        features = []
        for fake in self._fakes(generator, count, random):
            features.append(self._short(fake))
            if len(kept) * _CHUNK < few:
                kept.append(fake)
        if self._true is None:
            known = min(count, len(images.held_out))
            parts = (images.some(min(_CHUNK, known - i), i) for i in range(0, known, _CHUNK))
            true = [self._short(_tensors(part, whole)) for part in parts]
            self._true = Gaussian.of(np.concatenate(true))
        real = _tensors(images.some(few), whole)
        return {
            "swd": sliced_wasserstein(real, torch.cat(kept)[:few], random),
            "frechet": frechet_distance(self._true, Gaussian.of(np.concatenate(features))),
        }

    def _fakes(self, generator: Generator, count: int, random: torch.Generator) -> Iterator[Tensor]:
        """``count`` generated images on the CPU, some at a time."""
        device = generator.field.sigmoid_beta.device
        fakes = draw_fakes(random, count, generator.config, self.poses)
        for start in range(0, count, _CHUNK):
            mine = fakes[start : start + _CHUNK].to(device)
            w = generator.mapping(mine.z)
            render = drawn_fakes(generator, w, mine)
            if generator.decoder is None:
                yield render.rgb.cpu()
            else:
                styles = generator.broadcast_styles(generator.decoder.map(w))
                yield generator.decode(render.features, styles, RenderOptions()).cpu()

    def _short(self, images: Tensor) -> FloatArray:
        return self._features.short(self._features(images.clamp(-1.0, 1.0)))


def _tensors(batch: RealBatch, whole: bool) -> Tensor:
    return batch.images() if whole else batch.thumbs()


def studio_styles(generator: Generator, z: Tensor) -> list[Styles]:
    """Latents of z (B, z_dim), each truncated as in the studio's scenes."""
    model = Model("", Path(), generator, mean_latents(generator), ())
    mapper = StyleMapper(model, generator, generator.field.sigmoid_beta.device)
    return [mapper.styles(Scene(identity=Identity(z=tuple(code)))) for code in z.tolist()]


def turned(generator: Generator, styles: list[Styles], poses: Poses) -> tuple[Tensor, Tensor]:
    """Each of B heads from eight azimuths: thumbs and full images, (8·B, 3, S, S), on the CPU.

    A model that was trained through patches takes long for full images: the first head has them.
    """
    options = RenderOptions()
    focal = focal_length(poses.fov, generator.config.thumb_size)
    widest = WIDEST * (poses.azimuth_std or AZIMUTH_STD)
    thumbs, full = [], []
    for head in styles:
        for azimuth in torch.linspace(-widest, widest, COLUMNS, device=head.w.device):
            camera = cam2world(azimuth[None], torch.zeros_like(azimuth)[None])
            render = generator.volume_render(head.w, camera, focal, options, trained_fov=None)
            thumbs.append(render.rgb.cpu())
            if head.decoder is not None:
                full.append(generator.decode(render.features, head.decoder, options).cpu())
            elif generator.config.is_direct and head is styles[0]:
                full.append(from_patches(generator, head.w, camera, focal, options).cpu())
    return torch.cat(thumbs), torch.cat(full or thumbs)


def from_patches(
    generator: Generator, w: Tensor, camera: Tensor, focal: float, options: RenderOptions
) -> Tensor:
    """A volume render of the image's size (1, 3, S, S), patch by patch."""
    count = generator.config.output_size // generator.config.thumb_size
    centres = [(2 * i + 1) / count - 1.0 for i in range(count)]

    def patch(x: float, y: float) -> Tensor:
        place = w.new_tensor([[x, y, 1.0 / count]])
        return generator.volume_render(
            w, camera, focal, options, trained_fov=None, patches=place
        ).rgb

    rows = [torch.cat([patch(x, y) for x in centres], dim=3) for y in centres]
    return torch.cat(rows, dim=2)


def write_mesh(generator: Generator, w: Tensor, path: Path) -> float:
    """A coarse mesh of the SDF of w (1, z_dim) as PLY; returns its number of triangles."""
    device = w.device

    def sdf(
        points: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        values = generator.field.scalar(torch.from_numpy(points).to(device)[None], w)
        return values[0, :, 0].cpu().numpy()

    try:
        mesh = drain(extract_surface(sdf, resolution=_MESH, level=generator.surface_scalar))
    except (EmptySurfaceError, InputError):
        return 0.0
    export_mesh(mesh, path)
    return float(len(mesh.faces))


def sliced_wasserstein(real: Tensor, fake: Tensor, random: torch.Generator) -> float:
    """Sliced Wasserstein distance of 7×7 patches, mean over scales, ×1000; lower is better.

    Each scale has half the resolution of the scale before; the last has at least 16 pixels.

    Args:
        real, fake: (B, 3, H, W), equally many.
        random: draws the patches' places and 128 directions.
    """
    distances: list[Tensor] = []
    while not distances or real.shape[-1] >= 2 * _SMALLEST_SCALE:
        if distances:
            real, fake = F.avg_pool2d(real, 2), F.avg_pool2d(fake, 2)
        edge = min(7, real.shape[-1])
        corners = torch.randint(real.shape[-1] - edge + 1, (64, 2), generator=random).tolist()
        directions = torch.randn(3 * edge * edge, 128, generator=random)
        directions = directions / directions.norm(dim=0)
        projected = []
        for images in (real, fake):
            patches = [images[..., y : y + edge, x : x + edge].flatten(1) for y, x in corners]
            projected.append((torch.cat(patches) @ directions / math.sqrt(3.0)).sort(dim=0).values)
        distances.append((projected[0] - projected[1]).abs().mean())
    return 1000.0 * float(torch.stack(distances).mean())
