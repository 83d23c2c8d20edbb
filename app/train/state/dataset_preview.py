"""Checks a new run's images: how many can be used, and some crops as training sees them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.data.images import UNREADABLE, Skipped, find_usable, open_images, square

COLUMNS, ROWS = 6, 2
#: Edge of a crop on the sheet, pixels; crops of other sizes are enlarged or shrunk to it.
CELL = 64


@dataclass(frozen=True)
class PreviewRequest:
    """The images to check.

    Attributes:
        size: edge to train at, pixels; 0 for the size of the model in ``init``.
        upscale: use images whose edge is less than half of ``size`` too.
        init: model that the run starts from; empty where ``size`` is given.
    """

    path: Path
    size: int
    upscale: bool
    init: str = ""


@dataclass(frozen=True, eq=False)
class Preview:
    """Numbers of images, and a sheet of crops.

    Attributes:
        looked_at, total: number of images that have been checked, and of all images.
        usable: number of images to train on; None until all have been checked.
        smallest: least edge of the usable images, pixels.
        skipped: images that cannot be used, and why.
        sheet: (ROWS·CELL, COLUMNS·CELL, 3) in [0, 1]; None until all have been checked.
    """

    request: PreviewRequest
    looked_at: int
    total: int
    usable: int | None = None
    smallest: int = 0
    skipped: tuple[Skipped, ...] = ()
    sheet: npt.NDArray[np.float32] | None = None


def look_at_images(request: PreviewRequest) -> Iterator[Preview]:
    """Check all images; yields how many have been checked, and at last the sheet of crops.

    Raises:
        InputError: there are no images, or there is no model in ``init``.
    """
    asked = request
    if not request.size:
        from stylesdf_core.model.checkpoints.checkpoints import read_architecture
        from stylesdf_core.model.model_zoo import resolve

        size = read_architecture(resolve(request.init).path).output_size
        request = replace(request, size=size)
    with closing(open_images(request.path, request.size)) as source:
        total = len(source.names)
        found = Preview(asked, 0, total)
        yield found
        looking = find_usable(source, request.size, upscale=request.upscale)
        while True:
            try:
                progress = next(looking)
            except StopIteration as stop:
                usable = stop.value
                break
            yield replace(found, looked_at=int(progress.done))
        found = Preview(asked, total, total, len(usable.indices), usable.smallest, usable.skipped)
        count = min(ROWS * COLUMNS, len(usable.indices))
        chosen = [usable.indices[i * len(usable.indices) // count] for i in range(count)]
        crops = []
        for index in chosen:
            try:
                with source.read(index) as image:
                    crops.append(square(image, request.size))
            except UNREADABLE:  # damaged further in than its header
                continue
        yield replace(found, sheet=_sheet(crops))


def _sheet(crops: list[npt.NDArray[np.uint8]]) -> npt.NDArray[np.float32]:
    from PIL import Image

    sheet = np.zeros((ROWS * CELL, COLUMNS * CELL, 3), np.float32)
    for number, crop in enumerate(crops):
        # Small crops keep their pixels, which are those that training sees.
        small = len(crop) <= CELL
        filter_ = Image.Resampling.NEAREST if small else Image.Resampling.LANCZOS
        cell = np.asarray(Image.fromarray(crop).resize((CELL, CELL), filter_), np.float32) / 255.0
        y, x = CELL * (number // COLUMNS), CELL * (number % COLUMNS)
        sheet[y : y + CELL, x : x + CELL] = cell
    return sheet
