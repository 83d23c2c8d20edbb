"""The command ``invert``: photographs of a person become a head of a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.progress import Operation, Progress, part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from torch import Tensor

    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.engine.picture import Picture
    from stylesdf_core.inversion.fitting import Fit
    from stylesdf_core.inversion.picture import PhotoView
    from stylesdf_core.judges.face import FoundFace, FramePreset
    from stylesdf_core.judges.framing import CropFrame
    from stylesdf_core.judges.photo import Photo, Pixels
    from stylesdf_core.rendering.camera import OrbitCamera
    from stylesdf_core.scene.scene import Scene

    FloatArray = npt.NDArray[np.float32]

_MOST_PHOTOS = 12
#: From this limit of time on, seconds, more steps are made.
_MINUTE = 60.0
#: Largest edge of the squares that are fitted, pixels.
_LARGEST = 1024
#: Standard deviations of a pose from landmarks, and of a face that is taken to be frontal, radians.
_LANDMARKS_SPREAD, _FRONTAL_SPREAD = 0.06, 0.3
#: From mouth to chin, as a multiple of the way from eyes to mouth.
_CHIN = 0.8
#: How much more eyes and mouth count, and how far around them, as a share of half the picture.
_EMPHASIS, _EYE_RADIUS = 3.0, 0.12
#: Turns of the head in the comparison, radians.
_TURNS = (-0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Invert:
    """Fit a head to photographs of a person; the session opens in the studio and in all commands.

    The face is found by dlib (extra `judges`) or OpenCV (extra `eval`), or marked by --eyes and
    --mouth.
    """

    photo: Annotated[tuple[Path, ...], tyro.conf.arg(metavar="FILE [FILE …]")]
    """Photographs of one person, up to 12, in any format that Pillow reads, up to 100 megapixels
    each; they share everything but pose and light, and the session shows the first."""

    out: Path
    """Session to write, .json; its camera is the pose that was found."""

    model: str = "heads"
    """A name of `models list`, a weights file, or a run folder."""

    seconds: float | None = None
    """Limit of time for the fit, 1 to 3600; beyond 60, more steps are made too. Default: no limit,
    some 25 s for the shipped model on two cores."""

    face: Annotated[tuple[int, ...], tyro.conf.arg(metavar="N …")] = ()
    """Which face, where a photograph shows several: 1 is the largest. One number for all
    photographs, or one for each."""

    eyes: Annotated[tuple[str, ...], tyro.conf.arg(metavar="X,Y X,Y …")] = ()
    """Where the eyes are, pixels of the upright photograph from its upper left corner, two points
    for each photograph; `-` in place of a point where the face is to be found. With --mouth, no
    face is looked for, and none of the extras is needed; the face is taken to look into the camera
    at first."""

    mouth: Annotated[tuple[str, ...], tyro.conf.arg(metavar="X,Y …")] = ()
    """Where the middle of the mouth is, one point for each photograph, or `-`."""

    crop: Literal["heads", "ffhq"] | None = None
    """How the model's training pictures are framed. Default: ffhq for published models, else heads.
    The fit corrects small differences."""

    framed: bool = False
    """The photographs are square pictures framed exactly as the model's own: no face is looked
    for."""

    compare: Path | None = None
    """.png to write as well: photograph, head, difference, and the head turned to both sides."""

    device: Device = "auto"
    """Where to compute."""

    def run(self) -> Operation[Path]:
        """Fit and write; the result is the session's file.

        Raises:
            InputError: a photograph or value cannot be used.
            ModelNotFoundError, CheckpointError: there is no such model, or its file is damaged.
        """
        from stylesdf_core.files import check_destination, write_text

        check_destination(self.out, (".json",))
        if self.compare is not None:
            check_destination(self.compare, (".png",))
        fitting = Fitting(self)
        yield from part(fitting.run(), 0.0, 0.99)
        scene = fitting.scene
        yield Progress(0.99, 1, "writing")
        if self.compare is not None:
            fitting.write_comparison(self.compare)
        write_text(self.out, scene.to_json() + "\n")
        return self.out


class Fitting:
    """The work of an :class:`Invert` request; :attr:`scene` is the best guess at any time.

    Raises:
        InputError: a value of the request is out of range.
    """

    def __init__(self, request: Invert) -> None:
        check_range("--photo: the number of photographs", len(request.photo), 1, _MOST_PHOTOS)
        if request.seconds is not None:
            check_range("--seconds", request.seconds, 1, 3600)
        for number in request.face:
            check_range("--face", number, 1)
        if len(request.face) not in (0, 1, len(request.photo)):
            raise InputError(
                f"--face takes one number, or one for each of the {len(request.photo)} photographs."
            )
        self._request = request
        self._marks = _marks(request)
        self._engine: Engine | None = None
        self._fit: Fit | None = None

    def run(self) -> Operation[None]:
        """Read the photographs, then fit; yields Progress after every step."""
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.inversion.fitting import Fit
        from stylesdf_core.judges.photo import open_photo
        from stylesdf_core.model.model import load_model

        request = self._request
        yield Progress(0, 1, "loading the model")
        model = load_model(request.model)
        self._engine = Engine(model, request.device, exact=True)
        views = []
        for index, path in enumerate(request.photo):
            yield Progress(0.01 * (index + 1), 1, f"reading {path.name}")
            views.append(self._view(open_photo(path), index))
        self._fit = Fit(
            model,
            self._engine.generator,
            views,
            seconds=request.seconds or math.inf,
            effort=max(1.0, (request.seconds or 0.0) / _MINUTE),
            framed=request.framed,
        )
        yield from part(self._fit.run(), 0.01 * (len(views) + 1), 1.0)

    @property
    def has_guess(self) -> bool:
        """Whether the fit has begun, so that there is a head to look at."""
        return self._fit is not None

    def pictures(self, photo: int = 0) -> tuple[FloatArray, FloatArray]:
        """A photograph as it is compared, and the head so, (S, S, 3) in [0, 1] each.

        To be asked for by the thread that iterates :meth:`run`.
        """
        import numpy as np

        from stylesdf_core.engine.picture import pixels

        assert self._engine is not None
        assert self._fit is not None
        scene = self._fit.unknowns.scene(self._request.model, photo)
        head = pixels(self._engine.render(scene, "image"))
        seen = self._fit.views[photo].picture(len(head))[:3].movedim(0, -1).cpu().numpy()
        return np.asarray(np.clip(0.5 * seen + 0.5, 0.0, 1.0), np.float32), head

    @property
    def scene(self) -> Scene:
        """The scene of the first photograph.

        Raises:
            InputError: the fit has not begun.
        """
        if self._fit is None:
            raise InputError("The fit has not begun; there is no head yet.")
        return self._fit.unknowns.scene(self._request.model)

    def write_comparison(self, path: Path) -> None:
        """Write photograph, head, difference and the turned head, side by side."""
        import numpy as np

        from stylesdf_core.commands.scenes.pictures import write_pixels
        from stylesdf_core.engine.picture import pixels

        assert self._engine is not None
        scene, (photo, head) = self.scene, self.pictures()
        turned = []
        for turn in _TURNS:
            camera = replace(scene.camera, azimuth=scene.camera.azimuth + turn)
            turned.append(pixels(self._engine.render(replace(scene, camera=camera), "image")))
        strip = np.hstack([photo, head, np.abs(photo - head), *turned])
        write_pixels(np.asarray(np.rint(255.0 * strip), np.uint8), path, scene)

    # --- a photograph ---------------------------------------------------------------------------

    def _view(self, photo: Photo, index: int) -> PhotoView:
        from stylesdf_core.inversion.picture import PhotoView

        assert self._engine is not None
        size = min(_LARGEST, self._engine.config.output_size)
        if self._request.framed:
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

        preset = preset_of(self._request.model, self._request.crop)
        if (marks := self._marks[index]) is not None:
            return marked_face(photo, marks, preset=preset)
        numbers = self._request.face or (None,)
        return one_face(photo, numbers[index % len(numbers)], preset=preset)

    def _around(self, photo: Photo, face: FoundFace, size: int) -> PhotoView:
        """The square around a face, its head on the model's background."""
        import torch

        from stylesdf_core.inversion.matte import on_own_background
        from stylesdf_core.inversion.picture import ROOM, PhotoView
        from stylesdf_core.judges.framing import CropFrame, crop
        from stylesdf_core.rendering.camera import OrbitCamera

        assert self._engine is not None
        frame = face.frame(preset_of(self._request.model, self._request.crop))
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

        from stylesdf_core.model.landmarks import FIRST

        assert self._engine is not None
        if face.landmarks is None:
            return None
        inside = frame.inside(face.landmarks[FIRST:]).astype("float32")
        return torch.from_numpy(inside).to(self._engine.device)

    def _tensor(self, picture: Pixels) -> Tensor:
        """(S, S, 3) bytes -> (3, S, S) in [−1, 1]."""
        import numpy as np
        import torch

        assert self._engine is not None
        data = np.moveaxis(np.asarray(picture, np.float32), -1, 0) / np.float32(127.5) - 1.0
        return torch.from_numpy(np.ascontiguousarray(data)).to(self._engine.device)


def preset_of(model: str, crop: FramePreset | None = None) -> FramePreset:
    """How a model's training pictures are framed, unless ``crop`` says so.

    Raises:
        ModelNotFoundError: there is no such model.
    """
    from stylesdf_core.model.model_zoo import ModelKind, resolve

    return crop or ("ffhq" if resolve(model).kind is ModelKind.PUBLISHED else "heads")


def mean_outline(model: str, device: Device = "auto") -> Operation[list[FloatArray]]:
    """The mean head's outline, seen from the front: lines (N, 2), x and y from −1 to 1, y down."""
    import numpy as np
    from skimage.measure import find_contours

    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.model.model import load_model
    from stylesdf_core.rendering.camera import OrbitCamera

    yield Progress(0, 1, "loading the model")
    engine = Engine(load_model(model), device)
    camera = OrbitCamera(fov=engine.model.poses.fov)
    covered = 1.0 - _mean_head(engine, camera).background
    return [
        np.asarray((line[:, ::-1] + 0.5) * (2.0 / len(covered)) - 1.0, np.float32)
        for line in find_contours(covered, 0.5)
    ]


def _mean_head(engine: Engine, camera: OrbitCamera) -> Picture:
    """The volume render of the model's mean head."""
    from stylesdf_core.scene.scene import Scene

    return engine.render(Scene(truncation_psi=0.0, camera=camera), "volume")


def _marks(request: Invert) -> list[npt.NDArray[np.float64] | None]:
    """Both eyes and the mouth of each photograph, (3, 2); None where the face is to be found."""
    import numpy as np

    photos = len(request.photo)
    if not request.eyes and not request.mouth:
        return [None] * photos
    if len(request.eyes) != 2 * photos or len(request.mouth) != photos:
        raise InputError(
            f"--eyes takes two points for each photograph and --mouth one; for {photos} "
            f"photograph{'s' if photos > 1 else ''}, {len(request.eyes)} and {len(request.mouth)} "
            "are given."
        )
    marks: list[npt.NDArray[np.float64] | None] = []
    for path, left, right, mouth in zip(
        request.photo, request.eyes[::2], request.eyes[1::2], request.mouth, strict=True
    ):
        points = [_point(text) for text in (left, right, mouth)]
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
