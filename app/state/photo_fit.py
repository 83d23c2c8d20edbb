"""*New from photo*: finds the faces of a photograph, fits a head to one, and shows the guess."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from app.state.problems import title_and_text
from app.state.wording import in_window
from app.workers.jobs import Job, JobQueue, JobState
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.commands.invert import Fitting

FloatArray = npt.NDArray[np.float32]
Box = tuple[float, float, float, float]
#: What the dialog shows.
PhotoState = Literal["none", "looking", "choosing", "fitting", "failed"]

#: Longest edge of the photograph in the dialog, pixels.
_SHOWN = 640
#: From one picture of the guess to the next, seconds.
_BETWEEN = 1.5


@dataclass(frozen=True)
class PhotoFaces:
    """A photograph and its faces.

    Attributes:
        pixels: (H, W, 3) in [0, 1], reduced.
        boxes: left, top, right, bottom of each face, as shares of width and height.
        problem: why there is no face, a sentence; empty where there are faces.
    """

    pixels: FloatArray
    boxes: tuple[Box, ...]
    problem: str = ""


@dataclass(frozen=True)
class HeadGuess:
    """The best head so far.

    Attributes:
        photo, head: (S, S, 3) in [0, 1]: the photograph as it is compared, and the head.
    """

    scene: Scene
    photo: FloatArray
    head: FloatArray


class PhotoFit:
    """One photograph at a time; the work runs in a thread of its own.

    Attributes:
        state: what the dialog shows; ``none`` while there is no dialog.
        path: the photograph.
        faces: of the photograph, once they are found.
        guess: the best head so far.
        problem: why there is no head, a sentence, in the state ``failed``.

    Args:
        news: set when there is something new to show.
    """

    def __init__(self, news: threading.Event) -> None:
        self._news = news
        self._queue = JobQueue()
        self._job: Job | None = None
        self._model, self._device = "", "auto"
        self.state: PhotoState = "none"
        self.path = Path()
        self.faces: PhotoFaces | None = None
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

    def start(self, path: Path, model: str, device: str) -> None:
        """Look for faces in a photograph."""
        self.cancel()
        self.path, self._model, self._device = path, model, device
        self.state = "looking"
        self._job = self._queue.submit(f"Faces of {path.name}", partial(_find, path))

    def choose(self, number: int) -> None:
        """Fit a head to a face, 1 for the largest."""
        self._fit(face=number)

    def take_whole(self) -> None:
        """Fit a head to the whole picture, which is framed as the model's own pictures."""
        self._fit(framed=True)

    def cancel(self) -> None:
        """Stop the work and forget the photograph."""
        if self._job is not None:
            self._queue.cancel(self._job)
        self._job, self.state, self.faces, self.guess = None, "none", None, None

    def keep(self) -> Scene | None:
        """Stop the work; the best head so far."""
        guess = self.guess
        self.cancel()
        return None if guess is None else guess.scene

    def poll(self) -> Scene | None:
        """Once a frame; the head, once it is finished."""
        finished = [job for job in self._queue.poll() if job is self._job]
        if not finished:
            return None
        job, self._job = finished[0], None
        if job.state is JobState.FAILED:
            assert job.error is not None
            self.state = "failed"
            self.problem = in_window(title_and_text(job.error)[1])
        elif self.state == "looking":
            self.faces = job.result
            self._found(job.result)
        elif self.state == "fitting" and self.guess is not None:
            return self.keep()
        return None

    def close(self) -> None:
        """Stop the thread."""
        self._queue.close()

    def _found(self, faces: PhotoFaces) -> None:
        if not faces.boxes:
            self.state, self.problem = "failed", in_window(faces.problem)
        elif len(faces.boxes) == 1:
            self.choose(1)
        else:
            self.state = "choosing"

    def _fit(self, **choice: Any) -> None:
        from stylesdf_core.commands.invert import Fitting, Invert

        self.guess = None
        request = Invert(
            photo=(self.path,),
            out=Path("head.json"),  # never written: the head goes into the document
            model=self._model,
            device=self._device,
            **choice,
        )
        self.state = "fitting"
        work = partial(self._guessing, Fitting(request))
        self._job = self._queue.submit(f"Head of {self.path.name}", work)

    def _guessing(self, fitting: Fitting) -> Operation[None]:
        """The fit; in its thread, publishes the guess now and then, and at the end."""
        shown = 0.0
        with closing(fitting.run()) as steps:
            for progress in steps:
                if fitting.has_guess and time.monotonic() - shown > _BETWEEN:
                    self._publish(fitting)
                    shown = time.monotonic()
                yield progress
        self._publish(fitting)

    def _publish(self, fitting: Fitting) -> None:
        photo, head = fitting.pictures
        self.guess = HeadGuess(fitting.scene, photo, head)
        self._news.set()


def _find(path: Path) -> Operation[PhotoFaces]:
    from stylesdf_core.judges.finding import find_faces, why_none
    from stylesdf_core.judges.photo import open_photo

    yield Progress(0, 3, "reading the photograph")
    photo = open_photo(path)
    yield Progress(1, 3, "looking for faces")
    faces, problem = find_faces(photo), ""
    if not faces:
        yield Progress(2, 3, "looking for turned faces")
        problem = f"{photo.name}: {why_none(photo)}."
    pixels, _ = photo.reduced(_SHOWN)
    width, height = photo.size
    boxes = tuple(
        (left / width, top / height, right / width, bottom / height)
        for left, top, right, bottom in (face.box for face in faces)
    )
    return PhotoFaces(np.asarray(pixels, np.float32) / np.float32(255.0), boxes, problem)
