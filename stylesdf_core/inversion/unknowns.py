"""The unknowns of a fit as tensors with gradients, and the scene that they make.

A person is a z and offsets of the styles of all layers; a photograph adds a pose, a light and a
framing. What z can express stays in z, so that the model's sliders work on the result.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stylesdf_core.inversion.picture import Lattice, PhotoView, Similarity
from stylesdf_core.model.config import DECODER_W_DIM
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.rendering.camera import MAX_ELEVATION, OrbitCamera
from stylesdf_core.rendering.rays import cam2world
from stylesdf_core.scene.offsets import StyleOffsets, encoded
from stylesdf_core.scene.scene import Identity, Scene

_LIGHT = "light"
#: Steps from z = 0 to the z of the mean face, and how much that z is held near 0: numbers of z that
#: hardly move w would otherwise go far.
_MEAN_STEPS, _MEAN_RATE, _MEAN_HOLD = 200, 0.05, 0.03


class Unknowns:
    """What is fitted.

    Attributes:
        z: (z_dim,).
        light: (P, L), the numbers of z in the model's group ``light``, one row a photograph; L is 0
            for a single photograph, and for models without such a group.
        angles: (P, 2), azimuth and elevation, radians.
        framing: (P, 4), numbers of a :class:`Similarity`: where the model's picture lies in the
            square that is compared.
        field: (film_layers, z_dim), offsets of the field's w.
        decoder: (n_latent, 512), offsets of the decoder's styles.
        start: (z_dim,), the z of the mean face.
    """

    def __init__(self, model: Model, generator: Generator, views: Sequence[PhotoView]) -> None:
        config, device = generator.config, generator.field.sigmoid_beta.device
        self._model, self._generator = model, generator
        self.start = _mean_z(model, generator)
        named = [d.dimension for d in model.named if d.space == "z" and d.group == _LIGHT]
        self._lit = torch.tensor(named if len(views) > 1 else [], dtype=torch.long, device=device)
        self.z = self.start.clone()
        self.light = self.start[self._lit].repeat(len(views), 1)
        self.angles = torch.tensor([view.angles for view in views], device=device)
        self.framing = torch.zeros(len(views), 4, device=device)
        self.field = torch.zeros(config.film_layers, config.z_dim, device=device)
        self.decoder = torch.zeros(config.n_latent, DECODER_W_DIM, device=device)
        for tensor in (self.z, self.light, self.angles, self.framing, self.field, self.decoder):
            tensor.requires_grad_()

    def z_of(self, photo: int) -> Tensor:
        """z under the light of a photograph, (1, z_dim)."""
        return self.z.index_copy(0, self._lit, self.light[photo])[None]

    def field_styles(self, photo: int) -> Tensor:
        """The w of each of the field's layers, (1, film_layers, z_dim)."""
        w: Tensor = self._generator.mapping(self.z_of(photo))
        return w[:, None] + self.field

    def decoder_styles(self, photo: int) -> Tensor:
        """The decoder's styles, (1, n_latent, 512)."""
        assert self._generator.decoder is not None
        w = self._generator.decoder.map(self._generator.mapping(self.z_of(photo)))
        return w[:, None] + self.decoder

    def rays(self, photo: int, lattice: Lattice) -> tuple[Tensor, Tensor, Tensor]:
        """Origins, directions and view directions (edge², 3) through a photograph's pixels."""
        x, y = self._in_model(photo, *lattice.points(self.z.device))
        slope = self._slope
        in_camera = torch.stack([slope * x, -slope * y, -torch.ones_like(x)], dim=-1)
        matrix = cam2world(*self.angles[photo : photo + 1].T)[0]
        directions = in_camera @ matrix[:, :3].T
        return matrix[:, 3].expand_as(directions), directions, F.normalize(in_camera, dim=-1)

    def landmark_miss(self, photo: int, seen: Tensor) -> Tensor | None:
        """From the photograph's landmarks to the head's, (51, 2) in the model's picture.

        None for models whose landmarks are not known.

        Args:
            seen: (51, 2), in the picture that is compared.
        """
        if self._model.landmarks is None:
            return None
        points = self._model.landmarks.points(self.z_of(photo))[0]
        matrix = cam2world(*self.angles[photo : photo + 1].T)[0]
        x, y, z = ((points - matrix[:, 3]) @ matrix[:, :3]).T
        own = torch.stack([x, -y], dim=-1) / (-self._slope * z)[:, None]
        miss: Tensor = own - torch.stack(self._in_model(photo, *seen.T), dim=-1)
        return miss

    @property
    def _slope(self) -> float:
        return float(np.tan(np.radians(self._model.poses.fov)))

    def _in_model(self, photo: int, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """From the picture that is compared to the model's picture."""
        move_x, move_y, growth, roll = self.framing[photo]
        scale, cos, sin = growth.exp(), roll.cos(), roll.sin()
        return scale * (cos * x - sin * y) + move_x, scale * (sin * x + cos * y) + move_y

    def take_framing(self, photo: int) -> Similarity:
        """The framing of a photograph, which is neutral from now on."""
        taken = Similarity(*self.framing[photo].tolist())
        with torch.no_grad():
            self.framing[photo] = 0.0
        return taken

    @torch.no_grad()
    def scene(self, model: str, photo: int = 0) -> Scene:
        """The scene that shows the person as a photograph does.

        Args:
            model: the scene's model.
        """
        azimuth, elevation = self.angles[photo].tolist()
        elevation = min(MAX_ELEVATION, max(-MAX_ELEVATION, elevation))
        z = tuple(round(number, 5) for number in self.z_of(photo)[0].clamp(-100, 100).tolist())
        field, decoder = (encoded(part.cpu().numpy()) for part in (self.field, self.decoder))
        camera = OrbitCamera(azimuth, elevation, self._model.poses.fov)
        return Scene(
            model=model,
            identity=Identity(z=z, offsets=StyleOffsets(field, decoder)),
            truncation_psi=1.0,
            camera=camera,
            model_digest=self._model.digest,
        )


def _mean_z(model: Model, generator: Generator) -> Tensor:
    """A z near 0 whose w is near the mean w, (z_dim,)."""
    target = model.means.renderer.to(generator.field.sigmoid_beta.device)
    z = torch.zeros_like(target, requires_grad=True)
    optimizer = torch.optim.Adam([z], lr=_MEAN_RATE)
    for _ in range(_MEAN_STEPS):
        miss = (generator.mapping(z) - target).square().mean() + _MEAN_HOLD * z.square().mean()
        optimizer.zero_grad()
        miss.backward()
        optimizer.step()
    return z.detach()[0]
