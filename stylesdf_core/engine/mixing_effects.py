"""How much each control of style mixing changes a model's pictures, in grey levels.

A decoder that was trained on a finished field may hardly look at its styles; then its layers are
controls without effect. The window measures a model once and says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.model.latents import group_names
from stylesdf_core.scene.scene import Identity, Mixing, Scene, View

#: First and second seeds of the faces that are compared.
_PAIRS = ((1, 2), (11, 20))
#: A change below this many of 255 grey levels, on average over the picture, counts as none.
VISIBLE_CHANGE = 1.0


@dataclass(frozen=True)
class MixingEffects:
    """Mean changes of a picture by each control at full strength, grey levels of 255.

    Attributes:
        groups: (name, change) pairs of the groups of named latents.
        field: change by each FiLM layer of the field.
        decoder: change by each decoder layer.
        crossover: change by all decoder layers together.
    """

    groups: tuple[tuple[str, float], ...]
    field: tuple[float, ...]
    decoder: tuple[float, ...]
    crossover: float

    @staticmethod
    def is_visible(change: float) -> bool:
        """Whether a change, grey levels, counts."""
        return change >= VISIBLE_CHANGE

    def is_visible_bar(self, bar: int) -> bool:
        """Whether a layer changes anything: the field's layers first, then the decoder's."""
        return self.is_visible((*self.field, *self.decoder)[bar])

    def without_effect(self) -> list[str]:
        """The controls that change less than :data:`VISIBLE_CHANGE`, in words."""
        names = [name for name, change in self.groups if change < VISIBLE_CHANGE]
        if self.decoder and self.crossover < VISIBLE_CHANGE:
            names += ["crossover", "all decoder layers"]
            layers = {"field layer": self.field}
        else:
            layers = {"field layer": self.field, "decoder layer": self.decoder}
        for word, changes in layers.items():
            weak = [str(i) for i, change in enumerate(changes) if change < VISIBLE_CHANGE]
            names += [f"{word}{'s' if len(weak) > 1 else ''} {', '.join(weak)}"] if weak else []
        return names


def measure_mixing(engine: Engine) -> Iterator[MixingEffects | None]:
    """Measure a model's controls; yields None after each picture, and the result at last.

    Groups and field layers are compared in volume renders, decoder layers in decoded images.
    """
    config, names = engine.config, group_names(engine.model.directions)
    film, count = config.film_layers, config.n_latent
    mixings: list[tuple[View, Mixing]] = [
        *(("volume", Mixing(groups=((name, 1.0),))) for name in names),
        *(("volume", Mixing(field_strengths=_one_of(film, i))) for i in range(film)),
        *(("image", Mixing(strengths=_one_of(count, i))) for i in range(count)),
    ]
    if count:
        mixings.append(("image", Mixing(strengths=(1.0,) * count)))
    changes = np.zeros(len(mixings))
    for first, second in _PAIRS:
        plain = {view: engine.render(_scene(first), view) for view in {v for v, _ in mixings}}
        yield None
        for index, (view, mixing) in enumerate(mixings):
            mixed = engine.render(_scene(first, mixing, second), view)
            difference = np.abs(mixed.display() - plain[view].display()).mean()
            changes[index] += 255.0 * float(difference) / len(_PAIRS)
            yield None
    found = [float(change) for change in changes]
    groups, rest = found[: len(names)], found[len(names) :]
    yield MixingEffects(
        groups=tuple(zip(names, groups, strict=True)),
        field=tuple(rest[:film]),
        decoder=tuple(rest[film : film + count]),
        crossover=rest[-1] if count else 0.0,
    )


def _one_of(count: int, index: int) -> tuple[float, ...]:
    return tuple(float(i == index) for i in range(count))


def _scene(first: int, mixing: Mixing | None = None, second: int | None = None) -> Scene:
    if mixing is None:
        return Scene(identity=Identity(first))
    mixing = Mixing(second, 0, mixing.strengths, mixing.groups, mixing.field_strengths)
    return Scene(identity=Identity(first), mixing=mixing)
