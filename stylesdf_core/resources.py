"""Where the files that come with the program lie: installed from a wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.errors import StyleSDFError

_PACKAGE = Path(__file__).resolve().parent
_ROOTS = (
    _PACKAGE
    / "_shipped",  # a wheel: pyproject.toml's force-include put assets/ and pretrained/ there
    _PACKAGE.parent,  # a checkout or an editable install
)


def shipped(relative: str) -> Path:
    """Path of a shipped file or folder, such as ``"assets/icon.png"`` or ``"pretrained"``.

    Raises:
        StyleSDFError: nothing of that name came with the program; the installation is incomplete.
    """
    for root in _ROOTS:
        path = root / relative
        if path.exists():
            return path
    raise StyleSDFError(
        f"{relative} did not come with this installation (looked in "
        f"{' and '.join(str(root) for root in _ROOTS)}); install StyleSDF Studio again."
    )
