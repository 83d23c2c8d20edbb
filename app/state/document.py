"""The document: the current Scene, its history for undo and redo, and whether it is saved."""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.scene.scene import Scene

_HISTORY = 500


class Document:
    """One Scene under edit; undo swaps whole values.

    A gesture (a drag, a slider's travel) is any number of :meth:`update` calls and one
    :meth:`commit`, which makes a single undo step of it.
    """

    def __init__(self, scene: Scene | None = None) -> None:
        self._scene = scene or Scene()
        self._committed = self._scene
        self._saved = self._scene
        self._past: list[Scene] = []
        self._future: list[Scene] = []
        self.path: Path | None = None

    @property
    def scene(self) -> Scene:
        """The current scene, the unfinished gesture included."""
        return self._scene

    @property
    def dirty(self) -> bool:
        """Whether the scene differs from what was last saved or opened."""
        return self._scene != self._saved

    @property
    def can_undo(self) -> bool:
        """Whether :meth:`undo` would change something."""
        return bool(self._past) or self._scene != self._committed

    @property
    def can_redo(self) -> bool:
        """Whether :meth:`redo` would change something."""
        return bool(self._future) and self._scene == self._committed

    def update(self, scene: Scene) -> None:
        """Show ``scene`` as part of the current gesture."""
        self._scene = scene

    def commit(self) -> None:
        """End the gesture: one undo step, unless nothing has changed."""
        if self._scene == self._committed:
            return
        self._past.append(self._committed)
        del self._past[:-_HISTORY]
        self._future.clear()
        self._committed = self._scene

    def apply(self, scene: Scene) -> None:
        """Change the scene as one undo step."""
        self.commit()
        self._scene = scene
        self.commit()

    def undo(self) -> None:
        """Go back to the scene before the last gesture, which may be unfinished."""
        self.commit()
        if self._past:
            self._future.append(self._committed)
            self._scene = self._committed = self._past.pop()

    def redo(self) -> None:
        """Go forward again to the scene before the last :meth:`undo`."""
        if self.can_redo:
            self._past.append(self._committed)
            self._scene = self._committed = self._future.pop()

    def opened(self, scene: Scene, path: Path | None) -> None:
        """Show a session that was read from a file; undo goes back to the scene before.

        Args:
            path: the file that saving writes to; None for a session read out of an exported
                file, which saving must not replace.
        """
        self.apply(scene)
        self.path = path
        self._saved = scene

    def saved(self, path: Path) -> None:
        """Note that the current scene has been written to ``path``."""
        self.commit()
        self.path = path
        self._saved = self._scene
