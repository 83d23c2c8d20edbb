"""A session from a file, as far as it can be trusted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from stylesdf_core.model.model_zoo import absolute, is_named
from stylesdf_core.scene.animation import Animation, read_timeline
from stylesdf_core.scene.scene import Scene


@dataclass(frozen=True)
class OpenedSession:
    """What a file holds.

    Attributes:
        path: the file that saving writes to; None where saving must not replace the file.
        animation: the keyframes; None where the file has no room for any.
        note: what the user has to know; usually empty.
    """

    scene: Scene
    path: Path | None
    animation: Animation | None
    note: str = ""


def read_for_window(path: Path, current: str, known: Collection[str]) -> OpenedSession:
    """The session of a file; with the current model if the user has not opened the file's before.

    A stranger's session may name any path, such as a share in a network: it is not touched.

    Args:
        known: files of models that the user has opened.

    Raises:
        InputError: no such file, it is damaged, or carries no session.
    """
    scene, animation = read_timeline(path)
    saved_at = path if path.suffix.lower() == ".json" else None
    note = ""
    if not is_named(scene.model) and scene.model not in map(absolute, known):
        note = f"; its model {scene.model} is not loaded: open that file if you trust it"
        scene = replace(scene, model=current, model_digest="")
        saved_at = None
    if animation is not None and animation.model != scene.model:
        animation = animation.with_model(scene.model)
    return OpenedSession(scene, saved_at, animation, note)
