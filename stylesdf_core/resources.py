"""Paths of the files that come with the program, installed from a wheel or in a checkout."""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.errors import StyleSDFError

_PACKAGE = Path(__file__).resolve().parent
# A wheel holds assets/ and pretrained/ in _shipped (see pyproject.toml);
# a checkout, and with it an editable install, has them beside the package.
_ROOTS = (_PACKAGE / "_shipped", _PACKAGE.parent)


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, such as ``"assets/icon.png"`` or ``"pretrained"``.

    Raises:
        StyleSDFError: the installation is incomplete: it has no such file.
    """
    for root in _ROOTS:
        path = root / relative
        if path.exists():
            return path
    looked_in = " and ".join(str(root) for root in _ROOTS)
    raise StyleSDFError(
        f"{relative} did not come with this installation (looked in {looked_in}); "
        "install StyleSDF Studio again."
    )
