"""The Scene: everything a picture depends on, as one frozen, comparable, hashable value.

The studio's document, a saved session, the metadata of an exported file and a command's flags are
all this one dataclass. The engine draws it; as JSON it carries a format number.
"""

from __future__ import annotations

import json
import math
from collections.abc import Hashable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from stylesdf_core.dataclass_json import check_finite, from_json, to_json
from stylesdf_core.errors import InputError, StyleSDFError, check_range
from stylesdf_core.foreign import brief, cause, parse_json
from stylesdf_core.model.config import RenderOptions, check_seed
from stylesdf_core.model.model_zoo import absolute, trained_poses
from stylesdf_core.model.poses import FFHQ_POSES
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.offsets import StyleOffsets

View = Literal["image", "volume", "depth", "normals", "mesh", "direct", "slice", "inconsistency"]
VIEWS: tuple[View, ...] = get_args(View)
#: Views that the engine draws by itself, in passes from coarse to fine.
ENGINE_VIEWS: tuple[View, ...] = ("image", "volume", "depth", "normals", "direct")
#: Maps of the surface: shown over a backdrop, and rendered finer once the camera rests.
SURFACE_VIEWS: frozenset[View] = frozenset({"depth", "normals"})
SHIPPED_MODEL = "heads"
_FORMAT = 1
_LARGEST_Z = 100.0


@dataclass(frozen=True)
class Identity:
    """The person: a seed or an explicit z, and values along directions that replace its own.

    Attributes:
        seed: 0 to 2³² − 1.
        z: z_dim numbers instead of the seed's z, −100 to 100, or None.
        edits: (direction name, value) pairs, values in standard deviations; kept sorted.
        offsets: what a fit to photographs adds to the styles of this z; it stays where z is
            edited.
    """

    seed: int = 0
    z: tuple[float, ...] | None = None
    edits: tuple[tuple[str, float], ...] = ()
    offsets: StyleOffsets = field(default_factory=StyleOffsets)

    def __post_init__(self) -> None:
        check_seed(self.seed)
        check_finite(self)
        # z is standard normal; where it is huge, the networks' numbers overflow.
        if largest := max((abs(x) for x in self.z or () if abs(x) > _LARGEST_Z), default=None):
            raise InputError(f"z holds {largest:g}; its numbers lie between -100 and 100.")
        for name, value in self.edits:
            if not math.isfinite(value):
                raise InputError(f"{name} must be a finite number, not {value}.")
        object.__setattr__(self, "edits", tuple(sorted(dict(self.edits).items())))

    def edited(self, name: str, value: float | None) -> Identity:
        """The identity with one direction set to ``value``; None resets it to the seed's value."""
        edits = {k: v for k, v in self.edits if k != name}
        if value is not None:
            edits[name] = value
        return replace(self, edits=tuple(edits.items()))


@dataclass(frozen=True)
class Mixing:
    """Style mixing: parts of a second identity in the first.

    With ``crossover`` or ``strengths`` alone, the field, hence the shape, follows the first
    identity, as in the paper.

    Attributes:
        seed: seed of the second identity; None for no mixing.
        crossover: first decoder layer that takes the second style, 0 to n_latent; counts only
            while the other fields are empty.
        strengths: weight of the second style in each decoder layer, 0 to 1.
        groups: (name, weight) pairs, weights 0 to 1: how far the first identity's latents of a
            group, such as hair, are replaced by the second identity's; kept sorted.
        field_strengths: weight of the second style in each FiLM layer of the field, 0 to 1: the
            trunk's layers, which make the shape, then the view layer, which colours the surface.
    """

    seed: int | None = None
    crossover: int = 3
    strengths: tuple[float, ...] = ()
    groups: tuple[tuple[str, float], ...] = ()
    field_strengths: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        check_finite(self)
        if self.seed is not None:
            check_seed(self.seed, "the second identity's seed")
        weights = (*self.strengths, *self.field_strengths, *(weight for _, weight in self.groups))
        for weight in weights:
            check_range("A style mixing strength", weight, 0, 1)
        object.__setattr__(self, "groups", tuple(sorted(dict(self.groups).items())))

    @property
    def of_field(self) -> Mixing:
        """The part on which the field, hence the shape, depends; equal where the field is."""
        if self.seed is None or not (self.groups or self.field_strengths):
            return Mixing()
        return Mixing(self.seed, groups=self.groups, field_strengths=self.field_strengths)

    @property
    def by_crossover(self) -> bool:
        """Whether ``crossover`` counts."""
        return not (self.strengths or self.groups or self.field_strengths)

    def layer_strengths(self, n_latent: int) -> tuple[float, ...]:
        """The second style's weight in each of ``n_latent`` layers.

        Raises:
            InputError: ``strengths`` or ``crossover`` does not fit this model.
        """
        if self.seed is None:
            return (0.0,) * n_latent
        if self.strengths:
            if len(self.strengths) != n_latent:
                raise InputError(
                    f"Style mixing has {len(self.strengths)} strengths; "
                    f"this model's decoder has {n_latent} layers."
                )
            return self.strengths
        if not self.by_crossover:
            return (0.0,) * n_latent
        if not 0 <= self.crossover <= n_latent:
            raise InputError(
                f"Crossover {self.crossover} is out of range; "
                f"this model's decoder has layers 0 to {n_latent}."
            )
        return tuple(float(layer >= self.crossover) for layer in range(n_latent))

    def film_strengths(self, layers: int) -> tuple[float, ...]:
        """The second style's weight in each of the field's ``layers`` FiLM layers.

        Raises:
            InputError: ``field_strengths`` does not fit this model.
        """
        if self.seed is None or not self.field_strengths:
            return (0.0,) * layers
        if len(self.field_strengths) != layers:
            raise InputError(
                f"Style mixing has {len(self.field_strengths)} field strengths; "
                f"this model's field has {layers} FiLM layers."
            )
        return self.field_strengths


@dataclass(frozen=True)
class Morph:
    """Interpolation of the identity, shape included, towards another seed.

    Attributes:
        seed: seed of the other identity; None for no interpolation.
        amount: 0 is the first identity, 1 the other identity.
        space: ``w`` interpolates w linearly, ``z`` interpolates z along the great circle.
    """

    seed: int | None = None
    amount: float = 0.5
    space: Literal["z", "w"] = "w"

    def __post_init__(self) -> None:
        check_finite(self)
        if self.seed is not None:
            check_seed(self.seed, "the morph's seed")
        check_range("The amount of a morph", self.amount, 0, 1)


@dataclass(frozen=True)
class Scene:
    """A face, a camera and how to render them.

    Attributes:
        model: a name of the model zoo, a weights file, or a run folder.
        truncation_psi: distance from the mean face: 0 is the mean face, 1 the untruncated face;
            −2 to 2.
        model_digest: digest of the weights that the scene was made with; empty if not known. It
            changes no picture, so it is not compared.
    """

    model: str = SHIPPED_MODEL
    identity: Identity = field(default_factory=Identity)
    morph: Morph = field(default_factory=Morph)
    mixing: Mixing = field(default_factory=Mixing)
    truncation_psi: float = 0.7
    camera: OrbitCamera = field(default_factory=OrbitCamera)
    options: RenderOptions = field(default_factory=RenderOptions)
    model_digest: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_finite(self)
        check_range("truncation ψ", self.truncation_psi, -2, 2)

    @classmethod
    def of_model(cls, model: str = SHIPPED_MODEL) -> Scene:
        """The scene that a model begins with: its camera is the front of the model's training.

        Of a model in a file, only the file's header is read. A model that cannot be read keeps the
        default camera; whoever loads it is told why.
        """
        poses = None
        with suppress(StyleSDFError):
            poses = trained_poses(model)
        return cls(model, camera=(poses or FFHQ_POSES).front)

    @property
    def of_styles(self) -> Hashable:
        """The part on which the latents of field and decoder depend; equal where they are."""
        return (self.identity, self.morph, self.mixing, self.truncation_psi)

    @property
    def of_field(self) -> Hashable:
        """The part on which the field depends, hence shape and colours of the surface."""
        return (self.identity, self.morph, self.mixing.of_field, self.truncation_psi)

    def to_json(self) -> str:
        """One line of JSON that :meth:`from_json` reads back to an equal Scene.

        A model's path becomes absolute, so that the session can be opened from another folder.
        """
        document: dict[str, Any] = {"stylesdf_scene": _FORMAT, **to_json(self)}
        document["model"] = absolute(self.model)
        return json.dumps(document, ensure_ascii=True, allow_nan=False)

    @classmethod
    def from_json(cls, text: str, where: str = "scene") -> Scene:
        """Parse a session's text; otherwise as :meth:`from_document`."""
        try:
            document = parse_json(text.encode())
        except ValueError as error:
            raise InputError(f"{where} is not JSON: {cause(error)}.") from error
        return cls.from_document(document, where)

    @classmethod
    def from_document(cls, document: Any, where: str = "scene") -> Scene:
        """The scene of a session's parsed JSON document.

        Args:
            where: how messages name the source.

        Raises:
            InputError: the text is no scene, of a newer program, or has a wrong field.
        """
        if not isinstance(document, dict) or "stylesdf_scene" not in document:
            raise InputError(f"{where} is not a StyleSDF Studio session.")
        fields = dict(document)
        fields.pop("animation", None)  # read by :mod:`.animation`
        version = fields.pop("stylesdf_scene")
        if version != _FORMAT:
            raise InputError(f"{where} was saved by a newer program (format {brief(version)}).")
        return from_json(cls, fields, where)
