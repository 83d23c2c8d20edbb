"""The command ``heads``: make a data set of synthetic heads.

The request checks its values; :mod:`stylesdf_core.heads` renders and writes.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stylesdf_core.errors import check_range
from stylesdf_core.model.config import check_seed
from stylesdf_core.progress import Operation, Progress


@dataclass(frozen=True, kw_only=True)
class MakeHeads:
    """Render synthetic heads with known latents, cameras and, if wanted, depth.

    Run the same command again to complete an interrupted data set, or with a larger count to
    extend a data set. The same seed gives the same files, whatever the number of jobs.
    """

    facekit: Path
    """A clone of github.com/ICT-VGL/ICT-FaceKit, or the .npz written from one."""

    out: Path
    """Folder of the data set; new, empty, or an unfinished set of the same settings."""

    count: int = 20000
    """Heads to make, 1 to 1,000,000."""

    size: int = 256
    """Edge of the pictures in pixels, 16 to 2048."""

    views: int = 1
    """Pictures of each head, 1 to 100."""

    seed: int = 0
    """Seed of all latents and cameras, 0 or more."""

    azimuth_std: float | None = None
    """Standard deviation of the cameras' azimuth, 0 to 0.9 radians; 0 shows every head from the
    front. Default: the paper's for FFHQ, 0.3."""

    elevation_std: float | None = None
    """Standard deviation of the elevation, 0 to 0.45 radians. Default: the paper's, 0.15."""

    depth: bool = False
    """Also write 16-bit depth maps, as `evaluate --metrics shapes` needs them."""

    backgrounds: bool = False
    """A background of its own behind each head, which turns with the camera: gradients, blurred
    shapes and lights. The head's mask lies beside each picture. Without it, one light grey."""

    format: Literal["png", "webp"] = "png"
    """Format of the pictures: png, or lossless webp (a third smaller)."""

    jobs: int | None = None
    """Processes to use, 1 to 256; without it, one for each processor core."""

    def run(self) -> Operation[Path]:
        """Render the missing pictures; the result is the folder.

        Raises:
            InputError: a value is out of range, the face model cannot be read, or ``out`` holds
                another data set or other files.
            GraphicsError: no OpenGL context can be made here.
        """
        jobs = os.cpu_count() or 1 if self.jobs is None else self.jobs
        check_range("--count", self.count, 1, 1_000_000)
        check_range("--size", self.size, 16, 2048)
        check_range("--views", self.views, 1, 100)
        check_seed(self.seed, "--seed")
        check_range("--jobs", jobs, 1, 256)
        yield Progress(0, self.count, "reading the face model")
        from stylesdf_core.heads.dataset import (
            MAX_AZIMUTH,
            MAX_ELEVATION,
            DatasetSettings,
            HeadsDataset,
        )
        from stylesdf_core.heads.person.face_model import MorphableModel
        from stylesdf_core.heads.workers import each_head
        from stylesdf_core.rendering.camera import AZIMUTH_STD, ELEVATION_STD

        azimuth_std = AZIMUTH_STD if self.azimuth_std is None else self.azimuth_std
        elevation_std = ELEVATION_STD if self.elevation_std is None else self.elevation_std
        check_range("--azimuth-std", azimuth_std, 0, MAX_AZIMUTH, "radians")
        check_range("--elevation-std", elevation_std, 0, MAX_ELEVATION, "radians")
        model = MorphableModel.load(self.facekit)
        settings = DatasetSettings(
            self.seed,
            self.size,
            self.views,
            self.depth,
            self.format,
            model.fingerprint,
            backgrounds=self.backgrounds,
            azimuth_std=azimuth_std,
            elevation_std=elevation_std,
        )
        dataset = HeadsDataset(self.out, settings)
        missing = [index for index in range(self.count) if not dataset.is_complete(index)]
        kept = self.count - len(missing)
        message = f"heads rendered, {kept} were there" if kept else "heads rendered"
        with closing(each_head(dataset.write_head, self.facekit, missing, jobs)) as written:
            for done, (index, _) in enumerate(zip(missing, written, strict=True), start=1):
                dataset.record_up_to(index + 1)
                yield Progress(kept + done, self.count, message)
        dataset.record_up_to(self.count)
        return self.out
