"""Writers of animations: frames go in one by one, the file appears when the block ends well."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.scene.session_files import gif_comment

Pixels = npt.NDArray[np.uint8]
#: Colours of a GIF's palette; taken from the first frames, shared by all.
_COLOURS = 255


class FrameWriter(Protocol):
    """Takes the frames of an animation in order."""

    def add(self, frame: Pixels) -> None:
        """Append one frame, (H, W, 3)."""


class _GifFrames:
    """Frames as palette images: a third of the memory, quantised as they come.

    One palette serves all frames; palettes of their own would make still areas shimmer.
    """

    def __init__(self) -> None:
        self.images: list[Image.Image] = []
        self._palette: Image.Image | None = None

    def add(self, frame: Pixels) -> None:
        image = Image.fromarray(frame)
        if self._palette is None:
            self._palette = image.quantize(_COLOURS, method=Image.Quantize.MEDIANCUT)
        dither = Image.Dither.FLOYDSTEINBERG
        self.images.append(image.quantize(palette=self._palette, dither=dither))


@contextmanager
def write_gif(path: Path, fps: float, scene_json: str) -> Iterator[FrameWriter]:
    """Write an endless GIF that carries its session.

    Args:
        fps: kept in hundredths of a second, at most 50.
    """
    frames = _GifFrames()
    yield frames
    first, *rest = frames.images
    with atomic_output(path) as temporary:
        first.save(
            temporary,
            save_all=True,
            append_images=rest,
            duration=max(20, round(100.0 / fps) * 10),
            loop=0,
            comment=gif_comment(scene_json),
        )


class _Mp4Frames:
    """Streams frames to an encoder, which is started when the first one says how large they are."""

    def __init__(self, ffmpeg: Any, path: Path, fps: float, scene_json: str) -> None:
        self._ffmpeg = ffmpeg
        self._path = path
        self._fps = fps
        self._note = f"comment={scene_json}"
        self._encoder: Any = None

    def add(self, frame: Pixels) -> None:
        height, width = frame.shape[:2]
        pad = ((0, height % 2), (0, width % 2), (0, 0))  # H.264 wants even edges
        if self._encoder is None:
            self._encoder = self._ffmpeg.write_frames(
                str(self._path),
                (width + width % 2, height + height % 2),
                fps=self._fps,
                codec="libx264",
                quality=8,
                macro_block_size=1,
                output_params=["-metadata", self._note],
            )
            self._encoder.send(None)
        self._encoder.send(np.ascontiguousarray(np.pad(frame, pad, mode="edge")))

    def close(self) -> None:
        if self._encoder is not None:
            self._encoder.close()


@contextmanager
def write_mp4(path: Path, fps: float, scene_json: str) -> Iterator[FrameWriter]:
    """Write an H.264 file; its comment is the session.

    Raises:
        InputError: imageio-ffmpeg is not installed.
    """
    try:
        import imageio_ffmpeg
    except ImportError:
        raise InputError(
            "MP4 needs imageio-ffmpeg: pip install 'stylesdf-studio[video]', or choose a .gif."
        ) from None
    with atomic_output(path) as temporary:
        frames = _Mp4Frames(imageio_ffmpeg, temporary, fps, scene_json)
        try:
            yield frames
        finally:
            frames.close()
