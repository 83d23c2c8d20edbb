"""Settings that the studio remembers between starts, as JSON in the configuration folder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.workers.pass_planner import WhileMoving
from stylesdf_core.commands.scenes.batch import Batch, BatchKinds
from stylesdf_core.commands.scenes.options.assets import AssetSettings
from stylesdf_core.commands.scenes.options.backgrounds import OWN
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError
from stylesdf_core.files import write_json, write_text
from stylesdf_core.foreign import read_json
from stylesdf_core.resources import user_folder
from stylesdf_core.scene.animation import Animation, read_animation, session_text
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.session_files import read_scene
from stylesdf_core.scene.sheet import Sheet

_RECENT = 8


@dataclass(frozen=True)
class WindowSettings:
    """Place, scale and columns of the window.

    Attributes:
        width, height, x, y: of the window's inside, pixels of the desktop; a width of 0 before
            the first start.
        font_scale: 0.75 to 3, scales everything; 0 follows the display.
        left_width, right_width: of the side columns, pixels at scale 1.
        panels_shown: whether the side columns are shown.
        folded: titles of the sections of which only the heading is shown.
        strip: title of the chosen tab under the viewport.
        strip_shown: whether the tab is shown, or only the line of titles.
    """

    width: int = 0
    height: int = 0
    x: int = 0
    y: int = 0
    font_scale: float = 0.0
    left_width: int = 316
    right_width: int = 280
    panels_shown: bool = True
    folded: tuple[str, ...] = ()
    strip: str = "Filmstrip"
    strip_shown: bool = True


@dataclass(frozen=True)
class ViewSettings:
    """What the viewport shows: a view, or picture and mesh side by side.

    Attributes:
        split: picture and mesh side by side.
        pixels: show the picture's own pixels, one on each pixel of the screen.
        while_moving: how many pictures a second a motion shall have: fluid more, sharp fewer and
            finer ones.
        background: behind the head, in the viewport and in exported pictures and animations: model
            for the model's own, none, a colour #rrggbb or a picture file.
        pose_guide: draw where the camera stands within the trained poses.
        hint_seen: the user has dragged the picture, so the hint is not shown again.
    """

    view: View = "image"
    split: bool = False
    pixels: bool = False
    while_moving: WhileMoving = "balanced"
    background: str = OWN
    pose_guide: bool = True
    hint_seen: bool = False

    @property
    def shows_picture(self) -> bool:
        """Whether there is a picture pane."""
        return self.view != "mesh" or self.split

    @property
    def shows_mesh(self) -> bool:
        """Whether there is a mesh pane."""
        return self.view == "mesh" or self.split

    @property
    def picture_view(self) -> View:
        """The view in the picture pane: the chosen view; the image if the mesh is chosen."""
        return "image" if self.view == "mesh" else self.view


@dataclass(frozen=True)
class ExportSettings:
    """The folder of exports, the size of pictures, and the frames of turntables.

    Attributes:
        folder: empty for the user's pictures folder.
        picture_size: edge of pictures in pixels; 0 for each view's own.
        size: edge of turntable frames in pixels; 0 for the model's own.
    """

    folder: str = ""
    picture_size: int = 0
    frames: int = 48
    fps: int = 24
    size: int = 0


@dataclass(frozen=True)
class SheetSettings:
    """The contact sheet.

    Attributes:
        view: of all faces.
        rows: of an exported sheet.
        cell: edge of a face on an exported sheet, pixels.
    """

    page: Sheet = field(default_factory=Sheet)
    view: View = "image"
    rows: int = 4
    cell: int = 160


@dataclass(frozen=True)
class BatchSettings:
    """The last batch: which faces, and which files of each.

    Attributes:
        folder: empty for one beside the exports.
        seeds: seeds and ranges, as of :class:`Batch`.
        name: template of the files' names.
    """

    folder: str = ""
    seeds: str = "0-9"
    name: str = Batch.name
    kinds: BatchKinds = field(default_factory=lambda: BatchKinds(png=True))


@dataclass(frozen=True)
class TrainingSettings:
    """The folders in which training runs are found.

    Attributes:
        folder: of new runs; empty for the user's data folder.
        added: run folders elsewhere that are listed as well.
        hidden: run folders that have been taken off the list; their files stay.
        data: the images of the last run that was started.
    """

    folder: str = ""
    added: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    data: str = ""


Section = Literal["window", "view", "mesh", "asset", "export", "batch", "sheet", "training"]


@dataclass(frozen=True)
class Settings:
    """All settings; the fields named in ``Section`` are dataclasses themselves.

    Attributes:
        device: auto, cpu, cuda or mps.
        recent_models: files opened before, newest first.
        recent_sessions: sessions and exported files, opened or saved before, newest first.
        recent_folders: in which files have been chosen, newest first.
        picture_folder: of the photograph or background that was opened last; empty before.
        locked: names of latent directions that keep their value when the seed changes.
    """

    window: WindowSettings = field(default_factory=WindowSettings)
    view: ViewSettings = field(default_factory=ViewSettings)
    mesh: MeshSettings = field(default_factory=MeshSettings)
    asset: AssetSettings = field(default_factory=AssetSettings)
    export: ExportSettings = field(default_factory=ExportSettings)
    batch: BatchSettings = field(default_factory=BatchSettings)
    sheet: SheetSettings = field(default_factory=SheetSettings)
    training: TrainingSettings = field(default_factory=TrainingSettings)
    device: str = "auto"
    recent_models: tuple[str, ...] = ()
    recent_sessions: tuple[str, ...] = ()
    recent_folders: tuple[str, ...] = ()
    picture_folder: str = ""
    locked: tuple[str, ...] = ()

    def with_recent_model(self, path: str) -> Settings:
        """With ``path`` at the head of the recent models."""
        return dataclasses.replace(self, recent_models=_with_newest(path, self.recent_models))

    def with_recent_session(self, path: Path) -> Settings:
        """With ``path`` at the head of the recent sessions."""
        recent = _with_newest(str(path.absolute()), self.recent_sessions)
        return dataclasses.replace(self, recent_sessions=recent)

    def with_recent_folder(self, path: str) -> Settings:
        """With ``path`` at the head of the recent folders."""
        return dataclasses.replace(self, recent_folders=_with_newest(path, self.recent_folders))


def _with_newest(path: str, recent: tuple[str, ...]) -> tuple[str, ...]:
    return (path, *(entry for entry in recent if entry != path))[:_RECENT]


class SettingsStore:
    """Reads and writes the settings and the autosaved session.

    Args:
        folder: None for the user's configuration folder.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or user_folder("config")
        #: Of the filmstrip's pictures.
        self.faces_folder = (folder or user_folder("data")) / "faces"
        self.tunings_folder = self.faces_folder.with_name("tunings")

    @property
    def settings_path(self) -> Path:
        """``settings.json``."""
        return self.folder / "settings.json"

    @property
    def autosave_path(self) -> Path:
        """``autosave.json``, the scene of the last session."""
        return self.folder / "autosave.json"

    def load(self) -> Settings:
        """The settings; a missing or damaged field has its default."""
        try:
            data = read_json(self.settings_path)
        except InputError:
            return Settings()
        settings: Settings = _tolerant(Settings, data)
        return settings

    def save(self, settings: Settings) -> None:
        """Write the settings atomically.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_json(self.settings_path, to_json(settings))

    def load_autosave(self) -> Scene | None:
        """The autosaved scene, or None where there is none that can be read."""
        try:
            return read_scene(self.autosave_path)
        except InputError:
            return None

    def load_timeline(self) -> Animation | None:
        """The autosaved keyframes, or None where there are none that can be read."""
        try:
            return read_animation(self.autosave_path)
        except InputError:
            return None

    def save_autosave(self, scene: Scene, animation: Animation) -> None:
        """Write scene and keyframes atomically.

        Raises:
            OutputError: the folder cannot be written.
        """
        write_text(self.autosave_path, session_text(scene, animation, self.autosave_path.parent))


def _tolerant(cls: type[Any], data: Any) -> Any:
    """``cls`` from JSON, with the default for each field that is absent, unknown or wrong."""
    value = cls()
    if not isinstance(data, Mapping):
        return value
    for item in dataclasses.fields(cls):
        if item.name not in data:
            continue
        default = getattr(value, item.name)
        if dataclasses.is_dataclass(default):
            value = dataclasses.replace(
                value, **{item.name: _tolerant(type(default), data[item.name])}
            )
            continue
        try:
            value = dataclasses.replace(
                value,
                **{item.name: getattr(from_json(cls, {item.name: data[item.name]}), item.name)},
            )
        except (InputError, ValueError, TypeError):
            continue
    return value


def default_runs_folder() -> Path:
    """The folder of new training runs, unless the user has chosen one."""
    return user_folder("data") / "runs"


def default_export_folder() -> Path:
    """The folder of exports, unless the user has chosen one."""
    return user_folder("pictures")
