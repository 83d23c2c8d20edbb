"""The contact sheet: an endless page of faces that fills while nothing else is computed."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from app.workers.thumbnails import Thumbnail, ThumbnailRequest, Thumbnails
from stylesdf_core.errors import StyleSDFError
from stylesdf_core.model.latents.latents import LatentDirection
from stylesdf_core.scene.scene import Scene, View
from stylesdf_core.scene.sheet import Sheet

if TYPE_CHECKING:
    from stylesdf_core.model.model import Model

#: Pictures that are kept, nearest to the visible part of the page.
_KEPT = 240
#: Finished pictures have one of these edges, pixels, whatever the edge of a cell.
_EDGES = (96, 128, 192, 256)


@dataclass(frozen=True)
class SheetCell:
    """A face of the page: its scene, label, and the newest picture of it, if there is one."""

    scene: Scene
    label: str
    thumbnail: Thumbnail | None


class ContactSheet:
    """The page's faces, of which the visible ones and one page more are rendered.

    Attributes:
        first: the scene from which the page is made.
        problem: why the page cannot be filled; empty if it can.

    Args:
        news: set with each new picture.
        may_work: whether nothing else is computed and nothing moves; called in a thread.
    """

    def __init__(self, news: threading.Event, may_work: Callable[[], bool]) -> None:
        self.first = Scene()
        self._has_begun = False
        self.problem = ""
        self._sheet, self._edge = Sheet(), _EDGES[1]
        self._view: View = "image"
        self._model: Model | None = None
        self._worker = Thumbnails(news, may_work)
        self._values: Mapping[str, float] | None = None
        self._cells: dict[int, SheetCell] = {}
        self._pictures: dict[Scene, Thumbnail] = {}  # cells can share a scene, as morphs' first
        self._visible = range(0)
        self._asked: ThumbnailRequest | None = None

    def begin(self, first: Scene) -> None:
        """Make the page from another scene."""
        self._has_begun = True
        if first != self.first:
            self.first = first
            self._clear()

    def follow(self, scene: Scene) -> None:
        """Make the page from the scene in Explore if it has another model than the page."""
        if not self._has_begun or self.first.model != scene.model:
            self.begin(scene)

    def retry(self) -> None:
        """Fill the page anew after a problem."""
        self._clear()

    def show(
        self, model: Model | None, sheet: Sheet, view: View, visible: range, edge: int
    ) -> None:
        """Once a frame while the page is shown.

        Args:
            visible: indices of the visible cells.
            edge: of a cell on the screen, pixels.
        """
        edge = next((e for e in _EDGES if e >= edge), _EDGES[-1])
        page = (model, sheet, view)
        if page != (self._model, self._sheet, self._view):
            self._model, self._sheet, self._view = model, sheet, view
            self._clear()
        self._visible, self._edge = visible, edge

    def tick(self, device: str) -> None:
        """Take finished pictures and ask for those that are missing; also while hidden."""
        try:
            for thumbnail in self._worker.poll():
                self._pictures[thumbnail.scene] = thumbnail
        except Exception as error:  # of any kind, from the thread
            self.problem = f"The page cannot be filled: {error}"
        if self._model is not None and self._visible and not self.problem:
            self._ask(self._model, device)

    def cell(self, index: int) -> SheetCell | None:
        """The face at a place of the page; None where :attr:`problem` says why there is none."""
        if index not in self._cells and self._model is not None and not self.problem:
            try:
                values = self._direction_values(self._model)
                scene = self._sheet.scene(self.first, index, self.directions, values)
                label = self._sheet.label(scene, index, self.directions)
            except StyleSDFError as error:
                self.problem = str(error)
                return None
            self._cells[index] = SheetCell(scene, label, None)
            self._forget_far()
        cell = self._cells.get(index)
        return cell and replace(cell, thumbnail=self._pictures.get(cell.scene))

    @property
    def directions(self) -> tuple[LatentDirection, ...]:
        """Named directions of the page's model."""
        return self._model.directions if self._model is not None else ()

    @property
    def progress(self) -> tuple[int, int]:
        """How many of the visible faces are finished, and how many are visible."""
        cells = [self._cells.get(index) for index in self._visible]
        pictures = [self._pictures.get(cell.scene) for cell in cells if cell is not None]
        return sum(p is not None and p.is_final for p in pictures), len(cells)

    def close(self) -> None:
        """End the thread."""
        self._worker.close()

    def _direction_values(self, model: Model) -> Mapping[str, float]:
        """Where the first face lies on each direction."""
        if self._values is None:
            import torch

            from stylesdf_core.engine.styles import StyleMapper

            mapper = StyleMapper(model, model.generator, torch.device("cpu"))
            self._values = mapper.direction_values(self.first)
        return self._values

    def _ask(self, model: Model, device: str) -> None:
        ahead = range(self._visible.stop, self._visible.stop + len(self._visible))
        wanted = [c for i in (*self._visible, *ahead) if (c := self.cell(i)) is not None]
        coarse = dict.fromkeys(c.scene for c in wanted[: len(self._visible)] if not c.thumbnail)
        fine = dict.fromkeys(
            c.scene
            for c in wanted
            if c.thumbnail is None or not (c.thumbnail.is_final and self._is_sharp(c.thumbnail))
        )
        request = ThumbnailRequest(
            model, device, self._view, self._edge, tuple(coarse), tuple(fine)
        )
        asked = self._asked
        if asked is not None and request.fine and set(request.fine) <= set(asked.fine):
            asked = replace(asked, coarse=request.coarse, fine=request.fine)  # already under way
        if request == asked:
            return
        self._asked = request
        if fine:
            self._worker.submit(request)
        else:
            self._worker.drop()

    def _is_sharp(self, thumbnail: Thumbnail) -> bool:
        return thumbnail.pixels is None or len(thumbnail.pixels) >= self._edge

    def _forget_far(self) -> None:
        """Forget the pictures that are farthest from the visible part."""
        if len(self._cells) > _KEPT:
            middle = (self._visible.start + self._visible.stop) // 2
            for index in sorted(self._cells, key=lambda i: -abs(i - middle))[: _KEPT // 4]:
                del self._cells[index]
            scenes = {cell.scene for cell in self._cells.values()}
            self._pictures = {s: p for s, p in self._pictures.items() if s in scenes}

    def _clear(self) -> None:
        self.problem, self._values = "", None
        self._cells.clear()
        self._pictures.clear()
        self._asked = None
        self._worker.drop()
