"""A scene as command-line flags, and flags as a scene.

Every command that draws a scene has these flags; the window's "Copy as command" writes them.
"""

from __future__ import annotations

import re
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

import tyro

from stylesdf_core.commands.named_values import named_numbers
from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.foreign import brief
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.config import NoiseMode, check_seed
from stylesdf_core.model.latents.latents import load_z
from stylesdf_core.model.model_zoo import comes_with, is_named, resolve
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.animation import InBetween
from stylesdf_core.scene.offsets import StyleOffsets
from stylesdf_core.scene.scene import SHIPPED_MODEL, Identity, Mixing, Morph, Scene
from stylesdf_core.scene.session_files import other_weights, read_scene

_Int: TypeAlias = Annotated[int | None, tyro.conf.arg(metavar="N", help_behavior_hint="")]
_Float: TypeAlias = Annotated[float | None, tyro.conf.arg(metavar="X", help_behavior_hint="")]
_File: TypeAlias = Annotated[Path | None, tyro.conf.arg(metavar="FILE", help_behavior_hint="")]
#: Seeds of several faces as one text, such as ``0-99,120``.
SeedsFlag: TypeAlias = Annotated[str, tyro.conf.arg(metavar="N-M,N,…", help_behavior_hint="")]
_MOST_SEEDS: Final = 100_000
_CAMERA: Final = ("azimuth", "elevation", "fov", "pan_x", "pan_y")


def scene_from_flags(
    *,
    scene: _File = None,
    model: Annotated[
        str | None, tyro.conf.arg(metavar="NAME|FILE|RUN_DIR", help_behavior_hint="")
    ] = None,
    seed: _Int = None,
    latent: _File = None,
    set: Annotated[  # noqa: A002  (the flag is --set)
        tuple[tuple[str, ...], ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(metavar="NAME=VALUE", help_behavior_hint=""),
    ] = (),
    morph_seed: _Int = None,
    morph: _Float = None,
    morph_space: Annotated[
        Literal["z", "w"] | None, tyro.conf.arg(metavar="{w,z}", help_behavior_hint="")
    ] = None,
    mix_seed: _Int = None,
    crossover: _Int = None,
    mix_strengths: Annotated[
        tuple[float, ...], tyro.conf.arg(metavar="X …", help_behavior_hint="")
    ] = (),
    mix_groups: Annotated[
        tuple[str, ...], tyro.conf.arg(metavar="NAME=X …", help_behavior_hint="")
    ] = (),
    mix_field_strengths: Annotated[
        tuple[float, ...], tyro.conf.arg(metavar="X …", help_behavior_hint="")
    ] = (),
    psi: _Float = None,
    azimuth: _Float = None,
    elevation: _Float = None,
    fov: _Float = None,
    pan_x: _Float = None,
    pan_y: _Float = None,
    samples: _Int = None,
    noise: Annotated[
        NoiseMode | None,
        tyro.conf.arg(metavar="{fixed,random,surface,none}", help_behavior_hint=""),
    ] = None,
    noise_seed: _Int = None,
) -> Scene:
    """A scene from flags, which override what its session holds.

    Args:
        scene: session to start from: .json, or an exported PNG, WebP, GIF, GLB, OBJ, PLY or 3MF.
        model: a name of `models list`, a weights file, or a run folder (default: heads); needed
            if the session names a file, which is not touched before you name it.
        seed: identity, 0 to 4294967295 (default: 0).
        latent: z from a .npy file, shape (z_dim,) or (1, z_dim), instead of a seed.
        set: latent directions in standard deviations, such as smile=1.2; trained from -2.5 to
            2.5, at most -3.5 to 3.5. `models directions NAME` lists a model's directions.
        morph_seed: another identity to interpolate towards, shape included (default: none).
        morph: share of the other identity, 0 to 1 (default: 0.5).
        morph_space: interpolate linearly in w, or along the great circle in z (default: w).
        mix_seed: second identity, for style mixing (default: no mixing).
        crossover: first decoder layer that takes the second style (default: 3).
        mix_strengths: weight of the second style in each decoder layer, 0 to 1, instead of a
            crossover.
        mix_groups: groups of named latents to take from the second identity, with weights from 0
            to 1, such as hair=1 skin=0.5; heads has shape, face, eyes, skin, hair and light.
        mix_field_strengths: weight of the second style in each FiLM layer of the field, 0 to 1:
            trunk layers, which make the shape, then the view layer.
        psi: truncation: 0 is the mean face, 1 the seed's own (default: 0.7).
        azimuth: camera's azimuth, radians; positive to the face's left (default: 0).
        elevation: camera's elevation, radians, -pi/2 to pi/2; positive is above (default: 0).
        fov: half opening angle, degrees, 1 to 20 (default: that of the model's training).
        pan_x: camera shift to the camera's right, world units (default: 0).
        pan_y: camera shift upwards, world units (default: 0).
        samples: points per ray, 4 to 128 (default: the model's own).
        noise: the decoder's noise maps: the model's own, random maps from --noise-seed, such maps
            that turn with the surface, against flicker in films, or none (default: fixed).
        noise_seed: seed of --noise random and --noise surface (default: 0).
    """
    start = read_scene(scene) if scene is not None else Scene.of_model(model or SHIPPED_MODEL)
    is_known = model is not None or is_named(start.model)
    if scene is not None and not is_known and not comes_with(scene, start.model):
        raise InputError(
            f"{scene} names the model file {start.model}; to load it, if you trust it, "
            "name it yourself with --model."
        )
    if model is not None and Path(model).name != Path(start.model).name:
        start = replace(start, model_digest="")  # another model on purpose
    return replace(
        start,
        identity=_identity(start.identity, seed, latent, set),
        morph=_morph(start.morph, morph_seed, morph, morph_space),
        mixing=_mixing(
            start.mixing, mix_seed, crossover, mix_strengths, mix_groups, mix_field_strengths
        ),
        camera=replace(
            start.camera,
            **_given(azimuth=azimuth, elevation=elevation, fov=fov, pan_x=pan_x, pan_y=pan_y),
        ),
        options=replace(
            start.options, **_given(samples=samples, noise=noise, noise_seed=noise_seed)
        ),
        **_given(model=model, truncation_psi=psi),
    )


def seeds_of(text: str) -> tuple[int, ...]:
    """The seeds that a text such as ``0-99,120`` names, in its order, each once.

    Raises:
        InputError: the text is no list of seeds and ranges, or names more than 100,000 seeds.
    """
    seeds: dict[int, None] = {}
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,10})\s*(?:[-–]\s*(\d{1,10})\s*)?", part, re.ASCII)
        if match is None:
            raise InputError(
                f"--seeds takes seeds and ranges such as 0-99,120, not {brief(repr(text))}."
            )
        first, last = int(match[1]), int(match[2] or match[1])
        check_seed(first)
        check_seed(last)
        if last < first:
            raise InputError(f"The range {part.strip()} of --seeds ends before it begins.")
        if len(seeds) + last - first >= _MOST_SEEDS:
            raise InputError(f"--seeds names more than {_MOST_SEEDS:,} seeds.")
        seeds.update(dict.fromkeys(range(first, last + 1)))
    return tuple(seeds)


def note_on_weights(request: object) -> str:
    """A sentence if a request's session was made with other weights than its model has now."""
    scene = getattr(request, "scene", None)
    if not isinstance(scene, Scene) or not scene.model_digest:
        return ""
    with suppress(StyleSDFError):  # the request itself says why a model cannot be read
        return other_weights(scene, weights_digest(resolve(scene.model).path))
    return ""


def _given(**values: Any) -> dict[str, Any]:
    """The values that are not None, by name."""
    return {name: value for name, value in values.items() if value is not None}


def _identity(
    identity: Identity, seed: int | None, latent: Path | None, edits: tuple[tuple[str, ...], ...]
) -> Identity:
    if seed is not None and latent is not None:
        raise InputError("Give either --seed or --latent, not both.")
    if seed is not None:
        identity = Identity(seed, None, identity.edits)
    if latent is not None:
        # The engine checks z's length against the model.
        z = load_z(latent)
        identity = Identity(identity.seed, tuple(float(v) for v in z), identity.edits)
    texts = [text for group in edits for text in group]
    for name, value in named_numbers(texts, "--set", "smile=1.2").items():
        identity = identity.edited(name, value)
    return identity


def _morph(
    morph: Morph, seed: int | None, amount: float | None, space: Literal["z", "w"] | None
) -> Morph:
    if seed is None and morph.seed is None and (amount is not None or space is not None):
        raise InputError("--morph and --morph-space need another identity: --morph-seed N.")
    return replace(morph, **_given(seed=seed, amount=amount, space=space))


def _mixing(
    mixing: Mixing,
    seed: int | None,
    crossover: int | None,
    strengths: tuple[float, ...],
    groups: tuple[str, ...],
    field_strengths: tuple[float, ...],
) -> Mixing:
    given = {
        "--crossover": crossover is not None,
        "--mix-strengths": bool(strengths),
        "--mix-groups": bool(groups),
        "--mix-field-strengths": bool(field_strengths),
    }
    named = [flag for flag, is_given in given.items() if is_given]
    if seed is None and mixing.seed is None and named:
        raise InputError(f"{' and '.join(named)} needs a second identity: --mix-seed N.")
    if crossover is not None and len(named) > 1:
        raise InputError(
            f"--crossover cannot be combined with {' and '.join(named[1:])}; give the weights of "
            "the decoder's layers with --mix-strengths."
        )
    if crossover is not None:
        mixing = replace(mixing, strengths=(), groups=(), field_strengths=())
    weights = dict(mixing.groups) | named_numbers(groups, "--mix-groups", "hair=1")
    return replace(
        mixing,
        groups=tuple(weights.items()),
        **_given(
            seed=seed,
            crossover=crossover,
            strengths=strengths or None,
            field_strengths=field_strengths or None,
        ),
    )


#: A scene as a field of a request: on the command line, the flags above.
SceneFlags: TypeAlias = Annotated[Scene, tyro.conf.arg(constructor=scene_from_flags, name="")]


def flags_from_scene(scene: Scene) -> list[str]:
    """The flags that describe ``scene``, defaults left out.

    Raises:
        InputError: the scene holds an explicit z, or lies between keyframes, for which there are no
            flags.
    """
    if isinstance(scene, InBetween):
        raise InputError(
            "A face between two keyframes has no flags: copy the command of the animation instead."
        )
    if scene.identity.z is not None or scene.identity.offsets != StyleOffsets():
        what = "has been dragged" if scene.identity.z is None else "is a z"
        raise InputError(
            f"The scene's identity {what}, which no flag can hold; save the session and use "
            "--scene FILE.json."
        )
    default = Scene.of_model(scene.model)
    flags: list[str] = []

    def add(flag: str, value: object, usual: object) -> None:
        if value != usual:
            flags.extend([flag, _number(value) if isinstance(value, float) else str(value)])

    add("--model", scene.model, SHIPPED_MODEL)
    add("--seed", scene.identity.seed, default.identity.seed)
    if scene.identity.edits:
        flags += ["--set", *(f"{name}={_number(value)}" for name, value in scene.identity.edits)]
    if scene.morph.seed is not None:
        flags += ["--morph-seed", str(scene.morph.seed)]
        add("--morph", scene.morph.amount, default.morph.amount)
        add("--morph-space", scene.morph.space, default.morph.space)
    add("--psi", scene.truncation_psi, default.truncation_psi)
    if scene.mixing.seed is not None:
        flags += ["--mix-seed", str(scene.mixing.seed)]
        if scene.mixing.by_crossover:
            add("--crossover", scene.mixing.crossover, default.mixing.crossover)
        if scene.mixing.strengths:
            flags += ["--mix-strengths", *map(_number, scene.mixing.strengths)]
        if scene.mixing.groups:
            groups = (f"{name}={_number(weight)}" for name, weight in scene.mixing.groups)
            flags += ["--mix-groups", *groups]
        if scene.mixing.field_strengths:
            flags += ["--mix-field-strengths", *map(_number, scene.mixing.field_strengths)]
    for part, usual, names in (
        (scene.camera, default.camera, _CAMERA),
        (scene.options, default.options, ("samples", "noise", "noise_seed")),
    ):
        for name in names:
            add("--" + name.replace("_", "-"), getattr(part, name), getattr(usual, name))
    return flags


def camera_flags(camera: OrbitCamera) -> list[str]:
    """The flags of a camera, defaults too, to replace a session's camera."""
    pairs = (("--" + name.replace("_", "-"), getattr(camera, name)) for name in _CAMERA)
    return [word for flag, value in pairs for word in (flag, _number(value))]


def _number(value: float) -> str:
    """A number as text, short and exact to float32."""
    return f"{value:.9g}"
