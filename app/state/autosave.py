"""Autosave: scene, keyframes and settings are written once nothing has changed for a while."""

from __future__ import annotations

import time

from app.state.settings import Settings, SettingsStore
from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Scene

_AFTER = 2.0  # seconds without change


class Autosave:
    """Watches the studio's content for changes, and writes the content that has changed.

    Args:
        store: where the content is written.
        scene, animation, settings: as they have been read; they are not written again.
    """

    def __init__(
        self, store: SettingsStore, scene: Scene, animation: Animation, settings: Settings
    ) -> None:
        self._store = store
        self._written = self._last = (scene, animation, settings)
        self._changed_at = time.monotonic()

    def note(self, scene: Scene, animation: Animation, settings: Settings) -> bool:
        """Look at the content, once a frame; whether it has changed since the last look."""
        content = (scene, animation, settings)
        if content == self._last:
            return False
        self._last, self._changed_at = content, time.monotonic()
        return True

    @property
    def quiet_for(self) -> float:
        """Seconds since the last change."""
        return time.monotonic() - self._changed_at

    @property
    def is_due(self) -> bool:
        """Whether nothing has changed for long enough."""
        return self.quiet_for > _AFTER

    def write(self, scene: Scene, animation: Animation, settings: Settings) -> None:
        """Write what differs from the content written last.

        Raises:
            OutputError: the content cannot be written; it is not tried again before a change.
        """
        (old, kept, before), self._written = self._written, (scene, animation, settings)
        try:
            if scene != old or scene.model_digest != old.model_digest or animation != kept:
                self._store.save_autosave(scene, animation)
        finally:
            if settings != before:
                self._store.save(settings)
