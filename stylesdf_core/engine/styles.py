"""From a scene's identity, morph, mixing and truncation to w and the decoder's styles.

This is the engine's first step. Then ``field/baked_field.py`` folds w into the field's weights, and
``decoder/baked_decoder.py`` the decoder's styles into the decoder's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from stylesdf_core.engine.compiled.device_graphs import DeviceGraphs
from stylesdf_core.errors import InputError
from stylesdf_core.model.config import DECODER_W_DIM
from stylesdf_core.model.latents.latents import (
    LatentDirection,
    Space,
    apply_edits,
    mix_groups,
    resolve_edits,
    seed_to_z,
    slerp,
)
from stylesdf_core.model.model import Model
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.scene.animation import InBetween
from stylesdf_core.scene.scene import Identity, Mixing, Morph, Scene

FloatArray = npt.NDArray[np.float32]
_UNMIXED = Mixing()


@dataclass(frozen=True)
class Styles:
    """The latents of one scene, inputs of the two networks.

    Attributes:
        w: (1, z_dim), the renderer's w, truncated; (1, film_layers, z_dim) where a second style is
            mixed into the field's layers or a fit has given them offsets.
        decoder: (1, n_latent, 512), the decoder's styles, truncated and mixed; None for a
            renderer-only model.
    """

    w: Tensor
    decoder: Tensor | None

    @cached_property
    def of_field(self) -> bytes:
        """The part on which the field depends; equal where the field is.

        Read once: a GPU's host waits for it.
        """
        return self.w.cpu().numpy().tobytes()

    @cached_property
    def of_shape(self) -> bytes:
        """The part on which signed distances depend: all of the field but its view layer."""
        if self.w.dim() == 2:
            return self.of_field
        trunk = self.w[0, :-1]
        same = bool((trunk == trunk[0]).all())
        return (trunk[:1] if same else trunk).cpu().numpy().tobytes()


class StyleMapper:
    """Maps scenes of one model to styles; remembers the styles of the last scene.

    Args:
        generator: the model's generator, on ``device``.
        graphs: of the device; styles are mapped anew whenever something has been compiled.
    """

    def __init__(
        self,
        model: Model,
        generator: Generator,
        device: torch.device,
        graphs: DeviceGraphs | None = None,
    ) -> None:
        self._model, self._graphs = model, graphs
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
                    f"model {self._model.name} needs {self._generator.config.z_dim}."
                )
            z = np.asarray(identity.z, dtype=np.float32)
        else:
            z = seed_to_z(identity.seed, self._generator.config.z_dim)
        if mixing.seed is not None:
            other = seed_to_z(mixing.seed, self._generator.config.z_dim)
            if mixing.groups:
                z = mix_groups(z, other, mixing.groups, self._model.directions)
        return self._with_z_edits(z, identity)

    def _with_z_edits(self, z: FloatArray, identity: Identity) -> FloatArray:
        return apply_edits(z, identity.edits, self._model.directions) if identity.edits else z

    @torch.no_grad()
    def styles(self, scene: Scene) -> Styles:
        """w and the decoder's styles, both truncated.

        Truncation pulls w towards the mean w. The truncated w enters the decoder's mapping, whose
        output is pulled towards the mean output of that mapping.
        """
        key = (scene.of_styles, 0 if self._graphs is None else self._graphs.compiled)
        if self._styles is None or self._styles[0] != key:
            if isinstance(scene, InBetween):
                self._styles = (key, self._blended(scene))
            else:
                self._styles = (key, self._make_styles(scene))
        return self._styles[1]

    def _blended(self, scene: InBetween) -> Styles:
        """The styles of a face between two others."""
        first, second = scene.first, scene.second
        if scene.space == "z":
            start, end = (self.z(face.identity, face.mixing) for face in (first, second))
            z = tuple(map(float, slerp(start, end, scene.amount)))
            first, second = (self._with_z(face, z) for face in (first, second))
        one, other = self._make_styles(first), self._make_styles(second)
        layers = max(one.w.dim(), other.w.dim())  # of w by layer, one is broadcast to the other
        one_w, other_w = (w if w.dim() == layers else w[:, None] for w in (one.w, other.w))
        w = one_w + scene.amount * (other_w - one_w)
        if one.decoder is None or other.decoder is None:
            return Styles(w, None)
        return Styles(w, torch.lerp(one.decoder, other.decoder, scene.amount))

    def _with_z(self, face: Scene, z: tuple[float, ...]) -> Scene:
        """The face with another z, which holds its edits and mixed groups of z already."""
        identity, mixing = face.identity, face.mixing
        edits = resolve_edits(identity.edits, self._model.directions)
        others = tuple((d.name, value) for d, value in edits if d.space != "z")
        if mixing.groups:
            strengths = mixing.layer_strengths(self._generator.config.n_latent)
            mixing = replace(mixing, groups=(), strengths=strengths)
        return replace(face, identity=replace(identity, z=z, edits=others), mixing=mixing)

    def _make_styles(self, scene: Scene) -> Styles:
        psi, config, mixing = scene.truncation_psi, self._generator.config, scene.mixing
        edits = scene.identity.edits
        w = self._w(scene.identity, scene.morph, mixing)
        w = other_w = self._truncated(self._edited(w, self._mean_w, edits, "w"), psi)
        if mixing.seed is not None:
            other_w = self._truncated(self._w(Identity(mixing.seed), Morph()), psi)
        share = psi * (1.0 if scene.morph.seed is None else 1.0 - scene.morph.amount)
        offsets = scene.identity.offsets
        field_w = _shifted(w, offsets.of_field(config.film_layers, config.z_dim), share)
        strengths = mixing.film_strengths(config.film_layers)
        if any(strengths):
            field_w = self._by_layer(field_w, other_w, strengths)
        decoder = self._generator.decoder
        if decoder is None or self._mean_decoder is None:
            return Styles(field_w, None)
        mean = self._mean_decoder
        own = other = self._edited(decoder.map(w), mean, edits, "decoder")  # (1, 512)
        if mixing.seed is not None:
            other = decoder.map(other_w)
        own, other = (mean + psi * (x - mean) for x in (own, other))
        own = _shifted(own, offsets.of_decoder(config.n_latent, DECODER_W_DIM), share)
        return Styles(field_w, self._by_layer(own, other, mixing.layer_strengths(config.n_latent)))

    @torch.no_grad()
    def direction_values(self, scene: Scene) -> dict[str, float]:
        """Where a scene's first identity lies on each direction, in standard deviations, by name.

        An edited direction has the edit's value, any other the seed's own.
        """
        identity, directions = scene.identity, self._model.directions
        edited = {d.name: x for d, x in resolve_edits(identity.edits, directions)}
        z, spaces = self.z(identity), {d.space for d in directions}
        latents = {} if spaces <= {"z"} else {"w": self._map(z)}
        means = {"w": self._mean_w}
        decoder = self._generator.decoder
        if "decoder" in spaces and decoder is not None and self._mean_decoder is not None:
            w = self._edited(latents["w"], self._mean_w, identity.edits, "w")
            latents["decoder"] = decoder.map(self._truncated(w, scene.truncation_psi))
            means["decoder"] = self._mean_decoder
        values = {d.name: float(z[d.dimension]) for d in directions if d.space == "z"}
        for d in directions:
            if d.space in latents:
                values[d.name] = float(_coordinate(latents[d.space] - means[d.space], d))
        return values | edited

    def _edited(
        self, latent: Tensor, mean: Tensor, edits: Sequence[tuple[str, float]], space: Space
    ) -> Tensor:
        """``latent`` (1, C), moved along the directions of a space to the values of edits."""
        for direction, value in resolve_edits(edits, self._model.directions) if edits else ():
            if direction.space == space:
                distance = value - _coordinate(latent - mean, direction)
                latent = latent + distance * direction.deviation * _axis(direction, latent)
        return latent

    def _w(self, identity: Identity, morph: Morph, mixing: Mixing = _UNMIXED) -> Tensor:
        """The renderer's w, (1, z_dim), untruncated and without edits along directions of w.

        A morph edits the z of both of its identities.
        """
        z = self.z(identity, mixing)
        if morph.seed is None:
            return self._map(z)
        other = Identity(morph.seed, None, identity.edits)
        if morph.space == "z":
            middle = slerp(z, self.z(other), morph.amount)
            return self._map(self._with_z_edits(middle, identity))
        return torch.lerp(self._map(z), self._map(self.z(other)), morph.amount)

    def _map(self, z: FloatArray) -> Tensor:
        w: Tensor = self._generator.mapping(torch.from_numpy(z)[None].to(self._device))
        return w

    def _truncated(self, w: Tensor, psi: float) -> Tensor:
        return self._mean_w + psi * (w - self._mean_w)

    def _by_layer(self, own: Tensor, other: Tensor, strengths: tuple[float, ...]) -> Tensor:
        """``own`` moved towards ``other`` (1, C) by each layer's strength, (1, layers, C).

        Args:
            own: (1, C) or (1, layers, C).
        """
        weights = torch.tensor(strengths, device=self._device)[None, :, None]
        own = own if own.dim() == 3 else own[:, None]
        return own + weights * (other[:, None] - own)


def _shifted(style: Tensor, offsets: FloatArray | None, share: float) -> Tensor:
    """A style (1, C), or (1, layers, C) with a share of the layers' offsets added."""
    if offsets is None:
        return style
    return style[:, None] + share * torch.from_numpy(offsets).to(style)


def _axis(direction: LatentDirection, latent: Tensor) -> Tensor:
    """The direction's unit vector, (C,).

    Raises:
        InputError: the latent (1, C) has another length.
    """
    if len(direction.axis) != latent.shape[-1]:
        raise InputError(
            f"The direction {direction.name} has {len(direction.axis)} coordinates; "
            f"this model's latent has {latent.shape[-1]}."
        )
    return torch.tensor(direction.axis, dtype=latent.dtype, device=latent.device)


def _coordinate(centred: Tensor, direction: LatentDirection) -> Tensor:
    """Coordinate of a latent less its mean, (1, C), along a direction, standard deviations."""
    return (centred @ _axis(direction, centred))[0] / direction.deviation
