"""A training run before it starts: the filled-in form, a check of its images, and its problems.

A thread checks the settings and makes the run's folder, since both read weights files.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from app.train.state.dataset_preview import Preview, PreviewRequest, look_at_images
from app.train.state.dry_run import measure
from app.train.state.lookup import Lookup
from app.train.state.training_form import (
    NO_HEADS,
    WANTED,
    FieldError,
    RunForm,
    checked_name,
    free_name,
    request_of,
)
from stylesdf_core.commands.train.stages import TrainRequest
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    ImageStageConfig,
    RendererConfig,
)


@dataclass(frozen=True)
class RunCheck:
    """A request whose settings are to be checked.

    Attributes:
        create: also make the run's folder, so that training can start.
    """

    request: TrainRequest
    create: bool


@dataclass(frozen=True)
class FormProblem:
    """Why the run cannot be started yet.

    Attributes:
        field: name of the form's field that is wrong; empty if the problem concerns several.
        is_gap: nothing is wrong, but something is still missing.
    """

    text: str
    field: str = ""
    is_gap: bool = False


@dataclass(frozen=True)
class CreatedRun:
    """A run whose folder has been made, to be started."""

    request: TrainRequest
    path: Path


class NewRun:
    """The form of a new run; :meth:`tick` has its images and settings checked by threads.

    Args:
        data: folder of images to begin with; empty for none.
        folder: folder of new runs.
        news: set with each answer of a thread.

    Attributes:
        form: the form as it is filled in.
    """

    def __init__(self, data: str, folder: Path, news: threading.Event | None = None) -> None:
        self.form = RunForm(data=data)
        self.folder = folder
        self._previews = Lookup("preview", look_at_images, news=news)
        self._preview_request: PreviewRequest | None = None
        self._checks = Lookup("new run", check_run, news=news)
        self._dry_runs = Lookup("dry run", measure, news=news)
        self._measured: TrainRequest | None = None
        self._estimate = ""
        self._creating: RunCheck | None = None
        self._worker_problem: FormProblem | None = None
        self._form_problem: FormProblem | None = None
        self._examined: tuple[object, ...] = ()

    # --- the form -------------------------------------------------------------------------------

    def change(self, **changes: Any) -> None:
        """Change fields of the form; a change of the stage empties the field ``init``."""
        form = replace(self.form, **changes)
        if form.stage != self.form.stage:
            form = replace(form, init="")
        self._set(form)

    def set_text(self, name: str, text: str) -> None:
        """Fill in a parameter."""
        self._set(self.form.with_text(name, text))

    def _set(self, form: RunForm) -> None:
        if form != self.form:
            self.form, self._worker_problem = form, None

    @property
    def preview(self) -> Preview | None:
        """The check of the form's images so far; None before it has begun."""
        preview = self._previews.answer
        return preview if preview and preview.request == self._preview_request else None

    @property
    def preview_problem(self) -> str:
        """Why the images cannot be used; empty if they can be, or have not been checked."""
        return str(self._previews.error or "")

    @property
    def is_beginning(self) -> bool:
        """Whether the run's folder is being made."""
        return self._creating is not None

    @property
    def name(self) -> str:
        """Name of the run's folder: the form's name, or else a free name."""
        return self.form.name or free_name(self.form, self.folder)

    @property
    def problem(self) -> FormProblem | None:
        """Why the run cannot be started yet; None without a known problem."""
        key = (self.form, self.preview, self.preview_problem, self.folder)
        if key != self._examined:
            self._examined, self._form_problem = key, self._examine()
        return self._form_problem or self._worker_problem

    def _examine(self) -> FormProblem | None:
        form, gap = self.form, self._gap()
        if gap is not None:
            return gap
        if form.wants_images and self.preview_problem:
            return FormProblem(self.preview_problem, "data")
        try:
            checked_name(form, self.folder)
            request = request_of(form, self.folder, name="run")
        except FieldError as error:
            return FormProblem(str(error), error.name)
        preview = self.preview
        config = request.config
        if isinstance(config, ImageStageConfig) and preview and preview.usable is not None:
            batch = config.batch
            if preview.usable < batch:
                return FormProblem(
                    f"{preview.usable:,} images can be used and a batch has {batch:,}: add images "
                    "or choose a smaller batch.",
                    "batch",
                )
        return None

    def _gap(self) -> FormProblem | None:
        form = self.form
        if form.is_locked:
            return FormProblem(WANTED[form.stage], "init", is_gap=True)
        if form.wants_images and not form.data:
            return FormProblem("Choose a folder of images to train on.", "data", is_gap=True)
        if form.lacks_heads:
            return FormProblem(NO_HEADS, "heads.facekit", is_gap=True)
        return None

    # --- from the form to a run ------------------------------------------------------------------

    def begin(self) -> None:
        """Make the run's folder, unless there is a ``problem``; :meth:`tick` returns the run."""
        if self.problem is None and not self.is_beginning:
            self._creating = RunCheck(self.request(), create=True)

    def estimate(self) -> None:
        """Measure what the run would take, unless there is a ``problem``; again, to stop."""
        if self.is_measuring:
            self._measured = None
        elif self.problem is None:
            self._measured = self.request()

    @property
    def is_measuring(self) -> bool:
        """Whether steps of the run are being measured."""
        return self._measured is not None

    def take_estimate(self) -> str:
        """The text of a new estimate, once; empty without a new one."""
        text, self._estimate = self._estimate, ""
        return text

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
        from stylesdf_core.commands.command_line import command_line, program_words

        return command_line(self.request(), program_words())

    def failed(self, reason: str) -> None:
        """Show why the run's process could not be started."""
        self._worker_problem = FormProblem(reason)

    def tick(self, folder: Path, *, shown: bool) -> CreatedRun | None:
        """Poll the threads and ask them; returns a run whose folder has just been made, or None.

        Args:
            folder: folder of new runs.
            shown: the form is on the screen; otherwise no checks are begun.
        """
        self.folder = folder
        if shown:
            self._preview_request = self._wanted_preview()
            self._previews.tick(self._preview_request)
        if self._dry_runs.tick(self._measured) and self._measured is not None:
            error = self._dry_runs.error
            self._estimate = f"{'problem':<10}{error}" if error else self._dry_runs.answer or ""
            if self._estimate:
                self._measured = None
        created = self._check(shown)
        if created is not None:
            self._set(replace(self.form, name=""))
        return created

    def close(self) -> None:
        """End the threads."""
        self._previews.close()
        self._checks.close()
        self._dry_runs.close()

    def _check(self, shown: bool) -> CreatedRun | None:
        """Have changed settings checked; returns a run once its folder has been made."""
        check = self._creating
        if check is None and shown and self.problem is None:
            check = RunCheck(request_of(self.form, self.folder, name="run"), create=False)
        if not self._checks.tick(check) or check is None:
            return None
        self._creating = None
        error, path = self._checks.error, self._checks.answer
        self._worker_problem = None if error is None else FormProblem(str(error))
        return CreatedRun(check.request, path) if check.create and path else None

    def _wanted_preview(self) -> PreviewRequest | None:
        form = self.form
        if not form.data or not form.wants_images:
            return None
        try:
            config = request_of(form, self.folder, name="run").config
        except FieldError:
            return self._preview_request
        assert isinstance(config, ImageStageConfig)
        size = 0
        if isinstance(config, RendererConfig):
            size = config.generator.thumb_size
        elif isinstance(config, DecoderStageConfig):
            size = config.output_size
        if not size and not form.init:
            return None
        return PreviewRequest(
            Path(config.data),
            size,
            upscale=config.images.upscale,
            init="" if size else form.init,
        )


def check_run(check: RunCheck) -> Iterator[Path]:
    """Check a request; to create the run, make its folder and yield the folder's path."""
    if check.create:
        yield check.request.prepare().path
    else:
        check.request.checked()
