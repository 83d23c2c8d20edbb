"""What must happen before a process opens its first OpenGL context, whichever library opens it."""

from __future__ import annotations

import contextlib
import importlib


def prepare_opengl() -> None:
    """Import Triton if it is installed, as it is beside torch's builds for CUDA.

    Triton and Mesa's software renderer each contain a copy of LLVM. A process that imports Triton
    after it opened an OpenGL context of Mesa crashes; in the order that this function brings about,
    both work. Torch imports Triton by itself, for example at an optimizer's first step.
    """
    with contextlib.suppress(Exception):  # torch works without a Triton that cannot be imported
        importlib.import_module("triton")
