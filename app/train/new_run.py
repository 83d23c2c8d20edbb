"""A new run before it is one: the form, the images behind it, and what is wrong with it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.train.dataset_preview import Preview, PreviewRequest, preview_worker
from app.train.training_form import (
    NO_HEADS,
    WANTED,
    FieldError,
    RunForm,
    checked_name,
    free_name,
    request_of,
)
from app.workers.schedule import LatestWorker
from stylesdf_core.commands.train_stages import TrainRequest


@dataclass(frozen=True)
class Wish:
    """A request to be checked or, if it shall be, begun.

    Attributes:
        begin: make its folder too.
    """

    request: TrainRequest
    begin: bool


@dataclass(frozen=True)
class Flaw:
    """What is wrong with the new run.

    Attributes:
        field: of the form; empty where it is none in particular.
        is_gap: something is only missing yet.
    """

    text: str
    field: str = ""
    is_gap: bool = False


@dataclass(frozen=True)
class Begun:
    """A run whose folder has been made."""

    request: TrainRequest
    path: Path


class NewRun:
    """The form with everything that is known of it; :meth:`tick` carries on in the background.

    Args:
        data: folder of images to begin with; empty for none.
        folder: where new runs go.
        news: set when there is something new.

    Attributes:
        form: what has been filled in.
        preview: of the images; None until they have been looked at.
        preview_flaw: why they could not be.
        is_beginning: the run's folder is being made.
    """

    def __init__(self, data: str, folder: Path, news: threading.Event) -> None:
        self.form = RunForm(data=data)
        self.folder = folder
        self.preview: Preview | None = None
        self.preview_flaw = ""
        self.is_beginning = False
        self._previews = preview_worker(news)
        self._preview_request: PreviewRequest | None = None
        self._wishes: LatestWorker[Wish, Path] = LatestWorker("new run", _fulfil, news)
        self._wished: TrainRequest | None = None
        self._found_flaw: Flaw | None = None  # by the worker
        self._form_flaw: Flaw | None = None  # by a look at the form
        self._looked_over: tuple[object, ...] = ()

    # --- the form -------------------------------------------------------------------------------

    def change(self, **changes: Any) -> None:
        """Change fields of the form; another stage starts from something else."""
        form = replace(self.form, **changes)
        if form.stage != self.form.stage:
            form = replace(form, init="")
        self._set(form)

    def set_text(self, name: str, text: str) -> None:
        """Fill in a parameter."""
        self._set(self.form.with_text(name, text))

    def _set(self, form: RunForm) -> None:
        if form != self.form:
            self.form, self._found_flaw = form, None

    @property
    def name(self) -> str:
        """What the run's folder will be called."""
        return self.form.name or free_name(self.form, self.folder)

    @property
    def flaw(self) -> Flaw | None:
        """What keeps the run from being started; None where nothing is known to."""
        key = (self.form, self.preview, self.preview_flaw, self.folder)
        if key != self._looked_over:
            self._looked_over, self._form_flaw = key, self._look_over()
        return self._form_flaw or self._found_flaw

    def _look_over(self) -> Flaw | None:
        form, gap = self.form, self._gap()
        if gap is not None:
            return gap
        if form.wants_images and self.preview_flaw:
            return Flaw(self.preview_flaw, "data")
        try:
            checked_name(form, self.folder)
            request = request_of(form, self.folder, name="run")
        except FieldError as error:
            return Flaw(str(error), error.name)
        preview = self.preview
        if form.wants_images and preview is not None and preview.usable is not None:
            batch = request.settings()["batch"]
            if preview.usable < batch:
                return Flaw(
                    f"{preview.usable:,} images can be used and a batch has {batch:,}: add images "
                    "or choose a smaller batch.",
                    "batch",
                )
        return None

    def _gap(self) -> Flaw | None:
        form = self.form
        if form.is_locked:
            return Flaw(WANTED[form.stage], "init", is_gap=True)
        if form.wants_images and not form.data:
            return Flaw("Choose a folder of images to train on.", "data", is_gap=True)
        if form.lacks_heads:
            return Flaw(NO_HEADS, "facekit", is_gap=True)
        return None

    # --- what becomes of it ---------------------------------------------------------------------

    def begin(self) -> None:
        """Make the folder of the run that the form describes; ``flaw`` says why if it cannot be."""
        if self.flaw is None and not self.is_beginning:
            self.is_beginning = True
            self._wishes.submit(Wish(self.request(), begin=True))

    def request(self) -> TrainRequest:
        """The request that the form describes.

        Raises:
            FieldError: names the field that is wrong.
        """
        gap = self._gap()
        if gap is not None:
            raise FieldError(gap.field, gap.text)
        return request_of(self.form, self.folder, name=checked_name(self.form, self.folder))

    def command(self) -> str:
        """The terminal command that starts the same run.

        Raises:
            FieldError: names the field that is wrong.
        """
        from stylesdf_core.commands.command_line import command_line

        return command_line(self.request())

    def failed(self, reason: str) -> None:
        """The run could not be started after all."""
        self._found_flaw = Flaw(reason)

    def tick(self, folder: Path, *, shown: bool) -> Begun | None:
        """Carry on; returns a run whose folder has just been made, to be started.

        Args:
            folder: where new runs go.
            shown: somebody looks at the form.
        """
        self.folder = folder
        begun = self._poll_wishes()
        if begun is not None:
            self._set(replace(self.form, name=""))
        if shown:
            self._look_at_images()
            self._check()
        return begun

    def close(self) -> None:
        """End the threads."""
        self._previews.close()
        self._wishes.close()

    def _poll_wishes(self) -> Begun | None:
        outcome = self._wishes.poll()
        if outcome is None:
            return None
        wish = outcome.request
        if wish.begin:
            self.is_beginning = False
        elif wish.request != self._wished:
            return None
        self._found_flaw = None if outcome.error is None else Flaw(str(outcome.error))
        return Begun(wish.request, outcome.value) if wish.begin and outcome.value else None

    def _check(self) -> None:
        """Have the settings checked whenever they have changed."""
        if self.is_beginning or self._form_flaw is not None:
            return
        request = request_of(self.form, self.folder, name="run")
        if request != self._wished:
            self._wished = request
            self._wishes.submit(Wish(request, begin=False))

    # --- the images -----------------------------------------------------------------------------

    def _look_at_images(self) -> None:
        wanted = self._wanted_preview()
        if wanted != self._preview_request:
            self._preview_request = wanted
            self.preview, self.preview_flaw = None, ""
            if wanted is not None:
                self._previews.submit(wanted)
        outcome = self._previews.poll()
        if outcome is None or outcome.request != self._preview_request:
            return
        if outcome.error is not None:
            self.preview, self.preview_flaw = None, str(outcome.error)
        elif outcome.value is not None:
            self.preview = outcome.value

    def _wanted_preview(self) -> PreviewRequest | None:
        from stylesdf_core.training.adversarial.config import PRESETS

        form = self.form
        if not form.data or not form.wants_images:
            return None
        preset = PRESETS[form.preset]  # type: ignore[index]
        thumbs = form.stage == "renderer"
        size = preset.generator.thumb_size if thumbs else preset.generator.output_size
        return PreviewRequest(Path(form.data).expanduser(), size, thumbs, preset.upscale)


def _fulfil(wish: Wish) -> Iterator[Path]:
    """Check a request and, if it shall begin, make its folder."""
    if wish.begin:
        yield wish.request.prepare().path
    else:
        wish.request.checked()
