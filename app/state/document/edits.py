"""Changes that panels make to a scene, as pure functions: Scene in, Scene out."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from dataclasses import replace

from stylesdf_core.model.config import DECODER_W_DIM, MAX_SEED, GeneratorConfig
from stylesdf_core.model.latents.latents import LatentDirection, group_names
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.offsets import StyleOffsets
from stylesdf_core.scene.scene import Identity, Morph, Scene

#: Random seeds are drawn below this; six digits can be read, remembered and typed.
_RANDOM_SEEDS = 1_000_000
#: Poses within this many standard deviations count as trained.
TRAINED_SIGMAS = 2.0

#: Azimuth and elevation, radians; a model that was not trained so far to the side is shown from as
#: far as it was.
CAMERA_PRESETS: dict[str, tuple[float, float]] = {
    "front": (0.0, 0.0),
    "¾": (math.radians(35.0), 0.0),
    "profile": (math.radians(80.0), 0.0),
}


def random_seed() -> int:
    """A seed drawn at random, below a million."""
    return random.randrange(_RANDOM_SEEDS)


def with_seed(scene: Scene, seed: int, locked: Sequence[tuple[LatentDirection, float]]) -> Scene:
    """Another face: locked directions keep their value, as far as it lies in their range."""
    kept = tuple((direction.name, direction.clip(value)) for direction, value in locked)
    return replace(scene, identity=Identity(min(max(seed, 0), MAX_SEED), None, kept))


def with_direction(scene: Scene, name: str, value: float | None) -> Scene:
    """The scene with one direction set to ``value``; None restores the seed's value."""
    return replace(scene, identity=scene.identity.edited(name, value))


def without_edits(scene: Scene) -> Scene:
    """The scene with all directions at the seed's values."""
    return replace(scene, identity=replace(scene.identity, edits=()))


def with_second_seed(scene: Scene, seed: int | None) -> Scene:
    """The scene with another second seed for style mixing and morph; None ends both."""
    if seed is not None:
        seed = min(max(seed, 0), MAX_SEED)
    morph = scene.morph
    if morph.seed is not None:
        morph = Morph() if seed is None else replace(morph, seed=seed)
    return replace(scene, mixing=replace(scene.mixing, seed=seed), morph=morph)


def with_truncation(scene: Scene, psi: float | None) -> Scene:
    """The scene with another truncation ψ; None restores the default."""
    return replace(scene, truncation_psi=Scene().truncation_psi if psi is None else psi)


def with_morph(scene: Scene, amount: float | None) -> Scene:
    """The scene morphed by ``amount``, 0 to 1, towards the second seed.

    None ends the morph; a scene without a second seed has no morph.
    """
    if scene.mixing.seed is None or amount is None or amount <= 0.0:
        return replace(scene, morph=Morph())
    morph = replace(scene.morph, seed=scene.mixing.seed, amount=min(amount, 1.0))
    return replace(scene, morph=morph)


def with_crossover(scene: Scene, crossover: int, n_latent: int = 0) -> Scene:
    """The scene with the second style from decoder layer ``crossover`` on.

    Beside groups or field strengths, where the crossover itself does not count, the strengths of
    ``n_latent`` layers say the same.
    """
    mixing = replace(scene.mixing, crossover=crossover, strengths=())
    if not mixing.by_crossover:
        steps = tuple(float(layer >= crossover) for layer in range(n_latent))
        mixing = replace(mixing, strengths=steps)
    return replace(scene, mixing=mixing)


def with_strength(scene: Scene, layer: int, strength: float, n_latent: int) -> Scene:
    """The scene with another weight of the second style in one decoder layer."""
    strengths = _with_one(scene.mixing.layer_strengths(n_latent), layer, strength)
    return replace(scene, mixing=replace(scene.mixing, strengths=strengths))


def with_field_strength(
    scene: Scene, layer: int, strength: float, config: GeneratorConfig
) -> Scene:
    """The scene with another weight of the second style in one of the field's FiLM layers.

    The decoder's layers keep their weights, which the crossover may have given.
    """
    mixing = scene.mixing
    weights = _with_one(mixing.film_strengths(config.film_layers), layer, strength)
    decoder = mixing.layer_strengths(config.n_latent)
    return replace(scene, mixing=replace(mixing, strengths=decoder, field_strengths=weights))


def without_field_strengths(scene: Scene) -> Scene:
    """The scene with the first face's style in all of the field's layers."""
    return replace(scene, mixing=replace(scene.mixing, field_strengths=()))


def with_group(scene: Scene, name: str, strength: float | None) -> Scene:
    """The scene with another share of the second face's group of latents; None for no share."""
    groups = {k: v for k, v in scene.mixing.groups if k != name}
    if strength:
        groups[name] = min(max(strength, 0.0), 1.0)
    return replace(scene, mixing=replace(scene.mixing, groups=tuple(groups.items())))


def _with_one(weights: Sequence[float], index: int, weight: float) -> tuple[float, ...]:
    weights = list(weights)
    weights[index] = min(max(weight, 0.0), 1.0)
    return tuple(weights)


def swapped(scene: Scene) -> Scene:
    """The scene with first and second seed exchanged; unchanged without a second seed."""
    if scene.mixing.seed is None:
        return scene
    return replace(
        scene,
        identity=Identity(scene.mixing.seed, None, scene.identity.edits),
        mixing=replace(scene.mixing, seed=scene.identity.seed),
        morph=scene.morph
        if scene.morph.seed is None
        else replace(scene.morph, seed=scene.identity.seed),
    )


def with_preset(scene: Scene, name: str, poses: Poses) -> Scene:
    """The scene with its camera at a preset of :data:`CAMERA_PRESETS`; field of view, pan stay.

    Args:
        poses: of the model's training, beyond which no preset goes.
    """
    azimuth, elevation = CAMERA_PRESETS[name]
    reach = TRAINED_SIGMAS * poses.azimuth_std
    azimuth = math.floor(100.0 * min(azimuth, reach)) / 100.0
    return replace(scene, camera=replace(scene.camera, azimuth=azimuth, elevation=elevation))


def with_fov_of(scene: Scene, before: Poses, poses: Poses) -> Scene:
    """The scene with the field of view of a model's training, if it had that of the model before.

    Args:
        before, poses: of the two models' training.
    """
    if scene.camera.fov != before.fov:
        return scene
    return replace(scene, camera=replace(scene.camera, fov=poses.fov))


def is_trained_pose(camera: OrbitCamera, poses: Poses) -> bool:
    """Whether the camera stands within ±2σ of the poses that a model was trained with."""
    return poses.deviation(camera) <= TRAINED_SIGMAS


def is_trained_view(camera: OrbitCamera, poses: Poses) -> bool:
    """Whether the camera sees no farther to the side than the cameras of the training did."""
    return camera.fov <= poses.fov


def restored(scene: Scene, fitted: Scene, whole: Scene) -> Scene:
    """``scene`` with the parts of ``whole`` that it has lost by being adapted to another model.

    Args:
        fitted: what :func:`adapted` made of ``whole``; a part that has changed since is kept.
    """
    identity = whole.identity if scene.identity == fitted.identity else scene.identity
    mixing = whole.mixing if scene.mixing == fitted.mixing else scene.mixing
    return replace(scene, identity=identity, mixing=mixing)


def adapted(scene: Scene, config: GeneratorConfig, directions: Sequence[LatentDirection]) -> Scene:
    """``scene`` without the parts that do not fit a model of ``config`` and ``directions``."""
    known = {direction.name: direction for direction in directions}
    identity = scene.identity
    z = identity.z if identity.z is not None and len(identity.z) == config.z_dim else None
    known |= {d.slug: d for d in directions if d.slug not in known}
    edits = tuple(
        (known[name].name, known[name].clip(x)) for name, x in identity.edits if name in known
    )
    mixing = scene.mixing
    if mixing.strengths and len(mixing.strengths) != config.n_latent:
        mixing = replace(mixing, strengths=())
    if mixing.field_strengths and len(mixing.field_strengths) != config.film_layers:
        mixing = replace(mixing, field_strengths=())
    named = group_names(directions)
    groups = tuple((name, weight) for name, weight in mixing.groups if name in named)
    crossover = min(max(mixing.crossover, 0), config.n_latent)
    mixing = replace(mixing, crossover=crossover, groups=groups)
    styles = config.film_layers * config.z_dim, config.n_latent * DECODER_W_DIM
    offsets = identity.offsets if identity.offsets.fits(*styles) else StyleOffsets()
    return replace(scene, identity=Identity(identity.seed, z, edits, offsets), mixing=mixing)


def adapted_animation(
    animation: Animation, model: str, adapt: Callable[[Scene], Scene]
) -> Animation:
    """Keyframes for another model; ``adapt`` makes their scenes fit it."""
    if animation.model == model or not animation.keyframes:
        return animation
    changed = animation.with_model(model)
    keyframes = (replace(keyframe, scene=adapt(keyframe.scene)) for keyframe in changed.keyframes)
    return replace(changed, keyframes=tuple(keyframes))
