"""Errors over the viewport: a title, a text, and buttons that help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from app.state.wording import details, suggested_level, title_and_text
from stylesdf_core.errors import EmptySurfaceError, GraphicsError
from stylesdf_core.scene.scene import SHIPPED_MODEL

if TYPE_CHECKING:
    from app.state.workbench import Workbench


@dataclass(frozen=True)
class Remedy:
    """A button on a problem's card, and its action."""

    label: str
    act: Callable[[], None]


@dataclass(frozen=True)
class Problem:
    """A card over the viewport.

    Attributes:
        details: a traceback for bug reports; empty for errors that the text explains.
        passes_by_itself: work is under way and nothing is wrong; the card shows a moving bar.
    """

    title: str
    text: str
    remedies: tuple[Remedy, ...] = ()
    details: str = ""
    passes_by_itself: bool = False


def load_problem(workbench: Workbench) -> Problem | None:
    """Why the last model could not be opened; None without an error."""
    models, failed = workbench.models, workbench.models.failed
    if failed is None or failed.error is None:
        return None
    reference = failed.reference
    remedies = [Remedy("Try again", partial(models.load, reference, adopt=failed.adopt))]
    if models.reference:
        remedies.insert(
            0, Remedy(f"Stay with {models.name}", partial(_stay_with_loaded, workbench))
        )
    elif reference != SHIPPED_MODEL:
        open_shipped = partial(workbench.open_model, SHIPPED_MODEL)
        remedies.insert(0, Remedy("Open the shipped face", open_shipped))
    title = f"{Path(reference).name} cannot be opened"
    _, text = title_and_text(failed.error)
    return Problem(title, text, tuple(remedies), details(failed.error))


def drawing_problem(workbench: Workbench, error: BaseException | None) -> Problem | None:
    """Why a pane does not show the scene; None without an error.

    Args:
        error: ``picture_error`` or ``mesh_error`` of the screen.
    """
    if error is None:
        return None
    if isinstance(error, EmptySurfaceError):
        level = suggested_level(error)
        set_level = partial(workbench.change_settings, "mesh", level=level)
        remedies = [Remedy(f"Set level {level:g}", set_level)]
    elif isinstance(error, GraphicsError):
        show_image = partial(workbench.change_settings, "view", view="image", split=False)
        remedies = [Remedy("Show the image", show_image)]
    else:
        remedies = [Remedy("Try again", workbench.screen.forget)]
        if workbench.document.can_undo:
            remedies.append(Remedy("Undo", workbench.document.undo))
    title, text = title_and_text(error)
    return Problem(title, text, tuple(remedies), details(error))


def _stay_with_loaded(workbench: Workbench) -> None:
    workbench.models.dismiss()
    if workbench.models.of(workbench.scene.model) is None:
        workbench.adopt_model()
