"""The plain path: the network's own modules; the bench compares the engine's time and pixels.

The plain path prepares nothing and keeps nothing between calls: every call computes FiLM's styles
in every layer, every sample of every ray is evaluated, and a mesh evaluates every grid point.
"""

from __future__ import annotations

import copy

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.mesh.sdf_grid import VOLUME_BOUNDS, SdfGrid
from stylesdf_core.mesh.surface import SurfaceMesh, mesh_grid
from stylesdf_core.model.latents.latents import apply_edits, seed_to_z
from stylesdf_core.model.model import Model, select_device
from stylesdf_core.model.networks.generator import VolumeRender
from stylesdf_core.progress import drain
from stylesdf_core.rendering.surface_noise import ShownSurface
from stylesdf_core.scene.scene import Identity, Scene

FloatArray = npt.NDArray[np.float32]
#: Grid points evaluated at once; a whole grid would need many gigabytes.
_SLAB_POINTS = 1 << 17


class ReferencePath:
    """Draws scenes of one model with the plain modules; scenes without style mixing.

    Args:
        device: auto, cpu, cuda or mps.
    """

    def __init__(self, model: Model, device: str = "auto") -> None:
        self.model = model
        self.device = select_device(device)
        on_cpu = self.device.type == "cpu"
        self.generator = model.generator if on_cpu else copy.deepcopy(model.generator)
        self.generator = self.generator.to(self.device)
        self.config = self.generator.config

    def volume(self, scene: Scene) -> VolumeRender:
        """Volume render of one scene, at the model's thumb size."""
        return self._volume(scene, self._w(scene))

    def volume_picture(self, scene: Scene) -> FloatArray:
        """Colours of the volume render, (3, H, W) in [−1, 1]."""
        return _array(self.volume(scene).rgb)

    def image(self, scene: Scene) -> FloatArray:
        """The decoded image, (3, S, S) nominally in [−1, 1]; mapping, volume render, decoder."""
        w = self._w(scene)
        volume = self._volume(scene, w)
        return self._decode(scene, w, volume.features, self._surface(scene, w, volume))

    def decoded(self, scene: Scene, features: Tensor) -> FloatArray:
        """The decoder alone, styles included: features (1, width, H, W) -> (3, S, S)."""
        return self._decode(scene, self._w(scene), features, None)

    @torch.inference_mode()
    def mesh(self, scene: Scene, resolution: int) -> SurfaceMesh:
        """Marching cubes of the field at every one of ``resolution``³ points of the volume.

        Raises:
            EmptySurfaceError: the field has no surface.
        """
        w = self._w(scene)
        lower, upper = VOLUME_BOUNDS
        axes = [np.linspace(lower[i], upper[i], resolution, dtype=np.float32) for i in range(3)]
        points = torch.from_numpy(np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1))
        slabs = points.view(1, -1, 3).split(_SLAB_POINTS, dim=1)
        scalars = [self.generator.field.scalar(slab.to(self.device), w).cpu() for slab in slabs]
        values = torch.cat(scalars, dim=1).view(points.shape[:3]).numpy()
        grid = SdfGrid(values, np.ones_like(values, np.bool_), lower, upper)
        return drain(mesh_grid(grid, level=self.generator.surface_scalar))

    @torch.inference_mode()
    def _volume(self, scene: Scene, w: Tensor) -> VolumeRender:
        return self.generator.volume_render(
            w, *self._camera(scene), scene.options, trained_fov=self.model.poses.fov
        )

    def _camera(self, scene: Scene) -> tuple[Tensor, float]:
        """cam2world, (1, 3, 4), and focal length, pixels of the volume render."""
        matrix = torch.from_numpy(scene.camera.cam2world()).float()[None].to(self.device)
        return matrix, scene.camera.focal(self.config.thumb_size)

    @torch.inference_mode()
    def _surface(self, scene: Scene, w: Tensor, volume: VolumeRender) -> ShownSurface | None:
        """What noise on the surface needs; None for other noise."""
        if scene.options.noise != "surface":
            return None
        camera, fov = self._camera(scene), self.model.poses.fov
        return self.generator.shown_surface(volume, w, *camera, trained_fov=fov)

    @torch.inference_mode()
    def _decode(
        self, scene: Scene, w: Tensor, features: Tensor, surface: ShownSurface | None
    ) -> FloatArray:
        decoder, mean = self.generator.decoder, self.model.means.decoder
        if decoder is None or mean is None:
            raise InputError(
                f"Model {self.model.name} has no decoder, so it makes no image to measure; "
                "choose a model with a decoder."
            )
        mean = mean.to(self.device)
        w_decoder = mean + scene.truncation_psi * (decoder.map(w) - mean)
        styles = self.generator.broadcast_styles(w_decoder)
        return _array(self.generator.decode(features, styles, scene.options, surface))

    @torch.inference_mode()
    def _w(self, scene: Scene) -> Tensor:
        """The renderer's truncated w, (1, z_dim)."""
        if scene.mixing.seed is not None or scene.morph.space != "w":
            raise InputError("The plain path draws no style mixing and no morph in z.")
        w = self._map(scene.identity)
        if scene.morph.seed is not None:
            other = self._map(Identity(scene.morph.seed, None, scene.identity.edits))
            w = torch.lerp(w, other, scene.morph.amount)
        mean = self.model.means.renderer.to(self.device)
        return mean + scene.truncation_psi * (w - mean)

    def _map(self, identity: Identity) -> Tensor:
        z = seed_to_z(identity.seed, self.config.z_dim)
        if identity.z is not None:
            z = np.asarray(identity.z, np.float32)
        z = apply_edits(z, identity.edits, self.model.directions)
        w: Tensor = self.generator.mapping(torch.from_numpy(z)[None].to(self.device))
        return w


def enlarged(image: FloatArray, size: int) -> FloatArray:
    """A picture (3, S, S) resampled to ``size``² as ``render --size`` does it."""
    data = torch.from_numpy(image)[None]
    data = F.interpolate(data, size=(size, size), mode="bicubic", antialias=True)
    return data[0].clamp(-1.0, 1.0).numpy()


def _array(batch: Tensor) -> FloatArray:
    array: FloatArray = batch[0].float().cpu().numpy()
    return array
