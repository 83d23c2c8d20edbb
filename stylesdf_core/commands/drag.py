"""The command ``drag``: points of a face move in its picture, and the face follows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeAlias

import tyro

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.commands.scenes.options.scene_flags import SceneFlags
from stylesdf_core.errors import InputError
from stylesdf_core.foreign import brief
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.dragging.pointing import Vector
    from stylesdf_core.model.model import Model

#: A place in a picture, fractions of its edge from the upper left corner; or a point, world units.
Spot: TypeAlias = "tuple[float, float] | Vector"
#: Distance from its target, millimetres, from which a point is said not to have arrived.
FAR_OFF = 1.0
_MOST_POINTS = 40
#: Largest coordinate of a point, world units.
_FARTHEST = 0.5
#: Least edge of the comparison's pictures, pixels.
_EDGE = 512
#: Colours, radius and width of the marks in the comparison, pixels of a picture of 256².
_MARKS, _PINS, _RADIUS, _WIDTH = (60, 120, 255), (230, 180, 80), 2.5, 1.5


@dataclass(frozen=True)
class DraggedFace:
    """What a drag has come to.

    Attributes:
        out: the session.
        misses: distances of the dragged points from their targets, millimetres.
    """

    out: Path
    misses: tuple[float, ...]

    def __str__(self) -> str:
        count = len(self.misses)
        points = "1 point" if count == 1 else f"{count} points"
        text = f"{self.out}: {points} dragged, at most {max(self.misses):.1f} mm from the target."
        if max(self.misses) > FAR_OFF:
            text += " " + out_of_reach(max(self.misses))
        return text


def out_of_reach(miss: float) -> str:
    """A sentence about a point that has not arrived.

    Args:
        miss: millimetres.
    """
    return f"The face stops {miss:.1f} mm short: the model knows no such face."


@dataclass(frozen=True, kw_only=True)
class DragFace:
    """Drag points of a face to other places of its picture; the face follows and stays a face.

    Places are fractions of the picture's edge from the upper left corner: 0.5,0.5 is the middle. A
    place of three numbers is a point in the head's own units, as the window's copied commands name
    it: --pin=-0.021,0.034,0.081.
    """

    out: Path
    """Session to write, .json; it opens in the studio and in all commands."""

    move: Annotated[
        tuple[tuple[str, ...], ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(metavar="X,Y:X2,Y2", help_behavior_hint=""),
    ]
    """Points of the face and where they shall lie in the picture, such as 0.5,0.6:0.5,0.57; the
    depth in the picture stays."""

    pin: Annotated[
        tuple[tuple[str, ...], ...],
        tyro.conf.UseAppendAction,
        tyro.conf.arg(metavar="X,Y", help_behavior_hint=""),
    ] = ()
    """Points of the face that shall stay where they are."""

    compare: Path | None = None
    """.png to write as well: before with arrows to the targets, and after."""

    device: Device = "auto"
    """Where to compute the comparison; the drag itself runs on the CPU."""

    scene: SceneFlags = field(default_factory=Scene)

    @classmethod
    def of_points(
        cls, scene: Scene, points: Sequence[Vector], targets: Sequence[Vector], out: Path
    ) -> DragFace:
        """The drag of points of a face, world units; points that lie at their targets are pins."""
        pairs = [
            (spot_text(point), spot_text(target))
            for point, target in zip(points, targets, strict=True)
        ]
        return cls(
            out=out,
            move=(tuple(f"{point}:{target}" for point, target in pairs if point != target),),
            pin=(tuple(point for point, target in pairs if point == target),),
            scene=scene,
        )

    def spots(self, name: Literal["move", "pin"]) -> list[str]:
        """The texts of --move or --pin, in their order."""
        return _flat(self.move if name == "move" else self.pin)

    def run(self) -> Operation[DraggedFace]:
        """Drag and write; the result prints as a sentence.

        Raises:
            InputError: a place cannot be used, or there is no face at it.
        """
        from stylesdf_core.files import check_destination

        check_destination(self.out, (".json",))
        if self.compare is not None:
            check_destination(self.compare, (".png",))
        moves, pins = _moves(self.move), [_spot(text, "--pin") for text in _flat(self.pin)]
        if not moves:
            raise InputError("--move is missing: name a point and its target, X,Y:X2,Y2.")
        if len(moves) + len(pins) > _MOST_POINTS:
            raise InputError(f"At most {_MOST_POINTS} points can be moved and pinned at once.")
        yield Progress(0, 1, "loading the model")
        from stylesdf_core.dragging.drag import Drag
        from stylesdf_core.dragging.pointing import beside
        from stylesdf_core.model.model import load_model
        from stylesdf_core.scene.session_files import signed, write_session

        model, camera = load_model(self.scene.model), self.scene.camera
        yield Progress(0.2, 1, "finding the points")
        points = self._points(model, [start for start, _ in moves] + pins)
        targets = list(points)
        for index, (_, end) in enumerate(moves):
            targets[index] = end if len(end) == 3 else beside(camera, points[index], *end)
        drag = Drag(model, self.scene, points)
        drag.aim(targets)
        share = 0.3
        while drag.step():
            share += 0.2 * (0.8 - share)
            yield Progress(share, 1, "dragging")
        dragged = drag.scene
        if self.compare is not None:
            yield Progress(0.8, 1, "rendering the comparison")
            self._write_comparison(model, dragged, points, targets, len(moves))
        write_session(signed(dragged), self.out)
        return DraggedFace(self.out, tuple(drag.misses[: len(moves)]))

    def _points(self, model: Model, spots: Sequence[Spot]) -> list[Vector]:
        """The points of the surface that places of the picture, or points near it, stand for."""
        from stylesdf_core.dragging.surface import FaceSurface

        surface, points = FaceSurface(model, self.scene), []
        for spot in spots:
            if len(spot) == 3:
                point = surface.nearest(spot)
                lack = "lies off the face; name a point on it"
            else:
                point = surface.pick(self.scene.camera, *spot)
                lack = "the picture shows the background; name a place on the face"
            if point is None:
                where = ",".join(f"{number:g}" for number in spot)
                raise InputError(f"At {where} {lack}." if len(spot) == 2 else f"{where} {lack}.")
            points.append(point)
        return points

    def _write_comparison(
        self,
        model: Model,
        dragged: Scene,
        points: Sequence[Vector],
        targets: Sequence[Vector],
        moved: int,
    ) -> None:
        import numpy as np
        from PIL import Image

        from stylesdf_core.commands.scenes.pictures import write_pixels
        from stylesdf_core.dragging.pointing import seen_at
        from stylesdf_core.engine.engine import Engine

        assert self.compare is not None
        engine, pair = Engine(model, self.device, exact=True), []
        for scene in (self.scene, dragged):
            image = Image.fromarray(engine.render(scene, "image").to_uint8())
            if image.width < _EDGE:
                image = image.resize((_EDGE, _EDGE), Image.Resampling.BICUBIC)
            pair.append(image)
        before, after = pair
        starts, ends = ([seen_at(self.scene.camera, p) for p in own] for own in (points, targets))
        moves = list(zip(starts, ends, strict=True))[:moved]
        _draw_marks(before, moves, starts[moved:])
        _draw_marks(after, [(end, end) for _, end in moves], starts[moved:])
        write_pixels(np.hstack([np.asarray(before), np.asarray(after)]), self.compare, dragged)


def _flat(groups: tuple[tuple[str, ...], ...]) -> list[str]:
    return [text for group in groups for text in group]


def _moves(groups: tuple[tuple[str, ...], ...]) -> list[tuple[Spot, Spot]]:
    moves = []
    for text in _flat(groups):
        start, colon, end = text.partition(":")
        if not colon:
            raise InputError(f"--move takes X,Y:X2,Y2 such as 0.5,0.6:0.5,0.57, not {brief(text)}.")
        moves.append((_spot(start, "--move"), _spot(end, "--move")))
    return moves


def _spot(text: str, flag: str) -> Spot:
    parts = [part.strip() for part in text.split(",")]
    if all(re.fullmatch(r"-?\d*\.?\d+", part) for part in parts):
        numbers = [float(part) for part in parts]
        if len(numbers) == 3 and max(map(abs, numbers)) <= _FARTHEST:
            return numbers[0], numbers[1], numbers[2]
        if len(numbers) == 2 and min(numbers) >= 0.0 and max(numbers) <= 1.0:
            return numbers[0], numbers[1]
    raise InputError(
        f"{flag} takes places X,Y in fractions of the picture, 0 to 1 from its upper left "
        f"corner, not {brief(text)}."
    )


def spot_text(point: Vector) -> str:
    """A point, world units, as --move and --pin take it."""
    return ",".join(f"{number:.5f}" for number in point)


def _draw_marks(
    image: object,
    moves: Sequence[tuple[tuple[float, float], tuple[float, float]]],
    pins: Sequence[tuple[float, float]],
) -> None:
    """Draw points with arrows to their targets, and pins as squares."""
    import numpy as np
    from PIL import Image, ImageDraw

    assert isinstance(image, Image.Image)
    draw, edge = ImageDraw.Draw(image), image.width
    radius, width = _RADIUS * edge / 256, max(1, round(_WIDTH * edge / 256))
    for start, end in moves:
        a, b = (edge * np.array(place) for place in (start, end))
        if start != end:
            draw.line([*a, *b], _MARKS, width)
            along = (b - a) / max(1e-6, float(np.hypot(*(b - a))))
            aside = np.array([-along[1], along[0]])
            tips = [b + radius * (2.0 * -along + side * aside) for side in (-1.0, 1.0)]
            draw.polygon([*(tuple(map(float, tip)) for tip in tips), tuple(map(float, b))], _MARKS)
        draw.ellipse([*(a - radius), *(a + radius)], _MARKS)
    for place in pins:
        c = edge * np.array(place)
        draw.rectangle([*(c - radius), *(c + radius)], _PINS)
