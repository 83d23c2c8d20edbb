"""The timeline: the keyframes of the document, a playhead over them, and what it shows.

While the playhead is moved or the animation is played, the viewport shows the animation's scene at
that time instead of the document's. The document's scene comes back as soon as it is changed.
"""

from __future__ import annotations

import time as clock
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from app.state.document.document import Document
from app.state.document.faces import FaceAlbum, thumbnail
from app.workers.picture_worker import PicturePass
from stylesdf_core.errors import InputError
from stylesdf_core.scene.animation import Animation, Ease, Keyframe, Space
from stylesdf_core.scene.paths import Preset, preset_animation
from stylesdf_core.scene.scene import Scene, View

Pixels = npt.NDArray[np.uint8]

#: Seconds from the last keyframe to one that is added at the end.
STEP = 2.0
#: Keyframes stand on multiples of this time, seconds, which keeps them apart.
GRID = 0.05
#: Last time of a keyframe, seconds.
LAST = 600.0
#: Seconds that a new ready-made animation takes; of a morph, for each face.
_SECONDS, _SECONDS_A_FACE = 4.0, 2.0
#: Faces of a morph at most.
_MOST_FACES = 24


class Timeline:
    """Keyframes and playhead of one document.

    Attributes:
        time: of the playhead, seconds.
        is_playing: whether the playhead moves by itself.

    Args:
        show_view: makes the viewport show a view.
    """

    def __init__(
        self, document: Document, album: FaceAlbum, show_view: Callable[[View], None]
    ) -> None:
        self._document, self._album, self._show_view = document, album, show_view
        self.time = 0.0
        self.is_playing = False
        self._replaced: Scene | None = None  # the document's scene, while another is shown
        self._ticked_at = 0.0
        self._selected: Keyframe | None = None
        self._pictures: dict[Scene, Pixels] = {}

    @property
    def animation(self) -> Animation:
        """The keyframes of the document."""
        return self._document.animation

    @property
    def keyframes(self) -> tuple[Keyframe, ...]:
        """The keyframes in the order of their times."""
        return self.animation.keyframes

    @property
    def selected(self) -> int | None:
        """Number of the selected keyframe."""
        return self.keyframes.index(self._selected) if self._selected in self.keyframes else None

    # --- what the viewport shows ------------------------------------------------------------------

    @property
    def shown(self) -> Scene:
        """The scene for the viewport: the document's, or that at the playhead."""
        scene = self._document.scene
        if self._replaced is not None and (self._replaced != scene or not self.keyframes):
            self.leave()
        return scene if self._replaced is None else self.animation.at(self.time)

    @property
    def is_shown(self) -> bool:
        """Whether the viewport shows the scene at the playhead."""
        return self._replaced is not None

    def seek(self, time: float) -> None:
        """Put the playhead to a time, and show the scene there."""
        self.time = min(max(time, 0.0), LAST)
        if self.keyframes:
            self._replaced = self._document.scene
            view = self.animation.view_at(self.time)
            if view is not None:
                self._show_view(view)

    def leave(self) -> None:
        """Show the document's scene again, and stop."""
        self._replaced = None
        self.is_playing = False

    def toggle(self) -> None:
        """Play from the playhead, or from the start if it stands at the end; or stop."""
        self.is_playing = not self.is_playing and self.animation.duration > 0.0
        if self.is_playing:
            self._ticked_at = clock.monotonic()
            at_end = not self.animation.start <= self.time < self.animation.end - 1e-6
            self.seek(self.animation.start if at_end else self.time)

    def tick(self) -> None:
        """Once a frame: move the playhead while playing, from the end back to the start."""
        now = clock.monotonic()
        passed, self._ticked_at = now - self._ticked_at, now
        if not self.is_playing:
            return
        if not self.animation.duration > 0.0:
            self.leave()
            return
        time = self.time + passed - self.animation.start
        self.seek(self.animation.start + time % self.animation.duration)

    # --- keyframes --------------------------------------------------------------------------------

    def add(self, picture: PicturePass | None, view: View) -> None:
        """Make a keyframe of the document's scene: at the playhead, or after the last keyframe.

        Args:
            picture: on the screen; becomes the keyframe's small picture if it shows the scene.
            view: what the viewport shows.

        Raises:
            InputError: the keyframes have another model.
        """
        scene, time = self._document.scene, _on_grid(self.time)
        if not (self.is_shown and self._is_free(time)):
            time = self._end
        self._place(time, scene, view)
        self._note(scene, picture)

    def append(self, scene: Scene) -> None:
        """Make a keyframe of a scene after the last keyframe.

        Raises:
            InputError: the keyframes have another model.
        """
        self._place(self._end, scene, None)

    @property
    def _end(self) -> float:
        """Time of a keyframe after the last."""
        return min(self.animation.end + STEP, LAST) if self.keyframes else 0.0

    def _place(self, time: float, scene: Scene, view: View | None) -> None:
        if not self._is_free(time):
            raise InputError(f"There is a keyframe at {time:g} seconds already.")
        ease: Ease = self.keyframes[-1].ease if self.keyframes else "smooth"
        keyframe = Keyframe(time, scene, view, ease)
        self._set((*self.keyframes, keyframe))
        self._stand_on(keyframe)

    def replace(self, index: int, picture: PicturePass | None, view: View) -> None:
        """Give a keyframe the document's scene and a view."""
        scene = self._document.scene
        self._change(index, scene=scene, view=view)
        self._note(scene, picture)

    def select(self, index: int) -> None:
        """Show a keyframe's scene, so that it can be changed."""
        keyframe = self.keyframes[index]
        self._document.apply(keyframe.scene)
        if keyframe.view is not None:
            self._show_view(keyframe.view)
        self._stand_on(keyframe)

    def move(self, index: int, time: float) -> int:
        """Put a keyframe to the free time nearest to ``time``; returns its new number.

        Part of a gesture, which :meth:`commit` ends.
        """
        keyframe = self.keyframes[index]
        time = min(max(_on_grid(time), 0.0), LAST)
        others = tuple(other for other in self.keyframes if other is not keyframe)
        if any(abs(other.time - time) < 0.5 * GRID for other in others):
            return index
        moved = replace(keyframe, time=time)
        self._document.arrange(replace(self.animation, keyframes=(*others, moved)))
        self._stand_on(moved)
        return self.keyframes.index(moved)

    def commit(self) -> None:
        """End a gesture, as one undo step."""
        self._document.commit()

    def remove(self, index: int) -> None:
        """Delete a keyframe."""
        gone = self.keyframes[index]
        self._set(tuple(keyframe for keyframe in self.keyframes if keyframe is not gone))

    def clear(self) -> None:
        """Delete all keyframes."""
        self._set(())
        self.time = 0.0

    def set_ease(self, index: int, ease: Ease) -> None:
        """Say how the animation goes on from a keyframe."""
        self._change(index, ease=ease)

    def toggle_space(self) -> None:
        """Let faces change into one another in the other space, w or z."""
        space: Space = "z" if self.animation.space == "w" else "w"
        self._document.apply(animation=replace(self.animation, space=space))

    def scale(self, seconds: float) -> None:
        """Make the animation last so many seconds."""
        if self.animation.duration > 0.0:
            factor = min(seconds, LAST) / self.animation.duration
            frames = (replace(k, time=_on_grid(k.time * factor)) for k in self.keyframes)
            self._document.apply(animation=replace(self.animation, keyframes=tuple(frames)))
            self.time *= factor

    def make(self, preset: Preset) -> None:
        """Replace all keyframes by a ready-made animation of the face, or of the album's faces.

        A morph goes through the favourites; with fewer than two, through the last faces visited.

        Raises:
            InputError: a morph of fewer than two faces.
        """
        scene = self._document.scene
        scenes: Sequence[Scene] = (scene,)
        if preset == "morph":
            faces = [f for f in self._album.faces if f.scene.model == scene.model]
            starred = [face for face in faces if face.is_favourite]
            chosen = (starred if len(starred) > 1 else faces)[:_MOST_FACES]
            scenes = [replace(f.scene, camera=scene.camera) for f in reversed(chosen)]
            self._pictures |= {s: f.pixels for s, f in zip(scenes, reversed(chosen), strict=True)}
            if len(scenes) < 2:
                raise InputError(
                    "A morph goes through the favourites or the last faces; look at two or more."
                )
        seconds = _SECONDS_A_FACE * len(scenes) if preset == "morph" else _SECONDS
        self.leave()
        made = preset_animation(preset, scenes, seconds, space=self.animation.space)
        self._document.apply(animation=made)
        self.time = 0.0

    def opened(self, animation: Animation) -> None:
        """Show the keyframes of a file."""
        self.leave()
        self._document.apply(animation=animation)
        self.time = animation.start

    def picture(self, keyframe: Keyframe) -> Pixels | None:
        """A small picture of a keyframe, (E, E, 3), if there is one."""
        known = self._pictures.get(keyframe.scene)
        if known is None and (face := self._album.find(keyframe.scene)) is not None:
            return face.pixels
        return known

    @property
    def lacking(self) -> tuple[Scene, ...]:
        """Scenes of the keyframes that have no picture."""
        return tuple(k.scene for k in self.keyframes if self.picture(k) is None)

    def keep(self, scene: Scene, pixels: Pixels) -> None:
        """Take the small picture of a keyframe's scene."""
        self._pictures[scene] = pixels

    def _note(self, scene: Scene, picture: PicturePass | None) -> None:
        kept = {keyframe.scene for keyframe in self.keyframes}
        self._pictures = {known: p for known, p in self._pictures.items() if known in kept}
        if picture is not None and picture.request.scene == scene:
            self._pictures[scene] = thumbnail(picture.pixels)

    def _stand_on(self, keyframe: Keyframe) -> None:
        self.leave()
        self.time, self._selected = keyframe.time, keyframe

    def _change(self, index: int, **changes: Any) -> None:
        keyframe = self.keyframes[index]
        changed = replace(keyframe, **changes)
        self._set(tuple(changed if k is keyframe else k for k in self.keyframes))
        self._stand_on(changed)

    def _set(self, keyframes: tuple[Keyframe, ...]) -> None:
        self._document.apply(animation=replace(self.animation, keyframes=keyframes))

    def _is_free(self, time: float) -> bool:
        return all(abs(keyframe.time - time) >= 0.5 * GRID for keyframe in self.keyframes)


def _on_grid(time: float) -> float:
    """The nearest time on which a keyframe may stand."""
    return round(round(time / GRID) * GRID, 3)
