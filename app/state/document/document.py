"""The document: a Scene and keyframes, their history for undo and redo, whether they are saved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Scene

_HISTORY = 500


@dataclass(frozen=True)
class Content:
    """What a session holds: the scene on the screen, and the keyframes of the timeline."""

    scene: Scene = field(default_factory=Scene)
    animation: Animation = field(default_factory=Animation)


class Document:
    """One session under edit; undo swaps whole values.

    A gesture (a drag, a slider's travel) is any number of :meth:`update` or :meth:`arrange` calls
    and one :meth:`commit`, which makes a single undo step of it.
    """

    def __init__(self, scene: Scene | None = None, animation: Animation | None = None) -> None:
        self._content = Content(scene or Scene(), animation or Animation())
        self._committed = self._saved = self._content
        self._past: list[Content] = []
        self._future: list[Content] = []
        self.path: Path | None = None

    @property
    def scene(self) -> Scene:
        """The current scene, the unfinished gesture included."""
        return self._content.scene

    @property
    def animation(self) -> Animation:
        """The keyframes, the unfinished gesture included."""
        return self._content.animation

    @property
    def dirty(self) -> bool:
        """Whether the session differs from what was last saved or opened."""
        return self._content != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether :meth:`undo` would change something."""
        return bool(self._past) or self._content != self._committed

    @property
    def can_redo(self) -> bool:
        """Whether :meth:`redo` would change something."""
        return bool(self._future) and self._content == self._committed

    def update(self, scene: Scene) -> None:
        """Show ``scene`` as part of the current gesture."""
        self._content = replace(self._content, scene=scene)

    def arrange(self, animation: Animation) -> None:
        """Change the keyframes as part of the current gesture."""
        self._content = replace(self._content, animation=animation)

    def commit(self) -> None:
        """End the gesture: one undo step, unless nothing has changed."""
        if self._content == self._committed:
            return
        self._past.append(self._committed)
        del self._past[:-_HISTORY]
        self._future.clear()
        self._committed = self._content

    def apply(self, scene: Scene | None = None, animation: Animation | None = None) -> None:
        """Change the scene, the keyframes or both as one undo step."""
        self.commit()
        if scene is not None:
            self.update(scene)
        if animation is not None:
            self.arrange(animation)
        self.commit()

    def undo(self) -> None:
        """Go back to the session before the last gesture, which may be unfinished."""
        self.commit()
        if self._past:
            self._future.append(self._committed)
            self._content = self._committed = self._past.pop()

    def redo(self) -> None:
        """Go forward again to the session before the last :meth:`undo`."""
        if self.can_redo:
            self._past.append(self._committed)
            self._content = self._committed = self._future.pop()

    def opened(self, scene: Scene, path: Path | None, animation: Animation | None = None) -> None:
        """Show a session that was read from a file; undo goes back to the session before.

        Args:
            path: the file that saving writes to; None for a session read out of an exported
                file, which saving must not replace.
            animation: the keyframes of the file; None to keep those that there are.
        """
        self.apply(scene, animation)
        self.path = path
        self._saved = self._content

    def saved(self, path: Path) -> None:
        """Note that the current session has been written to ``path``."""
        self.commit()
        self.path = path
        self._saved = self._content
