"""Every exception this project raises on purpose, on one page.

::

    StyleSDFError                something went wrong that a person can act on
    ├── InputError               the user's value, flag or file is wrong        (exit status 2)
    │   ├── CheckpointError      a weights file is damaged, hostile or of another model
    │   ├── ModelNotFoundError   no model of that name or path
    │   ├── EmptySurfaceError    the field has no surface at the requested level
    │   └── OutputError          a result cannot be written where it was asked for
    ├── BatchError               some files of a batch could not be made        (exit status 1)
    ├── DownloadError            published weights could not be fetched whole   (exit status 1)
    ├── GraphicsError            no OpenGL context can be made on this machine  (exit status 1)
    └── TrainingError            a run stopped itself, and says why             (exit status 1)

A message says in one or two sentences what is wrong, which file or field, and what to do.
"""

from __future__ import annotations

import math


class StyleSDFError(Exception):
    """Base of all errors raised on purpose; its text is fit to be shown to a user as it is."""


class InputError(StyleSDFError):
    """A value, flag or file given by the user is wrong."""


class CheckpointError(InputError):
    """A weights file is damaged, hostile (it holds code) or of another model."""


class ModelNotFoundError(InputError):
    """No shipped or published model has the given name, and no file or run folder lies there."""


class EmptySurfaceError(InputError):
    """The scalar field does not cross the requested level inside the volume.

    Attributes:
        minimum, maximum: range of the field over the sampled grid, world units.
        level: the level that was asked for.
    """

    def __init__(self, minimum: float, maximum: float, level: float) -> None:
        self.minimum = minimum
        self.maximum = maximum
        self.level = level
        middle = 0.5 * (minimum + maximum)
        super().__init__(
            f"No surface at level {level:g}: the SDF lies between {minimum:.4g} and {maximum:.4g}; "
            f"try level {middle:.3g}."
        )


class OutputError(InputError):
    """A result cannot be written to the requested place."""


class BatchError(StyleSDFError):
    """Some files of a batch could not be made; the others are there."""


class DownloadError(StyleSDFError):
    """A download failed or arrived damaged; nothing was left under the final name."""


class GraphicsError(StyleSDFError):
    """OpenGL is not available; only the drawing of meshes needs OpenGL."""


class TrainingError(StyleSDFError):
    """A training run cannot start or go on; the last checkpoint is intact."""


#: Longest number that a sentence repeats.
_DIGITS = 30


def check_range(
    name: str, value: float, low: float, high: float = math.inf, unit: str = ""
) -> None:
    """Refuse a number outside [low, high], or NaN.

    Raises:
        InputError: ``<name> must lie between <low> and <high> <unit>, not <value>.``, or be a
            finite number.
    """
    if isinstance(value, float) and math.isnan(value):  # an int may be too large for a float
        raise InputError(f"{name} must be a finite number, not nan.")
    if not low <= value <= high:
        limits = f"be at least {_number(low)}"
        if high < math.inf:
            limits = f"lie between {_number(low)} and {_number(high)}"
        unit = f" {unit}" if unit else ""
        raise InputError(f"{name} must {limits}{unit}, not {_number(value)}.")


def _number(value: float) -> str:
    text = f"{value:g}" if isinstance(value, float) else f"{value}"
    return text if len(text) <= _DIGITS else f"{text[:_DIGITS]}…"


#: What to do where memory is short.
OUT_OF_MEMORY = (
    "Not enough memory is free for this: choose a smaller size or resolution, close other "
    "programs, or, on a GPU, compute on the CPU."
)
#: In the text of RuntimeErrors: of a GPU (CUDA, MPS), of PyTorch on the CPU, of MPS's buffers.
_SHORT_OF_MEMORY = ("out of memory", "DefaultCPUAllocator", "Invalid buffer size")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory is short, on a GPU, in PyTorch on the CPU, or in NumPy.

    The CPU's allocator and Apple's (MPS) raise a bare RuntimeError.
    """
    is_named = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    is_bare = isinstance(error, RuntimeError) and any(t in str(error) for t in _SHORT_OF_MEMORY)
    return is_named or is_bare
