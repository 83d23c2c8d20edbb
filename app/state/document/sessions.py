"""A session from a file, as far as it can be trusted, and to a file, with what it needs."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from stylesdf_core.files import atomic_output, write_text
from stylesdf_core.foreign import reading
from stylesdf_core.model.model_zoo import TUNING_SUFFIX, absolute, comes_with, is_named
from stylesdf_core.scene.animation import Animation, read_timeline, session_text
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

    A stranger's session may name any path, such as a share in a network: it is not touched. A
    tuning beside the session's file is loaded.

    Args:
        known: files of models that the user has opened.

    Raises:
        InputError: no such file, it is damaged, or carries no session.
    """
    scene, animation = read_timeline(path)
    saved_at = path if path.suffix.lower() == ".json" else None
    note = ""
    is_known = is_named(scene.model) or scene.model in map(absolute, known)
    if not is_known and not comes_with(path, scene.model):
        note = f"; its model {scene.model} is not loaded: open that file if you trust it"
        scene = replace(scene, model=current, model_digest="")
        saved_at = None
    if animation is not None and animation.model != scene.model:
        animation = animation.with_model(scene.model)
    return OpenedSession(scene, saved_at, animation, note)


def save_session(path: Path, scene: Scene, animation: Animation) -> None:
    """Write a session; a tuning that lies elsewhere is copied, so that it lies beside the session.

    Raises:
        InputError, OutputError: the tuning is missing, or a file cannot be written.
    """
    tuning = Path(scene.model)
    beside = path.absolute().with_name(path.stem + TUNING_SUFFIX)
    if scene.model.endswith(TUNING_SUFFIX) and tuning.parent != beside.parent:
        with reading(tuning, "a tuning"):
            content = tuning.read_bytes()
        with atomic_output(beside) as temporary:
            temporary.write_bytes(content)
        if animation.keyframes and animation.model == scene.model:
            animation = animation.with_model(str(beside))
        scene = replace(scene, model=str(beside))
    write_text(path, session_text(scene, animation, path.parent))
