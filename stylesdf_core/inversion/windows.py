"""Windows of an image, decoded one at a time, so that memory is bounded."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

#: Edge of the windows, and of their margin, which the convolutions' padding touches and which is
#: not compared; pixels of the feature map.
WINDOW, _MARGIN = 32, 3


@dataclass(frozen=True)
class Window:
    """A square part of a feature map, and of every map that shows the same at a larger scale.

    Attributes:
        top, left, edge: pixels of the feature map.
        size: edge of the feature map, pixels.
    """

    top: int
    left: int
    edge: int
    size: int

    def of(self, maps: Tensor) -> Tensor:
        """The window of maps (…, H, H), whose edge is a multiple of the feature map's."""
        scale = maps.shape[-1] // self.size
        rows = slice(self.top * scale, (self.top + self.edge) * scale)
        columns = slice(self.left * scale, (self.left + self.edge) * scale)
        return maps[..., rows, columns]

    def inner(self, decoded: Tensor) -> Tensor:
        """What is compared of the window's maps (…, E, E): no margin inside the picture."""
        scale = decoded.shape[-1] // self.edge
        rows, columns = (
            slice(
                scale * _MARGIN * (start > 0),
                scale * (self.edge - _MARGIN * (start + self.edge < self.size)),
            )
            for start in (self.top, self.left)
        )
        return decoded[..., rows, columns]
