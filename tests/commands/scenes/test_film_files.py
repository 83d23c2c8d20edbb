"""Films: every frame close to what was rendered, time kept to a hundredth, failures found."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

from stylesdf_core.commands.scenes import films
from stylesdf_core.commands.scenes.film_files import (
    FrameWriter,
    frame_schedule,
    write_loop,
    write_mp4,
)
from stylesdf_core.commands.scenes.films import RenderTurntable
from stylesdf_core.errors import OutputError
from stylesdf_core.progress import drain
from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Scene

Pixels = npt.NDArray[np.uint8]


def psnr(found: Pixels, wanted: Pixels) -> float:
    error = np.mean((found.astype(float) - wanted.astype(float)) ** 2)
    return float(10.0 * np.log10(255.0**2 / error))


def test_every_gif_frame_of_a_full_turn_from_the_back_is_close_to_the_rendered_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[Pixels] = []

    class Recorder:
        def __init__(self, writer: FrameWriter) -> None:
            self.writer = writer

        def add(self, frame: Pixels) -> None:
            rendered.append(frame)
            self.writer.add(frame)

    @contextmanager
    def recording(path: Path, fps: float, session: str) -> Iterator[FrameWriter]:
        with write_loop(path, fps, session) as writer:
            yield Recorder(writer)

    monkeypatch.setattr(films, "write_loop", recording)
    scene = Scene(identity=Identity(seed=742), camera=OrbitCamera(azimuth=np.pi))
    out = drain(RenderTurntable(out=tmp_path / "t.gif", scene=scene, frames=18, arc=6.3).run())
    with Image.open(out) as gif:
        assert gif.n_frames == len(rendered) == 18
        worst = 100.0
        for index, frame in enumerate(rendered):
            gif.seek(index)
            worst = min(worst, psnr(np.asarray(gif.convert("RGB")), frame))
    assert worst > 42.0  # 36 is what the eye asks for; 43 was measured


@pytest.mark.parametrize("fps", [1.0, 7.1, 24.0, 25.0, 30.0, 50.0, 60.0])
def test_a_gif_takes_the_time_that_its_frames_take(tmp_path: Path, fps: float) -> None:
    count = 30
    path = tmp_path / "t.gif"
    with write_loop(path, fps, "{}") as writer:
        for index in range(count):
            writer.add(np.full((16, 16, 3), 8 * index, np.uint8))
    with Image.open(path) as gif:
        delays = []
        for index in range(gif.n_frames):
            gif.seek(index)
            delays.append(gif.info["duration"])
    assert len(delays) == min(count, int(50 * count / fps))
    assert min(delays) >= 20
    assert sum(delays) == pytest.approx(1000 * count / fps, abs=5)
    shown = [index for index, _ in frame_schedule(count, fps)]
    assert shown == sorted(set(shown))


@pytest.mark.skipif(sys.platform == "win32", reason="the encoder is replaced by a shell script")
@pytest.mark.parametrize(
    ("script", "message"),
    [
        ("exit 3", "ffmpeg failed: exit status 3"),
        ("echo '[mp4] No space left on device' >&2; cat >/dev/null; exit 1", "No space left"),
        ("cat >/dev/null; for last; do :; done; echo moo >$last", "ffmpeg cannot read the film"),
        ('head -c 7000 | {ffmpeg} "$@"', "of 40 frames"),
    ],
)
def test_a_film_that_ffmpeg_did_not_finish_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, message: str
) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="MP4 is an extra")
    real = imageio_ffmpeg.get_ffmpeg_exe()
    fake = tmp_path / "ffmpeg"
    script = script.format(ffmpeg=real)
    fake.write_text(
        f'#!/bin/sh\ncase "$*" in *-metadata*) ;; *) exec {real} "$@";; esac\n{script}\n'
    )
    fake.chmod(0o755)
    monkeypatch.setattr(imageio_ffmpeg, "get_ffmpeg_exe", lambda: str(fake))
    path = tmp_path / "out" / "t.mp4"

    def write() -> None:
        with write_mp4(path, 24.0, "{}") as writer:
            for _ in range(40):
                writer.add(np.zeros((16, 16, 3), np.uint8))

    with pytest.raises(OutputError, match=message) as caught:
        write()
    assert "-metadata" not in str(caught.value)
    assert list(path.parent.iterdir()) == []


def test_an_mp4_says_which_colours_it_means_and_keeps_them(tmp_path: Path) -> None:
    imageio_ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="MP4 is an extra")
    colours = np.array([[200, 40, 30], [30, 180, 60], [20, 60, 220]], np.uint8)
    with write_mp4(tmp_path / "t.mp4", 10.0, "{}") as writer:
        for colour in colours:
            writer.add(np.broadcast_to(colour, (32, 32, 3)))
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-i", str(tmp_path / "t.mp4")]
    raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-")
    read = subprocess.run([*command, *raw], capture_output=True, check=True, timeout=60)
    assert b"bt709" in read.stderr
    pixels = np.frombuffer(read.stdout, np.uint8).reshape(3, -1, 3)
    np.testing.assert_allclose(pixels, np.broadcast_to(colours[:, None], pixels.shape), atol=3)
