"""A UV atlas: the surface cut into charts that lie flat and apart in a texture.

The library xatlas cuts and packs the charts. It computes for seconds without releasing Python's
lock, in which the window would stand still; so it runs in a process of its own, which can also be
ended when the user cancels.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import StyleSDFError
from stylesdf_core.files import cleaned_up
from stylesdf_core.mesh.assets.libraries import library
from stylesdf_core.progress import Operation, Progress

if TYPE_CHECKING:
    from stylesdf_core.mesh.sdf_grid import FloatArray
    from stylesdf_core.mesh.surface import FaceArray

#: Empty texels between two charts, at the texture's own size.
PADDING = 4
_POLL_SECONDS = 0.05
_SECONDS_PER_TRIANGLE = 1.5e-4  # on one core, for the progress
_EXTENT = 100.0  # of the mesh given to xatlas, which takes very small triangles for empty ones


@dataclass(frozen=True, eq=False)
class Atlas:
    """A mesh cut open along the borders of its charts.

    Attributes:
        source: (V,) int32, vertex of the uncut mesh from which each vertex comes.
        faces: (F, 3) int32, the uncut mesh's faces in the same order, over the cut vertices.
        uv: (V, 2) float32 in [0, 1]; v points up, as in OBJ and Blender.
    """

    source: npt.NDArray[np.int32]
    faces: FaceArray
    uv: FloatArray


def unwrap(vertices: FloatArray, faces: FaceArray, edge: int) -> Operation[Atlas]:
    """Cut a mesh into charts for a texture of ``edge``²; yields Progress from 0 to 1.

    Raises:
        InputError: xatlas is not installed.
        StyleSDFError: the process ended without an atlas.
    """
    library("xatlas", "--texture")
    with (
        tempfile.TemporaryDirectory(prefix="stylesdf-") as folder,
        cleaned_up(partial(shutil.rmtree, folder, ignore_errors=True)),
    ):
        request, answer = Path(folder, "mesh.npz"), Path(folder, "atlas.npz")
        scale = _EXTENT / float(np.ptp(vertices, axis=0).max())
        np.savez(request, vertices=vertices * np.float32(scale), faces=faces, edge=edge)
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(request), str(answer)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            start, usual = time.monotonic(), 1.0 + len(faces) * _SECONDS_PER_TRIANGLE
            with cleaned_up(process.kill):
                while process.poll() is None:
                    spent = time.monotonic() - start
                    yield Progress(spent / (spent + usual), 1.0, "cutting charts for the texture")
                    time.sleep(_POLL_SECONDS)
        finally:
            _, complaint = process.communicate()
        if process.returncode or not answer.exists():
            reason = complaint.decode(errors="replace").strip().rpartition("\n")[2]
            raise StyleSDFError(f"The mesh could not be cut into charts: {reason or 'no memory'}.")
        with np.load(answer) as found:
            return Atlas(found["source"], found["faces"], found["uv"])


def _main(request: str, answer: str) -> None:
    """The process: read a mesh, write its atlas."""
    import xatlas

    with np.load(request) as mesh:
        vertices, faces, edge = mesh["vertices"], mesh["faces"], int(mesh["edge"])
    atlas = xatlas.Atlas()
    atlas.add_mesh(vertices, faces.astype(np.uint32))
    charting, packing = xatlas.ChartOptions(), xatlas.PackOptions()
    charting.fix_winding = True  # no chart is mirrored
    packing.resolution, packing.padding = edge, PADDING
    atlas.generate(charting, packing)
    source, cut, uv = atlas.get_mesh(0)
    np.savez(answer, source=source.astype(np.int32), faces=cut.astype(np.int32), uv=uv)


if __name__ == "__main__":
    _main(*sys.argv[1:])
