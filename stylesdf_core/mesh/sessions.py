"""Sessions in files: a Scene read back from a session file or from any exported file.

Every exported PNG, GIF, GLB, OBJ and PLY carries the Scene it shows. This module stands above
pictures and meshes because reading a session means knowing both kinds of file.
"""

from __future__ import annotations

from pathlib import Path

from stylesdf_core.errors import InputError
from stylesdf_core.scene.scene import Scene


def read_scene(path: Path | str) -> Scene:
    """Load a scene from a session (``.json``) or from any file this program exported.

    PNG, GIF, GLB, OBJ and PLY files carry their scene.

    Raises:
        InputError: no such file, or no session in it.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"There is no file {path}.")
    if path.suffix.lower() == ".json":
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"Cannot read {path}: {error}.") from error
    else:
        found = _embedded(path)
        if found is None:
            raise InputError(f"{path} carries no session; it was not exported by this program.")
        text = found
    return Scene.from_json(text, path.name)


def _embedded(path: Path) -> str | None:
    """The session's JSON inside an exported mesh or picture, or None where there is none."""
    if path.suffix.lower() in (".glb", ".obj", ".ply"):
        from stylesdf_core.mesh.mesh_io import read_metadata

        return read_metadata(path)
    from stylesdf_core.scene.embedding import read_picture_metadata

    return read_picture_metadata(path)
