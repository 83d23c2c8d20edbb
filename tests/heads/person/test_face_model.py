"""The morphable model from a clone's folder and from an .npz; nothing of ICT-FaceKit is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.heads.person.anatomy import analyse
from stylesdf_core.heads.person.face_model import MorphableModel

VERTICES = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0.5, 2, 0.25]], np.float32)


def _obj(path: Path, vertices: np.ndarray, *, faces: bool = False) -> None:
    lines = ["# ICT-FaceKit"] + [f"v {x} {y} {z}" for x, y, z in vertices]
    lines += ["vt 0 0", "vt 1 0", "vt 1 1"]
    if faces:
        lines += ["usemtl M_Face", "f 1/1/1 2/2/2 3/3/3 4/1/4", "usemtl M_Teeth", "f 3/3 5/2 4/1"]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "ICT-FaceKit" / "FaceXModel"
    folder.mkdir(parents=True)
    _obj(folder / "generic_neutral_mesh.obj", VERTICES, faces=True)
    _obj(folder / "identity000.obj", VERTICES + np.array([0.5, 0, 0]))
    _obj(folder / "identity001.obj", VERTICES + np.array([0, -0.25, 0]))
    _obj(folder / "jawOpen.obj", VERTICES * [1, 2, 1])
    return folder.parent


def test_the_folder_of_a_clone_is_read(clone: Path) -> None:
    for path in (clone, clone / "FaceXModel"):
        model = MorphableModel.load(path)
        assert np.array_equal(model.neutral, VERTICES)
        assert model.identity.shape == (2, 5, 3)
        assert np.allclose(model.identity[1], [0, -0.25, 0])
        assert model.expression_names == ("jawOpen",)
        assert np.allclose(model.expression, [VERTICES * [0, 1, 0]])
        assert model.quads.tolist() == [[0, 1, 2, 3], [2, 4, 3, -1]]
        assert model.uv_quads.tolist() == [[0, 1, 2, 0], [2, 1, 0, -1]]
        assert [model.material_names[i] for i in model.face_material] == ["M_Face", "M_Teeth"]


def test_an_npz_holds_the_whole_model(clone: Path, tmp_path: Path) -> None:
    model = MorphableModel.load(clone)
    model.save_npz(tmp_path / "model.npz")
    again = MorphableModel.load(tmp_path / "model.npz")
    for name, value in vars(model).items():
        assert np.array_equal(getattr(again, name), value), name
        if isinstance(value, np.ndarray):
            assert getattr(again, name).dtype == value.dtype, name


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("generic_neutral_mesh.obj", None, "holds no generic_neutral_mesh.obj"),
        ("generic_neutral_mesh.obj", "v 0 0 zero\n", "cannot be read as an OBJ"),
        ("generic_neutral_mesh.obj", "v 0 0 0\nf 1 2 3\n", "cannot be read as an OBJ"),
        ("identity001.obj", "v 0 0 0\n", "identity001.obj has 1 vertices"),
    ],
)
def test_a_damaged_clone_is_refused(
    clone: Path, name: str, content: str | None, message: str
) -> None:
    path = clone / "FaceXModel" / name
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=message):
        MorphableModel.load(clone)


def test_a_clone_without_identities_is_refused(clone: Path) -> None:
    for path in (clone / "FaceXModel").glob("identity*.obj"):
        path.unlink()
    with pytest.raises(InputError, match=r"no identity000\.obj"):
        MorphableModel.load(clone)


def test_a_wrong_npz_is_refused(clone: Path, tmp_path: Path) -> None:
    path = tmp_path / "wrong.npz"
    with pytest.raises(InputError, match="No face model at"):
        MorphableModel.load(path)
    path.write_bytes(b"nothing of the kind")
    with pytest.raises(InputError, match="cannot be read as"):
        MorphableModel.load(path)
    np.savez(path, neutral=VERTICES)
    with pytest.raises(InputError, match="it has no identity, expression"):
        MorphableModel.load(path)
    MorphableModel.load(clone).save_npz(path)
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(InputError, match="cannot be read as"):
        MorphableModel.load(path)


def test_arrays_that_do_not_fit_together_are_refused(clone: Path, tmp_path: Path) -> None:
    arrays = dict(vars(MorphableModel.load(clone)))
    arrays["quads"] = arrays["quads"] + 3
    np.savez(tmp_path / "model.npz", **arrays)
    with pytest.raises(InputError, match="do not fit together"):
        MorphableModel.load(tmp_path / "model.npz")


def test_a_model_other_than_ict_facekit_is_refused(clone: Path) -> None:
    with pytest.raises(InputError, match="not ICT-FaceKit light"):
        analyse(MorphableModel.load(clone))
