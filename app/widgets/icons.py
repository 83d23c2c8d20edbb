"""The few universal icons, drawn: fonts lack most of them."""

from __future__ import annotations

from collections.abc import Callable

import dearpygui.dearpygui as dpg

from app.widgets.theme import CLEAR, Color

#: Draws into ``parent`` within the square of edge ``size`` at (x, y).
Icon = Callable[[int | str, float, float, float, Color], None]


def previous(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """Triangle to the left."""
    a, b, c = (0.64, 0.28), (0.64, 0.72), (0.34, 0.50)
    _triangle(parent, x, y, size, color, a, b, c)


def following(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """Triangle to the right."""
    _triangle(parent, x, y, size, color, (0.36, 0.28), (0.36, 0.72), (0.66, 0.50))


def dice(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """A die showing five."""
    line = max(1.0, size * 0.07)
    dpg.draw_rectangle(
        (x + size * 0.18, y + size * 0.18),
        (x + size * 0.82, y + size * 0.82),
        color=color,
        rounding=size * 0.14,
        thickness=line,
        parent=parent,
    )
    for u, v in ((0.36, 0.36), (0.64, 0.64), (0.36, 0.64), (0.64, 0.36), (0.5, 0.5)):
        centre = (x + size * u, y + size * v)
        dpg.draw_circle(centre, size * 0.06, color=CLEAR, fill=color, parent=parent)


def lock_closed(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """A padlock, shut."""
    _lock(parent, x, y, size, color, lift=0.0)


def lock_open(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """A padlock, open."""
    _lock(parent, x, y, size, color, lift=0.1)


def reset(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """An arrow turning back."""
    line = max(1.0, size * 0.08)
    centre_x, centre_y, radius = x + size * 0.5, y + size * 0.54, size * 0.26
    points = _arc(centre_x, centre_y, radius, -2.5, 2.0)
    dpg.draw_polyline(points, color=color, thickness=line, parent=parent)
    tip_x, tip_y = points[0]
    s = size * 0.13
    dpg.draw_triangle(
        (tip_x - s, tip_y - s * 0.9),
        (tip_x + s * 1.1, tip_y - s * 0.5),
        (tip_x - s * 0.6, tip_y + s * 1.2),
        color=CLEAR,
        fill=color,
        parent=parent,
    )


def swap(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """Two arrows past each other."""
    line = max(1.0, size * 0.08)
    for v, start, end in ((0.38, 0.22, 0.78), (0.62, 0.78, 0.22)):
        way = 1.0 if end > start else -1.0
        tip = (x + size * end, y + size * v)
        dpg.draw_line(
            (x + size * start, y + size * v), tip, color=color, thickness=line, parent=parent
        )
        for side in (-1.0, 1.0):
            back = (tip[0] - way * size * 0.14, tip[1] + side * size * 0.11)
            dpg.draw_line(back, tip, color=color, thickness=line, parent=parent)


def cross(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """An ×."""
    line = max(1.0, size * 0.08)
    low, high = 0.32, 0.68
    for (u0, v0), (u1, v1) in (((low, low), (high, high)), ((low, high), (high, low))):
        dpg.draw_line(
            (x + size * u0, y + size * v0),
            (x + size * u1, y + size * v1),
            color=color,
            thickness=line,
            parent=parent,
        )


def folder(parent: int | str, x: float, y: float, size: float, color: Color) -> None:
    """A folder."""
    shape = ((0.16, 0.26), (0.42, 0.26), (0.5, 0.36), (0.84, 0.36), (0.84, 0.76), (0.16, 0.76))
    points = [[x + size * u, y + size * v] for u, v in shape]
    dpg.draw_polyline(
        points, closed=True, color=color, thickness=max(1.0, size * 0.07), parent=parent
    )


def _triangle(
    parent: int | str,
    x: float,
    y: float,
    size: float,
    color: Color,
    *corners: tuple[float, float],
) -> None:
    a, b, c = ((x + size * u, y + size * v) for u, v in corners)
    dpg.draw_triangle(a, b, c, color=CLEAR, fill=color, parent=parent)


def _lock(parent: int | str, x: float, y: float, size: float, color: Color, *, lift: float) -> None:
    line = max(1.0, size * 0.08)
    dpg.draw_rectangle(
        (x + size * 0.28, y + size * 0.46),
        (x + size * 0.72, y + size * 0.80),
        color=CLEAR,
        fill=color,
        rounding=size * 0.06,
        parent=parent,
    )
    arc = _arc(x + size * 0.5, y + size * (0.40 - lift), size * 0.14, -3.14159, 0.0)
    foot = [[arc[0][0], y + size * 0.48]]
    end = [[arc[-1][0], y + size * (0.48 if lift == 0.0 else 0.40)]]
    dpg.draw_polyline(foot + arc + end, color=color, thickness=line, parent=parent)


def _arc(x: float, y: float, radius: float, start: float, stop: float) -> list[list[float]]:
    import math

    steps = 16
    angles = [start + (stop - start) * i / steps for i in range(steps + 1)]
    return [[x + radius * math.cos(a), y + radius * math.sin(a)] for a in angles]
