"""`stylesdf-studio animate` and `turntable`: films through keyframes, and of a swinging camera.

An :class:`~stylesdf_core.scene.animation.Animation` says what each frame shows, the frames are
drawn as pictures are, and :mod:`.film_files` writes them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated

import tyro

from stylesdf_core.commands.scenes.film_files import (
    FilmFormat,
    Pixels,
    write_loop,
    write_mp4,
)
from stylesdf_core.commands.scenes.numbered_frames import older_frames, write_numbered
from stylesdf_core.commands.scenes.options.backgrounds import Background
from stylesdf_core.commands.scenes.options.rendering import PictureOptions, check_size
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags, SeedsFlag, seeds_of
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.files import check_destination
from stylesdf_core.model.model_zoo import absolute, is_named
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.scene.animation import Animation, Space, read_animation, write_animation
from stylesdf_core.scene.paths import ARC, Preset, preset_animation, sway
from stylesdf_core.scene.scene import SHIPPED_MODEL, Identity, Scene
from stylesdf_core.scene.session_files import signed

#: Frames of a film at most; an hour at 30 a second.
_MOST_FRAMES = 108_000


@dataclass(frozen=True, kw_only=True)
class FilmOptions(PictureOptions):
    """How films are drawn and written."""

    out: Path
    """.gif, .webp, .mp4 where imageio-ffmpeg is installed, or a folder for numbered PNGs; a
    film that is there already is replaced."""

    fps: float = 24.0
    """Frames per second, 1 to 60. A GIF shows at most 50 per second and leaves out the others."""

    def film(self, animation: Animation) -> Operation[Path]:
        """Render the frames of an animation and write the film; the result is its path.

        Raises:
            InputError: a scene, a number or the file name cannot be used, or MP4 is not available.
        """
        check_size(self.size)
        write = _film_writer(self.out)
        background = Background.of(self.background)
        if background is not None and background.is_transparent and write is write_mp4:
            raise InputError("An MP4 cannot be transparent: choose a .webp, a .gif or a folder.")
        check_range("--fps", self.fps, 1, 60)
        if animation.duration * self.fps > _MOST_FRAMES:
            raise InputError(
                f"The animation has more than {_MOST_FRAMES:,} frames: it lasts "
                f"{animation.duration:g} seconds."
            )
        times = animation.frame_times(self.fps)
        views = [animation.view_at(time) or self.view for time in times]
        yield Progress(0, len(times), "loading the model")
        session = signed(animation.keyframes[0].scene).to_json()
        with (
            write(self.out, self.fps, session) as writer,
            self.renderer(animation.model) as renderer,
        ):
            size = self.size
            if size is None and len(set(views)) > 1:  # whose own sizes differ
                size = renderer.engine.config.output_size
            shown: tuple[object, Pixels] | None = None
            for index, (time, view) in enumerate(zip(times, views, strict=True)):
                scene, options = animation.at(time), replace(self, view=view, size=size)
                if shown is None or shown[0] != (scene, view):  # else the picture stands still
                    drawing = options.pixels(renderer, scene, background)
                    frame = yield from part(drawing, index, index + 1, len(times))
                    shown = ((scene, view), frame)
                writer.add(shown[1])
                yield Progress(index + 1, len(times), f"frame {index + 1} of {len(times)}")
        return self.out


@dataclass(frozen=True, kw_only=True)
class RenderTurntable(FilmOptions):
    """Render an animation of the camera going around a face."""

    frames: int = 48
    """Frames in one loop, 2 to 2000."""

    arc: float = ARC
    """Angle through which the camera swings to and fro around the scene's azimuth, radians, above
    0; 2 pi or more is a full turn."""

    scene: SceneFlags = field(default_factory=Scene)

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file.

        Raises:
            InputError: the scene or a number cannot be used, or MP4 is not available.
        """
        check_range("--frames", self.frames, 2, 2000)
        check_range("--fps", self.fps, 1, 60)
        _check_arc(self.arc)
        return (yield from self.film(self.animation()))

    def animation(self) -> Animation:
        """The camera's motion."""
        return sway(self.scene, self.frames / self.fps, self.arc)


@dataclass(frozen=True, kw_only=True)
class Animate(FilmOptions):
    """Render an animation through keyframes, from a file or ready-made, as a film.

    Faces, cameras and sliders change smoothly from keyframe to keyframe.
    """

    out: Path
    """.gif, .webp, .mp4 where imageio-ffmpeg is installed, or a folder for numbered PNGs; a .json
    takes the keyframes instead, for example those of a preset to be edited."""

    keyframes: Annotated[Path | None, tyro.conf.arg(metavar="FILE.json")] = None
    """The file of keyframes, or a session that the window has saved with a timeline. If it names a
    model file, name that file with --model too."""

    preset: Preset | None = None
    """Instead of keyframes: a full turn, the camera swinging or on an ellipse, or a morph through
    --seeds and back to the first."""

    seeds: SeedsFlag = ""
    """Of the morph: its faces, such as 0-5,12."""

    seconds: float = 4.0
    """Of a preset: its duration, up to 600 seconds."""

    arc: float = ARC
    """Of sway and ellipsoid: the angle from end to end, radians; 2 pi or more is all around."""

    space: Space = "w"
    """Of the morph: interpolate faces linearly in w, or along the great circle in z."""

    scene: SceneFlags = field(default_factory=Scene)

    animation: Annotated[Animation | None, tyro.conf.Suppress] = None
    """The keyframes themselves, where there is no file."""

    def run(self) -> Operation[Path]:
        """Render and write; the result is the file or the folder.

        Raises:
            InputError: the keyframes, a scene or a number cannot be used, or MP4 is not available.
        """
        animation = self.resolved()
        if self.out.suffix.lower() == ".json":
            check_destination(self.out)
            yield Progress(0, 1, "writing the keyframes")
            write_animation(animation, self.out)
            return self.out
        return (yield from self.film(animation))

    def resolved(self) -> Animation:
        """The animation that is asked for.

        Raises:
            InputError: there is none, or it cannot be used.
        """
        given = [self.keyframes is not None, self.preset is not None, self.animation is not None]
        if sum(given) != 1:
            raise InputError("Give either --keyframes FILE.json or --preset NAME.")
        if self.seeds and self.preset != "morph":
            raise InputError("--seeds are the faces of --preset morph.")
        if self.preset is not None:
            return self._made(self.preset)
        animation = self.animation or self._read()
        if len(animation.keyframes) < 2:
            raise InputError("An animation needs two or more keyframes.")
        return animation

    def _made(self, preset: Preset) -> Animation:
        check_range("--seconds", self.seconds, 0.1, 600, "seconds")
        _check_arc(self.arc)
        scenes: tuple[Scene, ...] = (self.scene,)
        if preset == "morph":
            if not self.seeds:
                raise InputError("--preset morph needs the --seeds of its faces, such as 0-5.")
            edits = self.scene.identity.edits
            scenes = tuple(
                replace(self.scene, identity=Identity(seed, None, edits))
                for seed in seeds_of(self.seeds)
            )
        return preset_animation(preset, scenes, self.seconds, self.arc, self.space)

    def _read(self) -> Animation:
        """The animation of the file, with the model that the flags name.

        A stranger's file may name any path, which is not touched before the user names it too.
        """
        assert self.keyframes is not None
        animation = read_animation(self.keyframes)
        if self.scene not in (Scene(self.scene.model), Scene.of_model(self.scene.model)):
            raise InputError("Beside --keyframes, of all flags of scenes only --model counts.")
        if self.scene.model != SHIPPED_MODEL:
            return animation.with_model(self.scene.model)
        if not is_named(animation.model):
            raise InputError(
                f"{self.keyframes} names the model file {absolute(animation.model)}; to load it, "
                "if you trust it, name it yourself with --model."
            )
        return animation


def _check_arc(arc: float) -> None:
    if not 0.0 < arc < math.inf:
        raise InputError(f"--arc must be an angle above 0 radians, not {arc:g}.")


def _film_writer(path: Path) -> FilmFormat:
    """The writer for a film's path: by its suffix; without a suffix it is a folder of pictures.

    Raises:
        OutputError: the suffix is another one, or nothing can be written there.
        InputError: the folder holds numbered pictures that are no film.
    """
    writers: dict[str, FilmFormat] = {".gif": write_loop, ".webp": write_loop, ".mp4": write_mp4}
    if path.is_dir() or not path.suffix:
        older_frames(path)
        return write_numbered
    check_destination(path, tuple(writers))
    return writers[path.suffix.lower()]
