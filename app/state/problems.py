"""Errors in words for the user: a title, a text, and buttons that help."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from dataclasses import dataclass

from stylesdf_core.errors import (
    EmptySurfaceError,
    GraphicsError,
    InputError,
    StyleSDFError,
)


@dataclass(frozen=True)
class Remedy:
    """A button that helps."""

    label: str
    act: Callable[[], None]


@dataclass(frozen=True)
class Problem:
    """A card over the viewport.

    Attributes:
        details: a traceback for bug reports; empty for errors that the text explains.
        passes_by_itself: nothing is wrong, something merely takes its time.
    """

    title: str
    text: str
    remedies: tuple[Remedy, ...] = ()
    details: str = ""
    passes_by_itself: bool = False


def describe(error: BaseException) -> tuple[str, str]:
    """Title and text for an error met while drawing."""
    if isinstance(error, EmptySurfaceError):
        text = (
            f"No surface between SDF {error.minimum:.3g} and {error.maximum:.3g} "
            f"at level {error.level:g}; try level {suggested_level(error):g}."
        )
        return "Empty mesh", text
    if isinstance(error, GraphicsError):
        return "No mesh view on this machine", str(error)
    if isinstance(error, InputError):
        return "This scene cannot be drawn", str(error)
    if isinstance(error, StyleSDFError):
        return "That did not work", str(error)
    if isinstance(error, MemoryError) or "out of memory" in str(error).lower():
        return "Out of memory", f"{error}. Choose a smaller resolution or the CPU device."
    return "Something went wrong in the program", f"{type(error).__name__}: {error}"


def details(error: BaseException) -> str:
    """A traceback of errors nobody foresaw; empty for the others."""
    if isinstance(error, StyleSDFError):
        return ""
    return "".join(traceback.format_exception(error))


def suggested_level(error: EmptySurfaceError) -> float:
    """A level inside the field's range, rounded to what the slider shows."""
    middle = 0.5 * (error.minimum + error.maximum)
    rounded = round(middle, 3)
    return rounded if error.minimum < rounded < error.maximum else middle
