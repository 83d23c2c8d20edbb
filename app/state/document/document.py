"""The document: a Scene and keyframes, their history for undo and redo, whether they are saved."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path

from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Scene

_HISTORY = 500


@dataclass(eq=False)
class _SessionFile:
    """Where a session is saved, and what it was when it was last saved or opened.

    All undo steps of one session share it, so that undo goes back to the file as well.
    """

    path: Path | None = None
    content: Content | None = None


@dataclass(frozen=True)
class Content:
    """What a session holds: the scene on the screen, and the keyframes of the timeline."""

    scene: Scene = field(default_factory=Scene)
    animation: Animation = field(default_factory=Animation)
    file: _SessionFile = field(default_factory=_SessionFile, compare=False)


class Document:
    """One session under edit; undo swaps whole values.

    A gesture (a drag, a slider's travel) is any number of :meth:`update` or :meth:`arrange` calls
    and one :meth:`commit`, which makes a single undo step of it.
    """

    def __init__(self, scene: Scene | None = None, animation: Animation | None = None) -> None:
        self._content = Content(scene or Scene(), animation or Animation())
        self._committed = self._content.file.content = self._content
        self._past: list[Content] = []
        self._future: list[Content] = []

    @property
    def scene(self) -> Scene:
        """The current scene, the unfinished gesture included."""
        return self._content.scene

    @property
    def animation(self) -> Animation:
        """The keyframes, the unfinished gesture included."""
        return self._content.animation

    @property
    def path(self) -> Path | None:
        """The file that saving writes to; None where it has to be asked for."""
        return self._content.file.path

    @property
    def dirty(self) -> bool:
        """Whether the session differs from what was last saved or opened."""
        return self._content != self._content.file.content

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
        """Show another session; undo goes back to the session before, and to its file.

        Args:
            path: the file that saving writes to; None for a session read out of an exported
                file, which saving must not replace, and for a new head.
            animation: the keyframes of the file; None to keep those that there are.
        """
        self.apply(scene, animation)
        self._content = self._committed = replace(self._content, file=_SessionFile())
        self._note_file(path)

    def saved(self, path: Path) -> None:
        """Note that the current session has been written to ``path``."""
        self.commit()
        self._note_file(path)

    def _note_file(self, path: Path | None) -> None:
        file = self._content.file
        file.path, file.content = path, self._content
