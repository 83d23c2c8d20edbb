"""What the bench draws: two models through both paths, and the fixed scenes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.bench.memory_probe import FULL_SIZE
from stylesdf_core.evaluation.bench.models import PUBLISHED_SIZE, FitRecipe, bench_model
from stylesdf_core.evaluation.bench.reference_path import ReferencePath
from stylesdf_core.model.model import Model, load_model
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import SHIPPED_MODEL, Identity, Morph, Scene

#: The identity that keeps still, the one it slides towards, and the first of the others.
_SEED, _TOWARDS, _OTHERS = 3, 4, 100
#: Names of the two subjects, which begin their figures' names.
FULL, HEADS = "full", "heads"


@dataclass(frozen=True, eq=False)
class Pair:
    """One model through both paths, on one device."""

    reference: ReferencePath
    engine: Engine

    @classmethod
    def of(cls, model: Model, device: str) -> Pair:
        """Both paths of ``model``."""
        return cls(ReferencePath(model, device), Engine(model, device))

    @property
    def image_size(self) -> int:
        """Edge of the decoded image, pixels."""
        return self.engine.config.output_size


@dataclass(frozen=True, eq=False)
class Subject:
    """A field to measure, with one or two decoders.

    Attributes:
        name: begins its figures' names.
        small: with a decoder to 256² (in tests, to whatever it has).
        large: with the largest decoder; the same as ``small`` where there is only one.
        source: the model for a process of its own, see :mod:`~.memory_probe`.
        device: of both paths.
    """

    name: str
    small: Pair
    large: Pair
    source: str
    device: torch.device


def full_subject(device: str, recipe: FitRecipe = PUBLISHED_SIZE) -> Operation[Subject]:
    """The published architecture, with decoders to 256² and 1024²; see :mod:`~.bench_models`."""
    small = Pair.of((yield from bench_model(256, recipe)), device)
    large = Pair.of((yield from bench_model(1024, recipe)), device)
    return Subject(FULL, small, large, FULL_SIZE, small.engine.device)


def heads_subject(device: str, model: str = SHIPPED_MODEL) -> Operation[Subject]:
    """The model that comes with the program, or another with one decoder."""
    yield Progress(0, 1, f"loading {model}")
    pair = Pair.of(load_model(model), device)
    return Subject(HEADS, pair, pair, model, pair.engine.device)


# --- scenes: one a go, never two alike -----------------------------------------------------------


def orbiting(go: int) -> Scene:
    """One identity from cameras all around its front."""
    azimuth, elevation = 0.7 * math.sin(2.4 * go), 0.3 * math.cos(1.7 * go)
    return Scene(identity=Identity(_SEED), camera=OrbitCamera(azimuth, elevation))


def dragging(go: int) -> Scene:
    """One identity while the hand drags the camera: steps of about two degrees."""
    camera = OrbitCamera(azimuth=-0.2 + 0.035 * go, elevation=0.05)
    return Scene(identity=Identity(_SEED), camera=camera)


def sliding(go: int) -> Scene:
    """One camera while a slider moves the identity in w, shape included."""
    morph = Morph(seed=_TOWARDS, amount=0.3 + 0.01 * (go % 70))
    return replace(orbiting(0), morph=morph)


def changing(go: int) -> Scene:
    """Another identity in each go."""
    return replace(orbiting(0), identity=Identity(_OTHERS + go))


Scenes = Callable[[int], Scene]
