"""The ICT-FaceKit light morphable model: a neutral head, identity modes, expression shapes.

The model is not part of this project: :meth:`MorphableModel.load` reads a clone of its repository,
or one ``.npz`` that :meth:`MorphableModel.save_npz` wrote from a clone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output
from stylesdf_core.foreign import reading
from stylesdf_core.heads.person.latent import IDENTITY_MODES

Float32 = npt.NDArray[np.float32]

_NEUTRAL_FILE = "generic_neutral_mesh.obj"
#: The arrays of an .npz and their types; names are stored as strings.
_DTYPES: dict[str, type[np.generic]] = {
    "neutral": np.float32,
    "identity": np.float16,
    "expression": np.float16,
    "expression_names": np.str_,
    "quads": np.int32,
    "uv": np.float32,
    "uv_quads": np.int32,
    "face_material": np.uint8,
    "material_names": np.str_,
}


@dataclass(frozen=True)
class MorphableModel:
    """A linear head model; a head is ``neutral + Σ c·identity + Σ e·expression``.

    Attributes:
        neutral: (V, 3) float32, cm, +y up, looking along +z.
        identity: (N, V, 3) offsets, cm; coefficients are standard normal.
        expression: (E, V, 3) offsets, cm, at weight 1.
        expression_names: E names.
        quads: (F, 4) int32 vertex indices; a triangle ends in −1.
        uv, uv_quads: (U, 2) texture coordinates and their (F, 4) indices.
        face_material: (F,) index into ``material_names``.
        material_names: M names.
    """

    neutral: Float32
    identity: npt.NDArray[np.float16]
    expression: npt.NDArray[np.float16]
    expression_names: tuple[str, ...]
    quads: npt.NDArray[np.int32]
    uv: Float32
    uv_quads: npt.NDArray[np.int32]
    face_material: npt.NDArray[np.uint8]
    material_names: tuple[str, ...]

    @classmethod
    def load(cls, path: Path | str) -> MorphableModel:
        """Read a clone of ICT-VGL/ICT-FaceKit (or its ``FaceXModel`` folder) or an ``.npz``.

        Raises:
            InputError: there is no file, or it holds another model; names what is missing.
        """
        path = Path(path)
        if path.is_dir():
            return _load_folder(path)
        if not path.exists():
            raise InputError(
                f"No face model at {path}; give a clone of github.com/ICT-VGL/ICT-FaceKit "
                "or an .npz written from one."
            )
        return _load_npz(path)

    @property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that tell the heads of this model from those of another one."""
        digest = hashlib.sha256(self.neutral.tobytes())
        digest.update(self.identity[:IDENTITY_MODES].tobytes())
        return digest.hexdigest()[:16]

    def save_npz(self, path: Path | str) -> None:
        """Write all arrays to one compressed ``.npz``, which :meth:`load` reads in a second."""
        arrays: dict[str, Any] = {
            name: np.asarray(getattr(self, name), dtype) for name, dtype in _DTYPES.items()
        }
        with atomic_output(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(stream, **arrays)


def _load_npz(path: Path) -> MorphableModel:
    with reading(path, "an .npz face model"):
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as stored:
            missing = [name for name in _DTYPES if name not in stored]
            if missing:
                raise InputError(f"{path} is not a face model: it has no {', '.join(missing)}.")
            arrays: dict[str, Any] = {
                name: tuple(stored[name].tolist())
                if dtype is np.str_
                else stored[name].astype(dtype)
                for name, dtype in _DTYPES.items()
            }
        model = MorphableModel(**arrays)
        vertices, faces = len(model.neutral), len(model.quads)
        fits = (
            model.neutral.shape == (vertices, 3)
            and model.identity.shape[1:] == (vertices, 3)
            and model.expression.shape == (len(model.expression_names), vertices, 3)
            and model.quads.shape == (faces, 4)
            and model.face_material.shape == (faces,)
            and faces > 0
            and int(model.quads.max()) < vertices
            and int(model.face_material.max()) < len(model.material_names)
        )
    if not fits:
        raise InputError(
            f"{path}: the arrays' shapes do not fit together; write the file again from a clone."
        )
    return model


def _load_folder(path: Path) -> MorphableModel:
    folder = path / "FaceXModel" if (path / "FaceXModel").is_dir() else path
    neutral_path = folder / _NEUTRAL_FILE
    if not neutral_path.is_file():
        raise InputError(
            f"{path} holds no {_NEUTRAL_FILE}; give a clone of github.com/ICT-VGL/ICT-FaceKit "
            "or its FaceXModel folder."
        )
    neutral, faces = _read_vertices(neutral_path), _read_faces(neutral_path)
    if faces["quads"].max() >= len(neutral):
        raise InputError(
            f"{neutral_path} cannot be read as an OBJ file: its faces name missing vertices."
        )
    identity_paths = sorted(folder.glob("identity[0-9]*.obj"))
    if not identity_paths:
        raise InputError(f"{folder} holds no identity000.obj …; the clone is incomplete.")
    identity = []
    for file in identity_paths:
        vertices = _read_vertices(file)
        if len(vertices) != len(neutral):
            raise InputError(
                f"{file} has {len(vertices)} vertices, {_NEUTRAL_FILE} has {len(neutral)}; "
                "clone the repository again."
            )
        identity.append((vertices - neutral).astype(np.float16))
    # Other files with as many vertices are expressions; files with fewer are parts of the head.
    expression = {}
    for file in sorted(set(folder.glob("*.obj")) - {*identity_paths, neutral_path}):
        vertices = _read_vertices(file)
        if len(vertices) == len(neutral):
            expression[file.stem] = (vertices - neutral).astype(np.float16)
    return MorphableModel(
        neutral=neutral,
        identity=np.stack(identity),
        expression=np.array(list(expression.values()), np.float16).reshape(-1, *neutral.shape),
        expression_names=tuple(expression),
        **faces,
    )


def _read_vertices(path: Path) -> Float32:
    with reading(path, "an OBJ file"), open(path, encoding="utf-8") as stream:
        rows = [line.split()[1:4] for line in stream if line.startswith("v ")]
        return np.array(rows, np.float32).reshape(-1, 3)


def _read_faces(path: Path) -> dict[str, Any]:
    """The model's arrays from ``quads`` to ``material_names``, out of an OBJ file."""
    uv: list[list[str]] = []
    quads: list[list[int]] = []
    uv_quads: list[list[int]] = []
    materials: list[int] = []
    numbers: dict[str, int] = {}  # of the materials
    current = 0
    with reading(path, "an OBJ file"), open(path, encoding="utf-8") as stream:
        for line in stream:
            word, *rest = line.split() or [""]
            if word == "vt":
                uv.append(rest[:2])
            elif word == "usemtl":
                current = numbers.setdefault(rest[0], len(numbers))
            elif word == "f":
                corners = [[int(i or 0) - 1 for i in corner.split("/")] for corner in rest]
                if len(corners) not in (3, 4):
                    raise ValueError(f"a face with {len(corners)} corners")
                padding = [-1] * (4 - len(corners))
                quads.append([corner[0] for corner in corners] + padding)
                uv_quads.append([c[1] if len(c) > 1 else -1 for c in corners] + padding)
                materials.append(current)
        if not quads:
            raise ValueError("no faces")
        return {
            "quads": np.array(quads, np.int32),
            "uv": np.array(uv, np.float32).reshape(-1, 2),
            "uv_quads": np.array(uv_quads, np.int32),
            "face_material": np.array(materials, np.uint8),
            "material_names": tuple(numbers) or ("",),
        }
