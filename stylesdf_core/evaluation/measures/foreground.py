"""Whether a model tells the head from the background: its opacity against a judge's masks.

The judge (:mod:`~stylesdf_core.evaluation.fitted.foreground_judge`) learns from the true pictures'
masks, which the model's training has not seen, and tells where the head is in generated pictures.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.data import images as data
from stylesdf_core.data.images import open_images
from stylesdf_core.engine.coverage import coverage
from stylesdf_core.engine.engine import Engine
from stylesdf_core.errors import InputError
from stylesdf_core.evaluation.fitted.foreground_judge import (
    STEPS,
    fit_foreground_judge,
    mean_iou,
    read_masks,
)
from stylesdf_core.evaluation.measures.picture_sets import shuffled, untruncated
from stylesdf_core.evaluation.measures.rows import Columns
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.foreign import open_picture, reading
from stylesdf_core.model.poses import Poses
from stylesdf_core.progress import Operation, Progress, part

Bytes = npt.NDArray[np.uint8]

#: The IoU that a head told from its background reaches, and the judge's own to be trusted.
TARGET = 0.95
#: Largest edge of the pictures that are judged; larger pictures are shrunk to this edge.
EDGE = 32
#: True pictures with masks from which the judge learns: at most, and at least.
_MOST, _FEWEST = 1000, 64
#: Duration of reading masks and fitting the judge, in the time that reading a picture takes.
FIT = 7000.0


def has_masks(folder: Path) -> bool:
    """Whether a data set has as many masks as the judge needs."""
    return len(read_masks(folder)) >= _FEWEST


@dataclass(frozen=True)
class Foreground:
    """The opacity of a model's heads, each from a camera of its own.

    Attributes:
        folder: true pictures with masks.
        seed_start: seed of the first head.
        pose_seed: seed of the cameras.

    Raises:
        InputError: the true pictures have no masks, or too few.
    """

    engine: Engine
    folder: Path
    seed_start: int
    poses: Poses
    pose_seed: int

    def __post_init__(self) -> None:
        count = len(read_masks(self.folder))
        if count < _FEWEST:
            raise InputError(
                f"{self.folder} holds {count} pictures with masks, and the metric foreground needs "
                f"{_FEWEST}: make a data set with `heads --backgrounds`."
            )

    @property
    def edge(self) -> int:
        """Edge of the pictures that are judged, pixels."""
        return min(EDGE, self.engine.config.output_size)

    def measure(self, things: Sequence[int]) -> Columns:
        """Rows of heads: ``small`` (B, E, E, 3), and ``opacity`` (B, E, E) from 0 to 255."""
        config, edge = self.engine.config, self.edge
        cameras = self.poses.cameras(max(things) + 1, self.pose_seed)
        small, opacity = [], []
        for number in things:
            scene = untruncated(self.seed_start + number, cameras[number])
            picture = self.engine.render(scene, "image" if config.has_decoder else "volume")
            small.append(data.shrink(picture.to_uint8(), edge))
            covered = coverage(self.engine, scene, edge)
            opacity.append(np.rint(255.0 * covered).astype(np.uint8))
        return {"small": np.stack(small), "opacity": np.stack(opacity)}

    def figures(self, small: Bytes, opacity: Bytes) -> Operation[list[Figure]]:
        """The mean IoU over heads."""
        pixels, masks = yield from part(self._true(), 0.0, 0.2)
        judge = yield from part(fit_foreground_judge(pixels, masks, steps=STEPS), 0.2, 1.0)
        value = mean_iou(judge(small), opacity > 127)
        detail = (
            f"opacity against a judge's masks, {len(small)} heads; the judge learned from "
            f"{len(pixels)} true masks, its IoU on held-out ones {judge.held_out:.3f}"
        )
        if judge.held_out < TARGET:
            detail += ": too low to trust its masks"
        title = "foreground, IoU of opacity and judged mask"
        return [Figure("foreground_iou", title, value, digits=3, low=TARGET, detail=detail)]

    def _true(self) -> Operation[tuple[Bytes, Bytes]]:
        """Pictures (N, E, E, 3) and masks (N, E, E)."""
        names, edge = read_masks(self.folder), self.edge
        pixels, masks = [], []
        with closing(open_images(self.folder, edge)) as source:
            chosen = shuffled(len(source.names))[:_MOST].tolist()
            for done, index in enumerate(chosen):
                name = source.names[index]
                picture, mask = self.folder / name, self.folder / names[name]
                with reading(mask, "a mask"), open_picture(mask) as opened:
                    masks.append(data.square(opened, edge)[..., 0])
                with reading(picture, "a picture"), source.read(index) as opened:
                    pixels.append(data.square(opened, edge))
                yield Progress(done + 1, len(chosen), "reading true masks")
        return np.stack(pixels), np.stack(masks)
