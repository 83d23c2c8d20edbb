"""How much each control of style mixing changes a model's pictures, in grey levels.

A decoder that was trained on a finished field may hardly look at its styles; then its layers are
controls without effect. The window measures a model once and says so.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.model.latents.latents import group_names
from stylesdf_core.scene.scene import Identity, Mixing, Scene, View

#: First and second seeds of the faces that are compared.
_PAIRS = ((1, 2), (11, 20))
#: Edge of the volume renders, pixels.
_VOLUME_SIZE = 32
#: A change below this many of 255 grey levels, on average over the head, counts as none.
VISIBLE_CHANGE = 1.0


@dataclass(frozen=True)
class MixingEffects:
    """Changes by each control at full strength, grey levels of 255, averaged over the head.

    Attributes:
        groups: (name, change) pairs of the groups of named latents.
        field: change by each FiLM layer of the field.
        decoder: change by each decoder layer; zeros where ``crossover`` is not visible.
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

    Groups and field layers are compared in small volume renders, decoder layers in images, and
    single decoder layers only if all of them together change something.
    """
    config, names = engine.config, group_names(engine.model.directions)
    film, count = config.film_layers, config.n_latent
    groups = yield from _changes(engine, "volume", [Mixing(groups=((n, 1.0),)) for n in names])
    field = yield from _changes(
        engine, "volume", [Mixing(field_strengths=_one_of(film, i)) for i in range(film)]
    )
    whole = [Mixing(strengths=(1.0,) * count)] if count else []
    crossover = sum((yield from _changes(engine, "image", whole)))
    decoder = [0.0] * count
    if crossover >= VISIBLE_CHANGE:
        layers = [Mixing(strengths=_one_of(count, i)) for i in range(count)]
        decoder = yield from _changes(engine, "image", layers)
    yield MixingEffects(
        tuple(zip(names, groups, strict=True)), tuple(field), tuple(decoder), crossover
    )


def _changes(
    engine: Engine, view: View, mixings: Sequence[Mixing]
) -> Generator[None, None, list[float]]:
    """Change of a view by each mixing, averaged over the pairs of faces."""
    changes = np.zeros(len(mixings))
    size = _VOLUME_SIZE if view == "volume" else None
    for first, second in _PAIRS if mixings else ():
        plain = Scene(identity=Identity(first))
        volume = engine.render(plain, "volume", _VOLUME_SIZE)
        head = max(float(1.0 - volume.background.mean()), 0.05)  # share of the picture
        before = engine.render(plain, view, size).display()
        yield None
        for index, mixing in enumerate(mixings):
            mixed = engine.render(replace(plain, mixing=replace(mixing, seed=second)), view, size)
            difference = float(np.abs(mixed.display() - before).mean())
            changes[index] += 255.0 * difference / head / len(_PAIRS)
            yield None
    return [float(change) for change in changes]


def _one_of(count: int, index: int) -> tuple[float, ...]:
    return tuple(float(i == index) for i in range(count))
