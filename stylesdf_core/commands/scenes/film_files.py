"""Films as GIF, WebP and MP4: frames are added one by one, the file appears after the last frame.

A film (:mod:`.films`) opens one of the writers, adds its frames, and leaves the ``with`` block.
Each writer reads its file back before the file gets its final name.
"""

from __future__ import annotations

import itertools
import subprocess
import zlib
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output, cleaned_up
from stylesdf_core.scene.session_files import exif, gif_comment

Pixels = npt.NDArray[np.uint8]
#: Colours of a GIF's palette. All frames share it; a palette per frame would make still areas
#: shimmer.
_COLOURS = 255
# The palette is made from up to 64 frames spread over the loop, 64 by 64 pixels of each.
_PALETTE_FRAMES, _PALETTE_EDGE = 64, 64
#: Of WebP films, 0 to 100, as the format counts.
_WEBP_QUALITY = 90
#: Shortest delay of a frame, hundredths of a second; browsers prolong shorter delays.
_SHORTEST = 2


class FrameWriter(Protocol):
    """Takes the frames of a film in order."""

    def add(self, frame: Pixels) -> None:
        """Append one frame, (H, W, 3), or (H, W, 4) where the format can be transparent."""


#: Opens a film for a path, frames per second and a session.
FilmFormat: TypeAlias = Callable[[Path, float, str], AbstractContextManager[FrameWriter]]


class _KeptFrames:
    """The frames of a GIF or WebP, compressed without loss until the last frame is known."""

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self._frames: list[bytes] = []

    def add(self, frame: Pixels) -> None:
        self._shape = frame.shape
        self._frames.append(zlib.compress(frame.tobytes(), 1))

    def save_webp(self, path: Path, fps: float, session: str) -> None:
        count = len(self._frames)
        starts = [round(1000.0 * index / fps) for index in range(count + 1)]
        first, *rest = (Image.fromarray(self._frame(index)) for index in range(count))
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=[stop - start for start, stop in itertools.pairwise(starts)],
            loop=0,
            quality=_WEBP_QUALITY,
            alpha_quality=100,
            exif=exif(session),
        )

    def save_gif(self, path: Path, fps: float, session: str) -> None:
        schedule = frame_schedule(len(self._frames), fps)
        palette = self._palette()
        # On a shipped head's full turn, dithered frames have a mean PSNR of 44 dB to the rendered
        # frames, undithered frames 43.5 dB; Pillow's other palettes are up to 4 dB worse.
        first, *rest = (self._quantized(index, palette) for index, _ in schedule)
        transparent: dict[str, Any] = {}
        if self._shape[2] == 4:
            transparent = {"transparency": _COLOURS, "disposal": 2}
        first.save(
            path,
            save_all=True,
            append_images=rest,
            duration=[10 * delay for _, delay in schedule],  # Pillow counts milliseconds
            loop=0,
            comment=gif_comment(session),
            **transparent,
        )

    def _quantized(self, index: int, palette: Image.Image) -> Image.Image:
        """A frame in the palette's colours; its last index stands for what is transparent."""
        frame = self._frame(index)
        image = Image.fromarray(frame[..., :3]).quantize(palette=palette)
        if self._shape[2] == 4:
            indices = np.where(frame[..., 3] < 128, np.uint8(_COLOURS), np.asarray(image))
            colors = image.getpalette() or []
            image = Image.fromarray(indices)  # grey, until it has a palette
            image.putpalette(colors)
        return image

    def _frame(self, index: int) -> Pixels:
        return np.frombuffer(zlib.decompress(self._frames[index]), np.uint8).reshape(self._shape)

    def _palette(self) -> Image.Image:
        count = len(self._frames)
        rows, columns = (
            np.linspace(0, edge - 1, min(edge, _PALETTE_EDGE)).astype(int)
            for edge in self._shape[:2]
        )
        spread = np.linspace(0, count - 1, min(count, _PALETTE_FRAMES)).astype(int)
        samples = np.concatenate(
            [self._frame(index)[np.ix_(rows, columns)][..., :3] for index in spread]
        )
        method = Image.Quantize.MAXCOVERAGE
        return Image.fromarray(samples).quantize(_COLOURS, method=method, kmeans=1)


def frame_schedule(count: int, fps: float) -> list[tuple[int, int]]:
    """Which of ``count`` frames a GIF shows, and each one's delay in hundredths of a second.

    The delays differ by a hundredth where ``fps`` asks for it, so that the loop takes
    ``count / fps`` seconds to a hundredth. Above 50 frames a second some frames are left out.
    """
    total = 100.0 * count / fps
    shown = max(1, min(count, int(total / _SHORTEST + 1e-9)))
    starts = [round(total * index / shown) for index in range(shown + 1)]
    return [(index * count // shown, starts[index + 1] - starts[index]) for index in range(shown)]


@contextmanager
def write_loop(path: Path, fps: float, session: str) -> Iterator[FrameWriter]:
    """Write an endless GIF or WebP, by the path's suffix, that carries its session.

    Raises:
        OutputError: the file cannot be written.
    """
    frames = _KeptFrames()
    yield frames
    save = frames.save_gif if path.suffix.lower() == ".gif" else frames.save_webp
    with atomic_output(path) as temporary:
        save(temporary, fps, session)


class _Mp4Frames:
    """Streams frames to ffmpeg, which starts with the first frame, when the size is known."""

    def __init__(self, ffmpeg: str, path: Path, fps: float, session: str) -> None:
        self._command = [ffmpeg, "-loglevel", "error", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"]
        self._output = [
            *("-r", f"{fps:g}", "-i", "-"),
            *("-vf", "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p"),
            *("-c:v", "libx264", "-crf", "10"),
            *("-colorspace", "bt709", "-color_primaries", "bt709", "-color_trc", "bt709"),
            *("-metadata", f"comment={session}", str(path)),
        ]
        self._process: subprocess.Popen[bytes] | None = None
        self.count = 0

    def add(self, frame: Pixels) -> None:
        odd_height, odd_width = (edge % 2 for edge in frame.shape[:2])
        pad = ((0, odd_height), (0, odd_width), (0, 0))  # H.264 wants even edges
        frame = np.pad(frame, pad, mode="edge")
        if self._process is None:
            size = f"{frame.shape[1]}x{frame.shape[0]}"
            self._process = subprocess.Popen(
                [*self._command, "-s", size, *self._output],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(frame.tobytes())
        except OSError:  # ffmpeg has ended; finish() raises its reason
            self.finish()
        self.count += 1

    def finish(self) -> None:
        """Wait until ffmpeg has written the film.

        Raises:
            OSError: ffmpeg failed; says how.
        """
        if self._process is None:
            return
        _, messages = self._process.communicate()
        if self._process.returncode != 0:
            lines = messages.decode(errors="replace").strip().split("\n")
            reason = lines[-1].split("] ")[-1] or f"exit status {self._process.returncode}"
            raise OSError(f"ffmpeg failed: {reason}")

    def close(self) -> None:
        """Kill ffmpeg if it is still running, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stderr):
                assert pipe is not None
                with suppress(OSError):  # frames that ffmpeg has not taken
                    pipe.close()


@contextmanager
def write_mp4(path: Path, fps: float, session: str) -> Iterator[FrameWriter]:
    """Write an H.264 film; its comment is the session.

    Raises:
        InputError: imageio-ffmpeg is not installed.
        OutputError: ffmpeg failed, or the file does not hold all frames.
    """
    try:
        import imageio_ffmpeg

        ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    except (ImportError, RuntimeError):
        raise InputError(
            "MP4 needs imageio-ffmpeg: pip install 'stylesdf-studio[video]', or choose a .gif."
        ) from None

    def check(file: Path) -> None:
        try:
            count, _ = imageio_ffmpeg.count_frames_and_secs(file)
        except RuntimeError:  # its text is ffmpeg's whole output
            raise ValueError("ffmpeg cannot read the film") from None
        if count != frames.count:
            raise ValueError(f"it holds {count} of {frames.count} frames")

    with atomic_output(path, check=check) as temporary:
        frames = _Mp4Frames(ffmpeg, temporary, fps, session)
        with cleaned_up(frames.close):
            yield frames
            frames.finish()
