"""The studio's icons, drawn as shapes: fonts lack most of these symbols."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeAlias

import dearpygui.dearpygui as dpg

from app.widgets.drawing.theme import CLEAR, Item, Rgba

_Point: TypeAlias = tuple[float, float]
_DOT = 0.06


@dataclass(frozen=True)
class Icon:
    """Shapes of one colour in a square that reaches from (0, 0), upper left, to (1, 1).

    Attributes:
        lines: each joins points in order; ``is_closed`` joins the last to the first.
        width: of the lines and of the frame.
        triangles: filled.
        dots: centres of filled circles.
        plate, frame: two corners of a filled and of an outlined rectangle.
        rounding: radius of the rectangles' corners.
    """

    lines: tuple[tuple[_Point, ...], ...] = ()
    is_closed: bool = False
    width: float = 0.08
    triangles: tuple[tuple[_Point, _Point, _Point], ...] = ()
    dots: tuple[_Point, ...] = ()
    plate: tuple[_Point, _Point] | None = None
    frame: tuple[_Point, _Point] | None = None
    rounding: float = 0.0

    def __call__(
        self,
        parent: Item,
        x: float,
        y: float,
        size: float,
        color: Rgba,
        *,
        is_filled: bool = False,
    ) -> None:
        """Draw into ``parent``, within the square of edge ``size`` at (x, y).

        Args:
            is_filled: fill the closed lines, each visible as a whole from the square's middle.
        """

        def at(*points: _Point) -> list[list[float]]:
            return [[x + size * u, y + size * v] for u, v in points]

        filled = {"color": CLEAR, "fill": color, "parent": parent}
        stroke = {"color": color, "thickness": max(1.0, size * self.width), "parent": parent}
        if self.plate is not None:
            dpg.draw_rectangle(*at(*self.plate), rounding=size * self.rounding, **filled)
        if self.frame is not None:
            dpg.draw_rectangle(*at(*self.frame), rounding=size * self.rounding, **stroke)
        for line in self.lines:
            if len(line) == 2:
                dpg.draw_line(*at(*line), **stroke)
            elif is_filled:
                for a, b in pairwise((*line, line[0])):
                    dpg.draw_triangle(*at((0.5, 0.5), a, b), **filled)
            else:
                dpg.draw_polyline(at(*line), closed=self.is_closed, **stroke)
        for corners in self.triangles:
            dpg.draw_triangle(*at(*corners), **filled)
        for centre in at(*self.dots):
            dpg.draw_circle(centre, size * _DOT, **filled)


def _arc(centre: _Point, radius: float, start: float, stop: float) -> tuple[_Point, ...]:
    steps = 16
    angles = [start + (stop - start) * i / steps for i in range(steps + 1)]
    return tuple(
        (centre[0] + radius * math.cos(a), centre[1] + radius * math.sin(a)) for a in angles
    )


def _lock(lift: float, end: float) -> Icon:
    """A padlock whose shackle is lifted, and ends at the height ``end`` on its right."""
    arc = _arc((0.5, 0.40 - lift), 0.14, -math.pi, 0.0)
    shackle = ((arc[0][0], 0.48), *arc, (arc[-1][0], end))
    return Icon(lines=(shackle,), plate=((0.28, 0.46), (0.72, 0.80)), rounding=0.06)


def _turn_back() -> Icon:
    arc = _arc((0.5, 0.54), 0.26, -2.5, 2.0)
    x, y = arc[0]
    tip = ((x - 0.13, y - 0.117), (x + 0.143, y - 0.065), (x - 0.078, y + 0.156))
    return Icon(lines=(arc,), triangles=(tip,))


def _star() -> tuple[_Point, ...]:
    angles = [-0.5 * math.pi + math.pi * i / 5 for i in range(10)]
    radii = [0.34, 0.15] * 5
    return tuple(
        (0.5 + r * math.cos(a), 0.52 + r * math.sin(a)) for r, a in zip(radii, angles, strict=True)
    )


previous = Icon(triangles=(((0.64, 0.28), (0.64, 0.72), (0.34, 0.50)),))
following = Icon(triangles=(((0.36, 0.28), (0.36, 0.72), (0.66, 0.50)),))
dice = Icon(
    frame=((0.18, 0.18), (0.82, 0.82)),
    rounding=0.14,
    width=0.07,
    dots=((0.36, 0.36), (0.64, 0.64), (0.36, 0.64), (0.64, 0.36), (0.5, 0.5)),
)
lock_closed = _lock(lift=0.0, end=0.48)
lock_open = _lock(lift=0.1, end=0.40)
reset = _turn_back()
star = Icon(lines=(_star(),), is_closed=True, width=0.07)
fold = Icon(lines=(((0.30, 0.42), (0.50, 0.60), (0.70, 0.42)),))
unfold = Icon(lines=(((0.30, 0.58), (0.50, 0.40), (0.70, 0.58)),))
#: Two arrows past each other.
swap = Icon(
    lines=(
        ((0.22, 0.38), (0.78, 0.38)), ((0.64, 0.27), (0.78, 0.38)), ((0.64, 0.49), (0.78, 0.38)),
        ((0.78, 0.62), (0.22, 0.62)), ((0.36, 0.51), (0.22, 0.62)), ((0.36, 0.73), (0.22, 0.62)),
    )
)  # fmt: skip
plus = Icon(lines=(((0.50, 0.28), (0.50, 0.72)), ((0.28, 0.50), (0.72, 0.50))), width=0.09)
pause = Icon(lines=(((0.40, 0.30), (0.40, 0.70)), ((0.60, 0.30), (0.60, 0.70))), width=0.1)
cross = Icon(lines=(((0.32, 0.32), (0.68, 0.68)), ((0.32, 0.68), (0.68, 0.32))))
folder = Icon(
    lines=(((0.16, 0.26), (0.42, 0.26), (0.5, 0.36), (0.84, 0.36), (0.84, 0.76), (0.16, 0.76)),),
    is_closed=True,
    width=0.07,
)
#: Two sheets of paper.
copy = Icon(
    lines=(((0.36, 0.30), (0.36, 0.18), (0.78, 0.18), (0.78, 0.66), (0.64, 0.66)),),
    frame=((0.22, 0.32), (0.62, 0.82)),
    width=0.07,
)
