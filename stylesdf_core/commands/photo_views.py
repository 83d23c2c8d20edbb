"""Photographs as a fit sees them: the face found or marked, the square around the face cut out."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from stylesdf_core.data.frame_presets import FramePreset
    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.picture import Picture
    from stylesdf_core.inversion.picture import PhotoView
    from stylesdf_core.judges.face import FoundFace
    from stylesdf_core.judges.framing import CropFrame
    from stylesdf_core.judges.photo import Photo, Pixels
    from stylesdf_core.rendering.camera import OrbitCamera

    FloatArray = npt.NDArray[np.float32]
    Marks: TypeAlias = npt.NDArray[np.float64]

#: Largest edge of the squares that are fitted, pixels.
_LARGEST = 1024
#: Standard deviations of a pose from landmarks, and of a face that is taken to be frontal, radians.
_LANDMARKS_SPREAD, _FRONTAL_SPREAD = 0.06, 0.3
#: From mouth to chin, as a multiple of the way from eyes to mouth.
_CHIN = 0.8
#: How much more eyes and mouth count, and how far around them, as a share of half the picture.
_EMPHASIS, _EYE_RADIUS = 3.0, 0.12


class PhotoViews:
    """Cuts the squares around the faces of photographs of one person.

    Args:
        engine: of the model that is fitted.
        preset: how the model's training pictures are framed.
        faces: number of the face, from 1, one for all photographs or one for each; or none.
        marks: the face of each photograph as marked by hand; None where it is to be found.
        framed: the photographs are framed as the model's own pictures.
    """

    def __init__(
        self,
        engine: Engine,
        preset: FramePreset,
        faces: Sequence[int],
        marks: Sequence[Marks | None],
        framed: bool,
    ) -> None:
        self._engine, self._preset, self._framed = engine, preset, framed
        self._faces, self._marks = faces, marks

    def view(self, photo: Photo, index: int) -> PhotoView:
        """A photograph, the one of a number from 0.

        Raises:
            InputError: no face is found, several are, or the picture is not square.
        """
        from stylesdf_core.inversion.picture import PhotoView

        size = min(_LARGEST, self._engine.config.output_size)
        if self._framed:
            return PhotoView.framed(self._tensor(self._whole(photo, size)))
        return self._around(photo, self._face(photo, index), size)

    def _whole(self, photo: Photo, size: int) -> Pixels:
        from stylesdf_core.judges.framing import CropFrame, crop

        width, height = photo.size
        if width != height:
            raise InputError(
                f"{photo.name} is {width} × {height} pixels; with --framed a photograph is square."
            )
        return crop(photo, CropFrame((0.5 * width, 0.5 * width), (0.5 * width, 0.0)), size)

    def _face(self, photo: Photo, index: int) -> FoundFace:
        from stylesdf_core.judges.finding import marked_face, one_face

        if (marks := self._marks[index]) is not None:
            return marked_face(photo, marks, preset=self._preset)
        numbers = self._faces or (None,)
        return one_face(photo, numbers[index % len(numbers)], preset=self._preset)

    def _around(self, photo: Photo, face: FoundFace, size: int) -> PhotoView:
        """The square around a face, its head on the model's background."""
        import torch

        from stylesdf_core.inversion.matte import on_own_background
        from stylesdf_core.inversion.picture import ROOM, PhotoView
        from stylesdf_core.judges.framing import CropFrame, crop
        from stylesdf_core.rendering.camera import OrbitCamera

        frame = face.frame(self._preset)
        wide = CropFrame(frame.middle, (ROOM * frame.right[0], ROOM * frame.right[1]))
        square = self._tensor(crop(photo, wide, round(ROOM * size)))
        square = torch.cat([square, torch.ones_like(square[:1])])
        poses = self._engine.model.poses
        angles = [
            max(-2.0 * std, min(2.0 * std, angle))
            for angle, std in (
                (face.pose.azimuth, poses.azimuth_std),
                (face.pose.elevation, poses.elevation_std),
            )
        ]
        spread = _LANDMARKS_SPREAD if face.landmarks is not None else _FRONTAL_SPREAD
        view = PhotoView(square, (angles[0], angles[1]), spread, landmarks=self._seen(face, frame))
        right = complex(*frame.right)
        anchors = [(complex(x, y) - complex(*frame.middle)) / right for x, y in face.anchors]
        eyes, mouth = 0.5 * (anchors[0] + anchors[1]), 0.5 * (anchors[2] + anchors[3])
        below = (mouth + _CHIN * (mouth - eyes)).imag
        seen = _mean_head(self._engine, OrbitCamera(angles[0], angles[1], poses.fov))
        empty = torch.from_numpy(seen.background)
        colors = torch.from_numpy(seen.data).flatten(1)[:, empty.flatten() > 0.99]
        if not colors.numel():
            return view
        background = colors.median(dim=1).values.to(square)
        view = on_own_background(view, 1.0 - empty, background, below)
        return view.emphasised([*anchors, mouth], _EMPHASIS, _EYE_RADIUS)

    def _seen(self, face: FoundFace, frame: CropFrame) -> Tensor | None:
        """The photograph's landmarks in the frame, if the model's are known."""
        import torch

        from stylesdf_core.judges.generic_face import FIRST

        if face.landmarks is None:
            return None
        inside = frame.inside(face.landmarks[FIRST:]).astype("float32")
        return torch.from_numpy(inside).to(self._engine.device)

    def _tensor(self, picture: Pixels) -> Tensor:
        """(S, S, 3) bytes -> (3, S, S) in [−1, 1]."""
        import numpy as np
        import torch

        data = np.moveaxis(np.asarray(picture, np.float32), -1, 0) / np.float32(127.5) - 1.0
        return torch.from_numpy(np.ascontiguousarray(data)).to(self._engine.device)


def mean_outline(model: str, device: Device = "auto") -> Operation[list[FloatArray]]:
    """The mean head's outline, seen from the front: lines (N, 2), x and y from −1 to 1, y down."""
    import numpy as np
    from skimage.measure import find_contours

    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.model.model import load_model

    yield Progress(0, 1, "loading the model")
    engine = Engine(load_model(model), device)
    covered = 1.0 - _mean_head(engine, engine.model.poses.front).background
    return [
        np.asarray((line[:, ::-1] + 0.5) * (2.0 / len(covered)) - 1.0, np.float32)
        for line in find_contours(covered, 0.5)
    ]


def _mean_head(engine: Engine, camera: OrbitCamera) -> Picture:
    """The volume render of the model's mean head."""
    from stylesdf_core.scene.scene import Scene

    return engine.render(Scene(truncation_psi=0.0, camera=camera), "volume")


def marks_of(
    paths: Sequence[Path], eyes: Sequence[str], mouth: Sequence[str]
) -> list[Marks | None]:
    """Both eyes and the mouth of each photograph, (3, 2); None where the face is to be found.

    Args:
        eyes, mouth: as in :class:`~.invert.Invert`.

    Raises:
        InputError: points are missing, or are no points.
    """
    import numpy as np

    photos = len(paths)
    if not eyes and not mouth:
        return [None] * photos
    if len(eyes) != 2 * photos or len(mouth) != photos:
        raise InputError(
            f"--eyes takes two points for each photograph and --mouth one; for {photos} "
            f"photograph{'s' if photos > 1 else ''}, {len(eyes)} and {len(mouth)} "
            "are given."
        )
    marks: list[Marks | None] = []
    for path, left, right, middle in zip(paths, eyes[::2], eyes[1::2], mouth, strict=True):
        points = [_point(text) for text in (left, right, middle)]
        known = [point for point in points if point is not None]
        if known and len(known) < len(points):
            raise InputError(f"{path.name}: both eyes and the mouth are marked, or none of them.")
        marks.append(np.array(known) if known else None)
    return marks


def _point(text: str) -> tuple[float, float] | None:
    """X,Y as numbers; None for a dash."""
    if text == "-":
        return None
    try:
        x, y = (float(number) for number in text.split(","))
    except ValueError:
        raise InputError(
            f"--eyes and --mouth take points X,Y such as 210.5,118, or -, not {text!r}."
        ) from None
    return x, y
