"""3MF files (3D Manufacturing Format): meshes for printers, with unit, colours and texture.

A 3MF file is a ZIP archive with an XML model. Vertex colours and the texture follow the format's
materials extension; charts cut the texture's places, not the mesh, which a printer needs closed.
The session is metadata of a name space of this program.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.mesh.files.placement import MeshPlacement, Unit
from stylesdf_core.mesh.sdf_grid import FloatArray
from stylesdf_core.mesh.surface import ByteArray, SurfaceMesh, welded
from stylesdf_core.scene.session_files import KEY, THREE_MF_MODEL

_UNITS: dict[Unit, str] = {"m": "meter", "cm": "centimeter", "mm": "millimeter"}
_QUICK_PNG = 4  # compression level: twice as fast as Pillow's own, files are a few percent larger
_TEXTURE = "3D/Textures/basecolor.png"
_CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
_MATERIALS = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_OWN = f"urn:{KEY}"
_TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>
<Default Extension="model" ContentType="application/vnd.ms-package.3dmanufacturing-3dmodel+xml"/>
<Default Extension="png" ContentType="image/png"/>
</Types>
"""


def encode_3mf(
    mesh: SurfaceMesh,
    placement: MeshPlacement,
    application: str,
    session: str | None,
) -> bytes:
    """The file of a mesh that is in the file's coordinates already."""
    files = {
        "[Content_Types].xml": _TYPES.encode(),
        "_rels/.rels": _relation(THREE_MF_MODEL, "2013/01/3dmodel"),
        THREE_MF_MODEL: _model(mesh, placement, application, session).encode(),
    }
    if mesh.textures is not None:
        files["3D/_rels/3dmodel.model.rels"] = _relation(_TEXTURE, "2013/01/3dtexture")
        files[_TEXTURE] = png(mesh.textures.color)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED, compresslevel=4) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return stream.getvalue()


def _relation(target: str, kind: str) -> bytes:
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Relationships xmlns="{_RELATIONS}">'
        f'<Relationship Id="r0" Target="/{target}" '
        f'Type="http://schemas.microsoft.com/3dmanufacturing/{kind}"/></Relationships>\n'
    ).encode()


def _model(
    mesh: SurfaceMesh, placement: MeshPlacement, application: str, session: str | None
) -> str:
    metadata = [("Title", placement.name), ("Application", application)]
    if session is not None:
        metadata.append(("s:session", session))
    resources, paint = "", ""
    joined = welded(mesh)
    corners = np.concatenate([joined.faces, mesh.faces], axis=1)
    if mesh.textures is not None and mesh.uv is not None:
        places = _lines('<m:tex2coord u="{:.6f}" v="{:.6f}"/>', mesh.uv)
        resources = (
            f'<m:texture2d id="2" path="/{_TEXTURE}" contenttype="image/png"/>\n'
            f'<m:texture2dgroup id="3" texid="2">\n{places}\n</m:texture2dgroup>\n'
        )
        paint = ' pid="3" p1="{3}" p2="{4}" p3="{5}"'
    elif mesh.colors is not None:
        bytes_ = np.rint(255.0 * mesh.colors).astype(np.uint8)
        colors = _lines('<m:color color="#{:02X}{:02X}{:02X}"/>', bytes_)
        resources = f'<m:colorgroup id="3">\n{colors}\n</m:colorgroup>\n'
        paint = ' pid="3" p1="{3}" p2="{4}" p3="{5}"'
    default = ' pid="3" pindex="0"' if paint else ""
    lines = "".join(
        f"<metadata name={quoteattr(name)}>{escape(text)}</metadata>\n" for name, text in metadata
    )
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<model unit="{_UNITS[placement.unit]}" '
        f'xml:lang="en" xmlns="{_CORE}" xmlns:m="{_MATERIALS}" xmlns:s="{_OWN}">\n'
        f'{lines}<resources>\n{resources}<object id="1" type="model"{default} '
        f"name={quoteattr(placement.name)}>\n<mesh>\n<vertices>\n"
        + _lines('<vertex x="{:.7g}" y="{:.7g}" z="{:.7g}"/>', joined.vertices)
        + "\n</vertices>\n<triangles>\n"
        + _lines('<triangle v1="{0}" v2="{1}" v3="{2}"' + paint + "/>", corners)
        + "\n</triangles>\n</mesh>\n</object>\n</resources>\n"
        + '<build><item objectid="1"/></build>\n</model>\n'
    )


def _lines(form: str, values: npt.NDArray[Any]) -> str:
    return "\n".join(rows(form, values))


def rows(form: str, values: npt.NDArray[Any]) -> Iterator[str]:
    """Each row of an array as a line of text."""
    return (form.format(*row) for row in values.tolist())


def png(picture: ByteArray) -> bytes:
    """A picture as a PNG file."""
    stream = io.BytesIO()
    Image.fromarray(picture).save(stream, format="PNG", compress_level=_QUICK_PNG)
    return stream.getvalue()


def read_3mf(path: Path) -> tuple[FloatArray, npt.NDArray[np.int32]]:
    """Vertices and faces of the first object, as they stand in the file."""
    with zipfile.ZipFile(path) as archive, archive.open(THREE_MF_MODEL) as stream:
        root = ElementTree.parse(stream).getroot()
    vertices = [[item.get(axis) for axis in "xyz"] for item in root.iter(f"{{{_CORE}}}vertex")]
    faces = [
        [item.get(k) for k in ("v1", "v2", "v3")] for item in root.iter(f"{{{_CORE}}}triangle")
    ]
    return np.array(vertices, np.float32), np.array(faces, np.int32)
