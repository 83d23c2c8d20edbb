"""The libraries of the extra ``asset``, which nothing but game and print assets needs."""

from __future__ import annotations

import importlib
from types import ModuleType

from stylesdf_core.errors import InputError


def library(name: str, purpose: str) -> ModuleType:
    """Import a library of the extra.

    Args:
        purpose: what the user asked for, which begins the sentence of the error.

    Raises:
        InputError: the library is not installed; says how to install it.
    """
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.replace("_", "-")
        raise InputError(
            f"{purpose} needs {package}: pip install 'stylesdf-studio[asset]'."
        ) from error
