"""What the program is, its licences, and where it computes and keeps files: Help › About."""

from __future__ import annotations

import platform
import sys

from app.state.exports import export_folder
from app.state.workbench import Workbench
from stylesdf_core import __version__

PAPER = "StyleSDF: High-Resolution 3D-Consistent Image and Geometry Generation, CVPR 2022"


def about(workbench: Workbench) -> list[tuple[str, str]]:
    """Facts, each behind its subject."""
    torch = sys.modules.get("torch")
    computes = workbench.settings.device
    if torch is not None:
        version = torch.__version__
        computes += f", PyTorch {version}"
        if torch.cuda.is_available():
            computes += f", {torch.cuda.get_device_name()}"
    return [
        ("Version", f"StyleSDF Studio {__version__}, Python {platform.python_version()}"),
        ("Paper", PAPER),
        ("Model", workbench.models.name or "none"),
        ("Device", computes),
        ("Exports", str(export_folder(workbench.settings))),
        ("Settings", str(workbench.store.folder)),
        ("Filmstrip", str(workbench.store.faces_folder)),
        (
            "Licences",
            "The program and the models that come with it: MIT. The weights published with "
            "StyleSDF: CC BY-NC-SA 4.0, not for commercial use. The typeface Open Sans: Apache "
            "2.0. Libraries: as named by pip show.",
        ),
    ]
