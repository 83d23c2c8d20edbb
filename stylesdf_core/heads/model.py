"""The ICT-FaceKit light morphable model: a neutral head, identity modes, expression shapes."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from stylesdf_core.errors import InputError
from stylesdf_core.files import atomic_output

Float32 = npt.NDArray[np.float32]

_KEYS = (
    "neutral",
    "identity",
    "expression",
    "expression_names",
    "quads",
    "uv",
    "uv_quads",
    "face_material",
    "material_names",
)
_NEUTRAL_FILE = "generic_neutral_mesh.obj"


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
            InputError: nothing there, or not that model; names the file and what is missing.
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

    def save_npz(self, path: Path | str) -> None:
        """Write all arrays to one compressed ``.npz``, which :meth:`load` reads in a second."""
        with atomic_output(path) as temporary, open(temporary, "wb") as stream:
            np.savez_compressed(
                stream,
                neutral=self.neutral,
                identity=self.identity,
                expression=self.expression,
                expression_names=np.array(self.expression_names),
                quads=self.quads,
                uv=self.uv,
                uv_quads=self.uv_quads,
                face_material=self.face_material,
                material_names=np.array(self.material_names),
            )

    def expression_shape(self, name: str) -> Float32:
        """Offsets (V, 3) in cm of the expression called ``name``."""
        shape = self.expression[self.expression_names.index(name)]
        return np.asarray(shape, np.float32)


def _load_npz(path: Path) -> MorphableModel:
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as arrays:
            missing = [key for key in _KEYS if key not in arrays]
            if missing:
                raise InputError(f"{path} is not a face model: it has no {', '.join(missing)}.")
            model = MorphableModel(
                neutral=arrays["neutral"].astype(np.float32),
                identity=arrays["identity"].astype(np.float16),
                expression=arrays["expression"].astype(np.float16),
                expression_names=tuple(str(name) for name in arrays["expression_names"]),
                quads=arrays["quads"].astype(np.int32),
                uv=arrays["uv"].astype(np.float32),
                uv_quads=arrays["uv_quads"].astype(np.int32),
                face_material=arrays["face_material"].astype(np.uint8),
                material_names=tuple(str(name) for name in arrays["material_names"]),
            )
    except (OSError, ValueError, EOFError, AttributeError, TypeError, zipfile.BadZipFile) as error:
        raise InputError(f"{path} is not a readable .npz face model ({error}).") from error
    _check(model, path)
    return model


def _check(model: MorphableModel, path: Path) -> None:
    vertices = len(model.neutral)
    faces = len(model.quads)
    right = (
        model.neutral.shape == (vertices, 3)
        and model.identity.shape[1:] == (vertices, 3)
        and model.expression.shape == (len(model.expression_names), vertices, 3)
        and model.quads.shape == (faces, 4)
        and model.face_material.shape == (faces,)
        and faces > 0
        and int(model.quads.max()) < vertices
        and int(model.face_material.max()) < len(model.material_names)
    )
    if not right:
        raise InputError(f"{path}: the arrays' shapes do not fit together; write the file anew.")


@dataclass(frozen=True)
class _Obj:
    vertices: Float32
    uv: Float32
    quads: npt.NDArray[np.int32]
    uv_quads: npt.NDArray[np.int32]
    face_material: npt.NDArray[np.uint8]
    material_names: tuple[str, ...]


def _load_folder(path: Path) -> MorphableModel:
    folder = path / "FaceXModel" if (path / "FaceXModel").is_dir() else path
    neutral_path = folder / _NEUTRAL_FILE
    if not neutral_path.is_file():
        raise InputError(
            f"{path} holds no {_NEUTRAL_FILE}; give a clone of github.com/ICT-VGL/ICT-FaceKit "
            "or its FaceXModel folder."
        )
    neutral = _read_obj(neutral_path)
    identities = sorted(folder.glob("identity[0-9]*.obj"))
    if not identities:
        raise InputError(f"{folder} holds no identity000.obj …; the clone is incomplete.")
    others = sorted(set(folder.glob("*.obj")) - {*identities, neutral_path})
    expressions = [
        (file.stem, vertices)
        for file in others
        if len(vertices := _read_vertices(file)) == len(neutral.vertices)
    ]

    def offsets(vertices: Float32, file: Path) -> npt.NDArray[np.float16]:
        if len(vertices) != len(neutral.vertices):
            raise InputError(
                f"{file} has {len(vertices)} vertices, {_NEUTRAL_FILE} {len(neutral.vertices)}; "
                "the clone is incomplete or mixed."
            )
        return (vertices - neutral.vertices).astype(np.float16)

    shape = (0, len(neutral.vertices), 3)
    return MorphableModel(
        neutral=neutral.vertices,
        identity=np.stack([offsets(_read_vertices(file), file) for file in identities]),
        expression=(
            np.stack([(v - neutral.vertices).astype(np.float16) for _, v in expressions])
            if expressions
            else np.zeros(shape, np.float16)
        ),
        expression_names=tuple(name for name, _ in expressions),
        quads=neutral.quads,
        uv=neutral.uv,
        uv_quads=neutral.uv_quads,
        face_material=neutral.face_material,
        material_names=neutral.material_names,
    )


def _read_vertices(path: Path) -> Float32:
    try:
        with open(path, encoding="utf-8") as stream:
            rows = [line.split()[1:4] for line in stream if line.startswith("v ")]
        return np.array(rows, np.float32).reshape(-1, 3)
    except (OSError, ValueError) as error:
        raise InputError(f"{path} is not a readable OBJ file ({error}).") from error


def _read_obj(path: Path) -> _Obj:
    uv: list[list[str]] = []
    quads: list[list[int]] = []
    uv_quads: list[list[int]] = []
    materials: list[int] = []
    names: list[str] = []
    current = 0
    try:
        with open(path, encoding="utf-8") as stream:
            for line in stream:
                word, *rest = line.split() or [""]
                if word == "vt":
                    uv.append(rest[:2])
                elif word == "usemtl":
                    if rest[0] not in names:
                        names.append(rest[0])
                    current = names.index(rest[0])
                elif word == "f":
                    corners = [[int(i or 0) - 1 for i in corner.split("/")] for corner in rest]
                    if len(corners) not in (3, 4):
                        raise ValueError(f"a face with {len(corners)} corners")
                    padding = [-1] * (4 - len(corners))
                    quads.append([corner[0] for corner in corners] + padding)
                    uv_quads.append([c[1] if len(c) > 1 else -1 for c in corners] + padding)
                    materials.append(current)
        faces = np.array(quads, np.int32).reshape(-1, 4)
        vertices = _read_vertices(path)
        if not len(faces) or faces.max() >= len(vertices):
            raise ValueError("no faces, or faces of vertices that are not there")
    except (OSError, ValueError, IndexError) as error:
        raise InputError(f"{path} is not a readable OBJ file ({error}).") from error
    return _Obj(
        vertices=vertices,
        uv=np.array(uv, np.float32).reshape(-1, 2),
        quads=faces,
        uv_quads=np.array(uv_quads, np.int32).reshape(-1, 4),
        face_material=np.array(materials, np.uint8),
        material_names=tuple(names) or ("",),
    )
