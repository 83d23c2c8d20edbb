"""*New from photo*: finds the faces of photographs, fits a head to them, and shows the guess."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from app.state.wording import in_window, title_and_text
from app.workers.concurrency.jobs import Job, JobQueue, JobState
from stylesdf_core.errors import InputError
from stylesdf_core.model.model_zoo import TUNING_SUFFIX
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from app.state.optimisation.hand_framing import HandFraming
    from stylesdf_core.commands.invert import Fitting, Invert

FloatArray = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
#: What is marked in a photograph, in this order.
MARKS = ("left eye", "right eye", "middle of the mouth")
#: The places of MARKS: x and y of the upright photograph, pixels.
Marks = tuple[tuple[float, float], ...]
#: What the dialog shows.
PhotoState = Literal["none", "looking", "choosing", "framing", "fitting", "failed"]

#: Most photographs of a person.
MOST_PHOTOS = 5
#: Longest edge of a photograph in the dialog, pixels.
_SHOWN = 640
#: From one picture of the guess to the next, seconds for each photograph.
_BETWEEN = 1.5


@dataclass(frozen=True)
class PhotoFaces:
    """A photograph and its faces.

    Attributes:
        pixels: (H, W, 3) in [0, 1], reduced.
        size: width and height of the upright photograph.
        boxes: left, top, right, bottom of each face, as shares of width and height.
        marks: of each face.
        problem: why there is no face, a sentence; empty where there are faces.
    """

    pixels: FloatArray
    size: tuple[int, int]
    boxes: tuple[Box, ...] = ()
    marks: tuple[Marks, ...] = ()
    problem: str = ""


@dataclass(frozen=True)
class PersonPhoto:
    """One of the photographs.

    Attributes:
        faces: once they are found.
        face: number of the person's face, from 1; None while it is to be chosen.
        marks: the face as marked by hand, which comes before ``face``.
    """

    path: Path
    faces: PhotoFaces | None = None
    face: int | None = None
    marks: Marks | None = None

    @property
    def is_ready(self) -> bool:
        """Whether it is known where the person's face is."""
        return self.face is not None or self.marks is not None


@dataclass(frozen=True)
class HeadGuess:
    """The best head so far.

    Attributes:
        pairs: of each photograph, the photograph as it is compared and the head, (S, S, 3) in
            [0, 1].
    """

    scene: Scene
    pairs: tuple[tuple[FloatArray, FloatArray], ...]


class PhotoFit:
    """The photographs of one person; the work runs in a thread of its own.

    Attributes:
        state: what the dialog shows; ``none`` while there is no dialog.
        photos: the photographs, at most :data:`MOST_PHOTOS`.
        framed: number of the photograph that is framed by hand, from 0.
        framing: by hand, in the state ``framing``.
        outline: of the mean head, lines (N, 2) in the frame; empty while it is being found.
        guess: the best head so far.
        problem: why there is no head, a sentence, in the state ``failed``; in the state
            ``choosing``, why a photograph was not added.
        tunes: whether the model's layers of colour learn the photographs' details after the fit.

    Args:
        news: set when there is something new to show.
        folder: of the tunings, until a session is saved.
    """

    def __init__(self, news: threading.Event, folder: Path) -> None:
        self._news, self._folder = news, folder
        self._fitting: Fitting | None = None
        self.tunes = False
        self._queue = JobQueue()
        self._job: Job | None = None
        self._outlined = ""
        self._model, self._device = "", "auto"
        self.state: PhotoState = "none"
        self.photos: tuple[PersonPhoto, ...] = ()
        self.framed = 0
        self.framing: HandFraming | None = None
        self.outline: Sequence[FloatArray] = ()
        self.guess: HeadGuess | None = None
        self.problem = ""

    @property
    def is_working(self) -> bool:
        """Whether the thread is at work."""
        return self._job is not None

    @property
    def fraction(self) -> float:
        """How far the work is, 0 to 1."""
        return self._job.fraction if self._job is not None else 0.0

    @property
    def message(self) -> str:
        """What is being done."""
        return self._job.message if self._job is not None else ""

    @property
    def seconds_left(self) -> float | None:
        """To the end of the work; None while this is not known."""
        return self._job.seconds_left if self._job is not None else None

    # --- the photographs ------------------------------------------------------------------------

    def start(self, path: Path, model: str, device: str) -> None:
        """Look for faces in a photograph."""
        self.cancel()
        self._model, self._device = model, device
        self.add(path)

    def add(self, path: Path) -> None:
        """Look for faces in one more photograph of the person."""
        if len(self.photos) < MOST_PHOTOS:
            self._stop()
            self.photos += (PersonPhoto(path),)
            self._look()

    def remove(self, number: int) -> None:
        """Leave a photograph out, from 0; without photographs, there is no dialog."""
        self.photos = self.photos[:number] + self.photos[number + 1 :]
        if not self.photos:
            self.cancel()

    def choose(self, number: int, photo: int = 0) -> None:
        """Take a face, 1 for the largest, of a photograph; a single photograph is fitted then."""
        self._change(photo, face=number, marks=None)
        if len(self.photos) == 1:
            self.fit()

    def change_photos(self) -> None:
        """Stop the fit and show the photographs."""
        self._stop()
        self.state, self.problem = "choosing", ""

    # --- framing by hand ------------------------------------------------------------------------

    def frame(self, photo: int = 0) -> None:
        """Frame a photograph by hand, from its face or from the last framing on."""
        from app.state.optimisation.hand_framing import HandFraming
        from stylesdf_core.commands.photo_views import mean_outline
        from stylesdf_core.data.frame_presets import USUAL_PRESET
        from stylesdf_core.model.model_zoo import trained_frame_preset

        chosen = self.photos[photo]
        assert chosen.faces is not None
        self._stop()
        marks = chosen.marks
        if marks is None and chosen.faces.marks:
            marks = chosen.faces.marks[(chosen.face or 1) - 1]
        start = None if marks is None else np.array(marks)
        preset = trained_frame_preset(self._model) or USUAL_PRESET
        self.framing = HandFraming(chosen.faces.size, preset, start)
        self.framed, self.state, self.problem = photo, "framing", ""
        if self._outlined != self._model:
            self.outline = ()
            work = partial(mean_outline, self._model, self._device)
            self._job = self._queue.submit("The mean head", work)

    def use_framing(self) -> None:
        """Take the framing by hand; a single photograph is fitted then."""
        assert self.framing is not None
        marks = tuple((float(x), float(y)) for x, y in self.framing.marks)
        self._change(self.framed, marks=marks)
        self.change_photos()
        if len(self.photos) == 1:
            self.fit()

    # --- the fit --------------------------------------------------------------------------------

    @property
    def is_ready(self) -> bool:
        """Whether the face of every photograph is known."""
        return bool(self.photos) and all(photo.is_ready for photo in self.photos)

    def request(self, *, framed: bool = False) -> Invert:
        """The fit to the photographs as a command.

        Args:
            framed: the photographs are framed as the model's own pictures.
        """
        from stylesdf_core.commands.invert import Invert

        request = Invert(
            photo=tuple(photo.path for photo in self.photos),
            out=Path("head.json"),  # never written: the head goes into the document
            model=self._model,
            device=self._device,
            tune=self.tunes,
            framed=framed,
        )
        if framed:
            return request
        if any(photo.marks is not None for photo in self.photos):
            texts = [_texts(photo.marks) for photo in self.photos]
            request = replace(
                request,
                eyes=tuple(text for left, right, _ in texts for text in (left, right)),
                mouth=tuple(mouth for _, _, mouth in texts),
            )
        if any(photo.marks is None for photo in self.photos):
            request = replace(request, face=tuple(photo.face or 1 for photo in self.photos))
        return request

    def fit(self) -> None:
        """Fit a head to the chosen faces."""
        self._fit(self.request())

    def set_tunes(self, tunes: bool) -> None:
        """Let a tuning follow the fit, also one that is under way, or not."""
        self.tunes = tunes
        if self._fitting is not None:
            self._fitting.tunes = tunes

    def take_whole(self) -> None:
        """Fit a head to whole pictures, which are framed as the model's own pictures."""
        self._fit(self.request(framed=True))

    def cancel(self) -> None:
        """Stop the work and forget the photographs."""
        self._stop()
        self.state, self.photos = "none", ()

    def keep(self) -> Scene | None:
        """Stop the work; the best head so far. Where there is none yet, the work goes on."""
        guess = self.guess
        if guess is None:
            return None
        self.cancel()
        return guess.scene

    def poll(self) -> Scene | None:
        """Once a frame; the head, once it is finished."""
        finished = [job for job in self._queue.poll() if job is self._job]
        if not finished:
            return None
        job, self._job = finished[0], None
        if job.state is JobState.FAILED:
            assert job.error is not None
            self._failed(in_window(title_and_text(job.error)[1]))
        elif self.state == "looking":
            self._found(job.result)
        elif self.state == "framing":
            self.outline, self._outlined = job.result, self._model
        elif self.state == "fitting" and self.guess is not None:
            return self.keep()
        return None

    def close(self) -> None:
        """Stop the thread."""
        self._queue.close()

    # --- steps ----------------------------------------------------------------------------------

    def _stop(self) -> None:
        if self._job is not None:
            self._queue.cancel(self._job)
        self._job, self.guess, self.framing, self._fitting = None, None, None, None

    def _change(self, photo: int, **values: object) -> None:
        changed = replace(self.photos[photo], **values)  # type: ignore[arg-type]
        self.photos = (*self.photos[:photo], changed, *self.photos[photo + 1 :])

    def _look(self) -> None:
        """Look for faces in the first photograph whose faces are not known."""
        photo = next(photo for photo in self.photos if photo.faces is None)
        self.state, self.problem = "looking", ""
        self._job = self._queue.submit(f"Faces of {photo.path.name}", partial(_find, photo.path))

    def _found(self, faces: PhotoFaces) -> None:
        number = next(i for i, photo in enumerate(self.photos) if photo.faces is None)
        self._change(number, faces=faces, face=1 if len(faces.boxes) == 1 else None)
        if len(self.photos) > 1 or len(faces.boxes) > 1:
            self.state = "choosing"
        elif faces.boxes:
            self.fit()
        else:
            self.state, self.problem = "failed", in_window(faces.problem)

    def _failed(self, problem: str) -> None:
        known = tuple(photo for photo in self.photos if photo.faces is not None)
        if self.state == "looking" and known:  # one more photograph, which cannot be read
            self.photos, self.state = known, "choosing"
        else:
            self.state = "failed"
        self.problem = problem

    def _fit(self, request: Invert) -> None:
        from stylesdf_core.commands.invert import Fitting

        self._stop()
        self.state, self.problem = "fitting", ""
        name = self.photos[0].path.name
        try:
            self._fitting = Fitting(request)
            ends = ("" if n == 1 else f"-{n}" for n in count(1))
            paths = (self._folder / (Path(name).stem + end + TUNING_SUFFIX) for end in ends)
            tuning = next(path for path in paths if not path.exists())
            work = partial(self._guessing, self._fitting, len(self.photos), tuning)
        except InputError as error:
            self._failed(in_window(str(error)))
        else:
            self._job = self._queue.submit(f"Head of {name}", work)

    def _guessing(self, fitting: Fitting, photos: int, tuning: Path) -> Operation[None]:
        """The fit; in its thread, publishes the guess now and then, and at the end."""
        shown = 0.0
        with closing(fitting.run()) as steps:
            for progress in steps:
                if fitting.has_guess and time.monotonic() - shown > photos * _BETWEEN:
                    self._publish(fitting, photos, tuning)
                    shown = time.monotonic()
                yield progress
        self._publish(fitting, photos, tuning)

    def _publish(self, fitting: Fitting, photos: int, tuning: Path) -> None:
        pairs = tuple(fitting.pictures(photo) for photo in range(photos))
        self.guess = HeadGuess(fitting.saved(tuning), pairs)
        self._news.set()


def _texts(marks: Marks | None) -> list[str]:
    """The marks as the command takes them."""
    return ["-"] * 3 if marks is None else [f"{x:.1f},{y:.1f}" for x, y in marks]


def _find(path: Path) -> Operation[PhotoFaces]:
    from stylesdf_core.judges.finding import find_faces, find_judge, why_none
    from stylesdf_core.judges.photo import open_photo

    yield Progress(0, 3, "reading the photograph")
    photo = open_photo(path)
    pixels, _ = photo.reduced(_SHOWN)
    none = PhotoFaces(np.asarray(pixels, np.float32) / np.float32(255.0), photo.size)
    yield Progress(1, 3, "looking for faces")
    try:
        judge = find_judge()
    except InputError as error:  # faces can be marked by hand
        return replace(none, problem=str(error))
    faces = find_faces(photo, judge)
    if not faces:
        yield Progress(2, 3, "looking for turned faces")
        return replace(none, problem=f"{photo.name}: {why_none(photo, judge)}.")
    width, height = photo.size
    boxes = tuple(
        (left / width, top / height, right / width, bottom / height)
        for left, top, right, bottom in (face.box for face in faces)
    )
    marks = tuple(tuple((float(x), float(y)) for x, y in face.marks) for face in faces)
    return replace(none, boxes=boxes, marks=marks)
