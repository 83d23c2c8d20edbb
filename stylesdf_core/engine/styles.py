"""From a scene's identity, morph, mixing and truncation to w and the decoder's styles.

This is the engine's first step; the latents are then folded into the networks' weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylesdf_core.errors import InputError
from stylesdf_core.model.latents import apply_edits, seed_to_z, slerp
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene

FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Styles:
    """The latents of one scene, inputs of the two networks.

    Attributes:
        w: (1, z_dim), the renderer's w, truncated.
        decoder: (1, n_latent, 512), the decoder's styles, truncated and mixed; None for a
            renderer-only model.
    """

    w: Tensor
    decoder: Tensor | None


class StyleMapper:
    """Maps scenes of one model to styles; remembers the styles of the last scene.

    Args:
        generator: the model's generator, on ``device``.
    """

    def __init__(self, model: Model, generator: Generator, device: torch.device) -> None:
        self._name, self._directions = model.name, model.directions
        self._generator, self._device = generator, device
        self._mean_w = model.means.renderer.to(device)
        mean = model.means.decoder
        self._mean_decoder = None if mean is None else mean.to(device)
        self._styles: tuple[object, Styles] | None = None

    def z(self, identity: Identity) -> FloatArray:
        """z of an identity with its edits applied, (z_dim,).

        Raises:
            InputError: the explicit z has the wrong length, or a direction is unknown.
        """
        if identity.z is not None:
            if len(identity.z) != self._generator.config.z_dim:
                raise InputError(
                    f"The scene's z has {len(identity.z)} numbers; "
                    f"model {self._name} needs {self._generator.config.z_dim}."
                )
            z = np.asarray(identity.z, dtype=np.float32)
        else:
            z = seed_to_z(identity.seed, self._generator.config.z_dim)
        return apply_edits(z, identity.edits, self._directions)

    @torch.no_grad()
    def styles(self, scene: Scene) -> Styles:
        """w and the decoder's styles, both truncated.

        Truncation pulls w towards the mean w. The truncated w enters the decoder's mapping, whose
        output is pulled towards the mean output of that mapping.
        """
        key = (scene.identity, scene.morph, scene.mixing, scene.truncation_psi)
        if self._styles is None or self._styles[0] != key:
            self._styles = (key, self._make_styles(scene))
        return self._styles[1]

    def _make_styles(self, scene: Scene) -> Styles:
        psi = scene.truncation_psi
        w = self._truncated(self._w(scene.identity, scene.morph), psi)
        decoder = self._generator.decoder
        if decoder is None or self._mean_decoder is None:
            return Styles(w, None)
        mean = self._mean_decoder
        own = mean + psi * (decoder.map(w) - mean)  # (1, 512)
        layers = own[:, None].repeat(1, self._generator.config.n_latent, 1)
        if scene.mixing.seed is not None:
            other_w = self._truncated(self._w(Identity(scene.mixing.seed), Morph()), psi)
            other = mean + psi * (decoder.map(other_w) - mean)
            strengths = self._strengths(scene.mixing)
            layers = layers + strengths * (other[:, None] - layers)
        return Styles(w, layers)

    def _w(self, identity: Identity, morph: Morph) -> Tensor:
        """The renderer's w, (1, z_dim), untruncated; a morph edits both of its identities."""
        if morph.seed is None:
            return self._map(self.z(identity))
        other = Identity(morph.seed, None, identity.edits)
        if morph.space == "z":
            middle = slerp(self.z(identity), self.z(other), morph.amount)
            return self._map(apply_edits(middle, identity.edits, self._directions))
        return torch.lerp(self._map(self.z(identity)), self._map(self.z(other)), morph.amount)

    def _map(self, z: FloatArray) -> Tensor:
        w: Tensor = self._generator.mapping(torch.from_numpy(z)[None].to(self._device))
        return w

    def _truncated(self, w: Tensor, psi: float) -> Tensor:
        return self._mean_w + psi * (w - self._mean_w)

    def _strengths(self, mixing: Mixing) -> Tensor:
        strengths = mixing.layer_strengths(self._generator.config.n_latent)
        return torch.tensor(strengths, device=self._device)[None, :, None]
