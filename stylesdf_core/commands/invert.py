"""The command ``invert``: photographs of a person become a head of a model."""

from __future__ import annotations

import math
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from stylesdf_core.commands.photo_views import PhotoViews, marks_of
from stylesdf_core.commands.scenes.options.rendering import Device
from stylesdf_core.errors import InputError, check_range
from stylesdf_core.progress import Announcement, Operation, Progress, part

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from stylesdf_core.engine.engine import Engine
    from stylesdf_core.inversion.fitting import Fit
    from stylesdf_core.inversion.tuning import Tuning
    from stylesdf_core.scene.scene import Scene

    FloatArray = npt.NDArray[np.float32]

_MOST_PHOTOS = 12
#: From this limit of time on, seconds, more steps are made.
_MINUTE = 60.0
#: Share of the time for the fit, where a tuning follows.
_FIT_SHARE = 0.5
#: Said of a model that does not state its frames.
_UNSTATED = (
    "The model {} does not state how its training pictures frame a face: FFHQ's frame is taken. "
    "If it was trained on synthetic heads, add --crop heads."
)
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
    """How the model's training pictures frame a face. Default: as the model states, else as FFHQ's.
    The fit corrects small differences."""

    tune: bool = False
    """Also teach the model's layers of colour what its heads do not have, such as make-up, a beard
    or coloured light. What they learn lies beside the session as NAME.tuning.safetensors; some
    60 s more on two cores."""

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
        from stylesdf_core.files import check_destination
        from stylesdf_core.model.model_zoo import TUNING_SUFFIX
        from stylesdf_core.scene.session_files import write_session

        check_destination(self.out, (".json",))
        if self.compare is not None:
            check_destination(self.compare, (".png",))
        fitting = Fitting(self)
        yield from part(fitting.run(), 0.0, 0.99)
        yield Progress(0.99, 1, "writing")
        scene = fitting.saved(self.out.with_name(self.out.stem + TUNING_SUFFIX))
        if self.compare is not None:
            fitting.write_comparison(scene, self.compare)
        write_session(scene, self.out)
        return self.out


class Fitting:
    """The work of an :class:`Invert` request; :attr:`scene` is the best guess at any time.

    Attributes:
        tunes: whether a tuning follows the fit; may change while the fit lasts.

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
        self._request, self.tunes = request, request.tune
        self._marks = marks_of(request.photo, request.eyes, request.mouth)
        self._engine: Engine | None = None
        self._fit: Fit | None = None
        self._tuning: Tuning | None = None

    def run(self) -> Operation[None]:
        """Read the photographs, then fit; yields Progress after every step."""
        from stylesdf_core.data.frame_presets import USUAL_PRESET
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.inversion.fitting import Fit
        from stylesdf_core.inversion.tuning import Tuning
        from stylesdf_core.judges.photo import open_photo
        from stylesdf_core.model.model import load_model
        from stylesdf_core.model.model_zoo import trained_frame_preset

        request = self._request
        yield Progress(0, 1, "loading the model")
        model = load_model(request.model)
        has_decoder = model.generator.config.has_decoder
        if request.tune and not has_decoder:
            raise InputError(
                f"--tune changes a decoder, and the model {model.name} has none; leave it out."
            )
        self._engine = Engine(model, request.device, exact=True)
        preset = request.crop or trained_frame_preset(request.model)
        if not (preset or request.framed):
            yield Announcement(0, 1, _UNSTATED.format(model.name))
        photos = PhotoViews(
            self._engine, preset or USUAL_PRESET, request.face, self._marks, request.framed
        )
        views = []
        for index, path in enumerate(request.photo):
            yield Progress(0.01 * (index + 1), 1, f"reading {path.name}")
            views.append(photos.view(open_photo(path), index))
        seconds = request.seconds or math.inf
        limit = _FIT_SHARE * seconds if self.tunes else seconds
        self._fit = Fit(
            model,
            self._engine.generator,
            views,
            seconds=limit,
            effort=max(1.0, (request.seconds or 0.0) / _MINUTE),
            framed=request.framed,
        )
        begin = 0.01 * (len(views) + 1)
        with closing(self._fit.run()) as steps:
            for progress in steps:
                end = _FIT_SHARE if self.tunes else 1.0
                done = begin + (end - begin) * progress.fraction
                yield Progress(done, 1, progress.message)
        if self.tunes and has_decoder:
            scenes = [self._scene(photo) for photo in range(len(views))]
            self._tuning = Tuning(self._engine, scenes, self._fit.views, seconds - limit)
            yield from part(self._tuning.run(), _FIT_SHARE, 1.0)

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
        if self._tuning is not None and self._tuning.is_ready:
            head = self._tuning.picture(photo)
        else:
            head = pixels(self._engine.render(self._scene(photo), "image"))
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
        return self._scene(0)

    def _scene(self, photo: int) -> Scene:
        assert self._fit is not None
        return self._fit.unknowns.scene(self._request.model, photo)

    def saved(self, path: Path) -> Scene:
        """The scene as :attr:`scene`; once the tuning has begun, with a tuning that is written.

        Args:
            path: of the tuning.

        Raises:
            InputError, OutputError: the fit has not begun, or the tuning cannot be written.
        """
        from stylesdf_core.model.checkpoints.digests import weights_digest
        from stylesdf_core.model.tuning import Base, save_tuning

        if self._tuning is None or not self._tuning.is_ready:
            return self.scene
        assert self._engine is not None
        model = self._engine.model
        base = Base(model.path, model.digest)
        save_tuning(self._tuning.changes, path, base, self._engine.config, model.poses)
        return replace(self.scene, model=str(path.absolute()), model_digest=weights_digest(path))

    def write_comparison(self, scene: Scene, path: Path) -> None:
        """Write photograph, head, difference and the turned head, side by side."""
        import numpy as np

        from stylesdf_core.commands.scenes.pictures import write_pixels
        from stylesdf_core.engine.engine import Engine
        from stylesdf_core.engine.picture import eight_bit, pixels
        from stylesdf_core.model.model import load_model

        engine, photo = self._engine, self.pictures()[0]
        if scene.model != self._request.model:
            engine = Engine(load_model(scene.model), self._request.device, exact=True)
        assert engine is not None
        heads = []
        for turn in (0.0, *_TURNS):
            camera = replace(scene.camera, azimuth=scene.camera.azimuth + turn)
            heads.append(pixels(engine.render(replace(scene, camera=camera), "image")))
        head, *turned = heads
        strip = np.hstack([photo, head, np.abs(photo - head), *turned])
        write_pixels(eight_bit(strip), path, scene)
