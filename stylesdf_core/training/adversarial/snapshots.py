"""Snapshots of a run: grids of fixed latents from eight sides, a mesh, and two distances.

The sliced Wasserstein distance between patches (Karras et al. 2018, Sec. 5) needs no network; the
checkpoint with the lowest is kept as the best. The Fréchet distance uses the short form of the
seeded features (:mod:`stylesdf_core.evaluation.frechet`): 48 numbers, whose covariance can be
estimated from 128 pictures. Neither distance is an FID, and with so few pictures both are larger
than with the thousands that `stylesdf-studio evaluate` takes.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.engine.styles import StyleMapper, Styles
from stylesdf_core.errors import EmptySurfaceError, InputError
from stylesdf_core.evaluation.frechet import Gaussian, SeededFeatures, frechet_distance
from stylesdf_core.mesh.formats import export_mesh
from stylesdf_core.mesh.surface import extract_surface
from stylesdf_core.model.config import RenderOptions
from stylesdf_core.model.model import Model, mean_latents
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import AZIMUTH_STD, focal_length
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.training.adversarial.draws import draw_fakes
from stylesdf_core.training.adversarial.real_images import RealImages
from stylesdf_core.training.adversarial.volume_terms import render_fakes
from stylesdf_core.training.grids import save_grid
from stylesdf_core.training.seeds import seeded

COLUMNS = 8
#: The outermost azimuths of the grids, in standard deviations of the training poses.
WIDEST = 2.0
_SHOWN, _COMPARED, _MESH = 101, 102, 48
_SMALLEST_SCALE = 16


class Snapshots:
    """Writes grids and meshes of a run's averaged generator.

    Args:
        poses: cameras of the run's generated images.
        seed: seed of the fixed latents.
        rows: latents in the grids.
        compared: number of generated and of real images compared; above 128², a quarter of it.
    """

    def __init__(self, poses: Poses, seed: int, *, rows: int = 4, compared: int = 128) -> None:
        self.poses, self.seed = poses, seed
        self.rows, self.compared = rows, compared
        self._features = SeededFeatures()
        self._true: dict[int, Gaussian] = {}

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
        device = generator.field.sigmoid_beta.device
        random = seeded(self.seed, _COMPARED)
        whole = generator.decoder is not None
        count = self.compared if generator.config.output_size <= 128 else self.compared // 4
        fakes = draw_fakes(random, count, generator.config, self.poses).to(device)
        parts = []
        for start in range(0, count, 4):
            mine = fakes[start : start + 4]
            w = generator.mapping(mine.z)
            render = render_fakes(generator, w, mine)
            if generator.decoder is None:
                parts.append(render.rgb.cpu())
            else:
                styles = generator.broadcast_styles(generator.decoder.map(w))
                parts.append(generator.decode(render.features, styles, RenderOptions()).cpu())
        batch = images.some(count)
        real, fake = batch.images() if whole else batch.thumbs(), torch.cat(parts)
        return {
            "swd": sliced_wasserstein(real, fake, random),
            "frechet": frechet_distance(self._true_gaussian(real), self._gaussian(fake)),
        }

    def _true_gaussian(self, real: Tensor) -> Gaussian:
        """Gaussian of the run's first held-out images, computed once."""
        if len(real) not in self._true:
            self._true[len(real)] = self._gaussian(real)
        return self._true[len(real)]

    def _gaussian(self, images: Tensor) -> Gaussian:
        features = self._features(images.clamp(-1.0, 1.0))
        return Gaussian.of(self._features.short(features))


def studio_styles(generator: Generator, z: Tensor) -> list[Styles]:
    """Latents of z (B, z_dim), each truncated as in the studio's scenes."""
    model = Model("", Path(), generator, mean_latents(generator), ())
    mapper = StyleMapper(model, generator, generator.field.sigmoid_beta.device)
    return [mapper.styles(Scene(identity=Identity(z=tuple(code)))) for code in z.tolist()]


def turned(generator: Generator, styles: list[Styles], poses: Poses) -> tuple[Tensor, Tensor]:
    """Each of B heads from eight azimuths: thumbs and full images, (8·B, 3, S, S), on the CPU."""
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
    return torch.cat(thumbs), torch.cat(full or thumbs)


def write_mesh(generator: Generator, w: Tensor, path: Path) -> float:
    """A coarse mesh of the SDF of w (1, z_dim) as PLY; returns its number of triangles."""
    device = w.device

    def sdf(
        points: np.ndarray[tuple[int, ...], np.dtype[np.float32]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        values = generator.field.scalar(torch.from_numpy(points).to(device)[None], w)
        return values[0, :, 0].cpu().numpy()

    try:
        mesh = drain(extract_surface(sdf, resolution=_MESH))
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
