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
from stylesdf_core.model.latents import apply_edits, mix_groups, seed_to_z, slerp
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene

FloatArray = npt.NDArray[np.float32]
_UNMIXED = Mixing()


@dataclass(frozen=True)
class Styles:
    """The latents of one scene, inputs of the two networks.

    Attributes:
        w: (1, z_dim), the renderer's w, truncated; (1, film_layers, z_dim) where a second style is
            mixed into the field's layers.
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

    def z(self, identity: Identity, mixing: Mixing = _UNMIXED) -> FloatArray:
        """z of an identity, (z_dim,): groups of the second identity's latents, then the edits.

        Raises:
            InputError: the explicit z has the wrong length, or a group or direction is unknown.
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
        if mixing.seed is not None:
            other = seed_to_z(mixing.seed, self._generator.config.z_dim)
            z = mix_groups(z, other, mixing.groups, self._directions)
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
        psi, config, mixing = scene.truncation_psi, self._generator.config, scene.mixing
        w = other_w = self._truncated(self._w(scene.identity, scene.morph, mixing), psi)
        if mixing.seed is not None:
            other_w = self._truncated(self._w(Identity(mixing.seed), Morph()), psi)
        field_w = w
        strengths = mixing.film_strengths(config.film_layers)
        if any(strengths):
            field_w = self._by_layer(w, other_w, strengths)
        decoder = self._generator.decoder
        if decoder is None or self._mean_decoder is None:
            return Styles(field_w, None)
        mean = self._mean_decoder
        own, other = (mean + psi * (decoder.map(x) - mean) for x in (w, other_w))  # (1, 512)
        return Styles(field_w, self._by_layer(own, other, mixing.layer_strengths(config.n_latent)))

    def _w(self, identity: Identity, morph: Morph, mixing: Mixing = _UNMIXED) -> Tensor:
        """The renderer's w, (1, z_dim), untruncated; a morph edits both of its identities."""
        z = self.z(identity, mixing)
        if morph.seed is None:
            return self._map(z)
        other = Identity(morph.seed, None, identity.edits)
        if morph.space == "z":
            middle = slerp(z, self.z(other), morph.amount)
            return self._map(apply_edits(middle, identity.edits, self._directions))
        return torch.lerp(self._map(z), self._map(self.z(other)), morph.amount)

    def _map(self, z: FloatArray) -> Tensor:
        w: Tensor = self._generator.mapping(torch.from_numpy(z)[None].to(self._device))
        return w

    def _truncated(self, w: Tensor, psi: float) -> Tensor:
        return self._mean_w + psi * (w - self._mean_w)

    def _by_layer(self, own: Tensor, other: Tensor, strengths: tuple[float, ...]) -> Tensor:
        """``own`` (1, C) moved towards ``other`` by each layer's strength, (1, layers, C)."""
        weights = torch.tensor(strengths, device=self._device)[None, :, None]
        return own[:, None] + weights * (other - own)[:, None]
