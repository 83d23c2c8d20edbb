"""Where lips, brows, eyes, beard and ears are on the neutral mesh, as a number per vertex.

:func:`analyse` computes these fields once from the 68 Multi-PIE landmarks. The fragment shader
(``heads/rasterizer/shaders.py``) interpolates the fields over triangles, and so draws edges
that are sharper than the mesh. Lengths are cm on the neutral head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree
from skimage.measure import points_in_poly

from stylesdf_core.errors import InputError
from stylesdf_core.heads.person.face_model import MorphableModel

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

# fmt: off
#: Vertices of the 68 Multi-PIE landmarks: 0–16 jaw, 17–26 eyebrows, 27–35 nose, 36–47 eyes,
#: 48–59 outer lips, 60–67 inner lips.
LANDMARKS = np.array([
    1225, 1888, 1052, 367, 1719, 1722, 2199, 1447, 966, 3661, 4390, 3927, 3924, 2608, 3272, 4088,
    3443, 268, 493, 1914, 2044, 1401, 3615, 4240, 4114, 2734, 2509, 978, 4527, 4942, 4857, 1140,
    2075, 1147, 4269, 3360, 1507, 1542, 1537, 1528, 1518, 1511, 3742, 3751, 3756, 3721, 3725, 3732,
    5708, 5695, 2081, 0, 4275, 6200, 6213, 6346, 6461, 5518, 5957, 5841, 5702, 5711, 5533, 6216,
    6207, 6470, 5517, 5966,
])
# fmt: on

FACE, BACK_HEAD, GUMS, TEETH, SCLERA, HAIR = range(6)
_MATERIALS = {
    "M_Face": FACE,
    "M_BackHead": BACK_HEAD,
    "M_GumsTongue": GUMS,
    "M_Teeth": TEETH,
    "M_ScleraLeft": SCLERA,
    "M_ScleraRight": SCLERA,
}


@dataclass(frozen=True)
class Anatomy:
    """The rendered part of the neutral mesh, and material and fields of its V vertices.

    Attributes:
        used: (V,) indices of the kept vertices in the morphable model.
        neutral: (V, 3) cm.
        triangles: (T, 3) int32.
        material: (V,) one of FACE … SCLERA.
        fields: by name, (V,) each, in the order in which the shader takes them:
            ``lip``: signed distance to the lips' outline, positive inside;
            ``mouth``: 1 in the mouth's cavity, 0 on the outer skin;
            ``brow``: distance to the brow's centre line over its half width (≤ 1 inside);
            ``brow_t``: 0 at the brow's inner end to 1 at its outer end;
            ``upper_lid``, ``lid``: distance to the upper lid's edge and to the nearest lid's edge;
            ``beard``: signed distance to the edge of the beard's region, positive inside;
            ``ear``, ``cheek``, ``nose``, ``socket``: from 0 off the part to 1 on it.
        landmarks: (68,) indices into ``neutral``.
        eyes: vertex indices of the left (+x) and right sclera.
        eye_centers: (2, 3) cm, left and right.
    """

    used: npt.NDArray[np.int64]
    neutral: Float32
    triangles: npt.NDArray[np.int32]
    material: npt.NDArray[np.int32]
    fields: dict[str, Float32]
    landmarks: npt.NDArray[np.int64]
    eyes: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    eye_centers: Float32


def smoothstep(low: float, high: float, x: Float64) -> Float64:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def _spline(points: Float64, count: int, *, closed: bool = False) -> Float64:
    """``count`` points on a smooth curve through ``points`` (N, 3)."""
    if closed:
        points = np.concatenate([points, points[:1]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(steps)])
    curve = CubicSpline(knots, points, bc_type="periodic" if closed else "natural")
    return np.asarray(curve(np.linspace(0.0, knots[-1], count)))


def _distance(points: Float64, curve: Float64) -> Float64:
    return np.asarray(cKDTree(curve).query(points)[0])


def _bump(points: Float64, centre: tuple[float, float, float], radius: float) -> Float64:
    """Gaussian around ``centre`` and its mirror image."""
    offset = np.column_stack([np.abs(points[:, 0]), points[:, 1:]]) - np.array(centre)
    return np.asarray(np.exp(-0.5 * (offset**2).sum(axis=1) / radius**2))


def analyse(model: MorphableModel) -> Anatomy:
    """Compute all fields for ``model`` (about a second).

    Raises:
        InputError: the model is not ICT-FaceKit light (materials or landmarks are missing).
    """
    missing = [name for name in _MATERIALS if name not in model.material_names]
    if missing or int(LANDMARKS.max()) >= len(model.neutral):
        raise InputError(
            "The face model is not ICT-FaceKit light: it lacks "
            + (f"the materials {', '.join(missing)}." if missing else "the landmark vertices.")
        )
    faces, kinds = [], []
    for name, kind in _MATERIALS.items():
        quads = _quads_of(model, name)
        halves = np.concatenate([quads[:, :3], quads[quads[:, 3] >= 0][:, [0, 2, 3]]])
        seen = _can_be_seen(model.neutral, halves, kind)
        faces.append(halves[seen])
        kinds.append(np.full(int(seen.sum()), kind, np.int32))
    used, inverse = np.unique(np.concatenate(faces), return_inverse=True)
    triangles = inverse.reshape(-1, 3).astype(np.int32)
    # From the last material to the first, so that vertices shared with the face get the face's.
    material = np.zeros(len(used), np.int32)
    face_kind = np.concatenate(kinds)
    order = np.argsort(-face_kind, kind="stable")
    material[triangles[order]] = face_kind[order][:, None]

    remap = np.full(len(model.neutral), -1)
    remap[used] = np.arange(len(used))
    landmarks = remap[LANDMARKS]
    p = model.neutral[used].astype(np.float64)
    centers = []
    for name in ("M_ScleraLeft", "M_ScleraRight"):
        quads = _quads_of(model, name)
        eyeball = model.neutral[np.unique(quads[quads >= 0])].astype(np.float64)
        centers.append(0.5 * (eyeball.min(axis=0) + eyeball.max(axis=0)))
    sclera, left = material == SCLERA, p[:, 0] > 0.0
    fields = _fields(p, p[landmarks], material)
    return Anatomy(
        used=used.astype(np.int64),
        neutral=p.astype(np.float32),
        triangles=triangles,
        material=material,
        fields={name: values.astype(np.float32) for name, values in fields.items()},
        landmarks=landmarks,
        eyes=(np.flatnonzero(sclera & left), np.flatnonzero(sclera & ~left)),
        eye_centers=np.array(centers, np.float32),
    )


def _quads_of(model: MorphableModel, material: str) -> npt.NDArray[np.int32]:
    of_material = model.face_material == model.material_names.index(material)
    return np.asarray(model.quads[of_material])


def _can_be_seen(
    neutral: Float32, triangles: npt.NDArray[np.int32], kind: int
) -> npt.NDArray[np.bool_]:
    """False on the backs of teeth, gums and eyeballs, which no camera can see."""
    a, b, c = (neutral[triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    forward = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    if kind == SCLERA:
        return np.asarray(forward >= 0.0)
    if kind in (GUMS, TEETH):
        middle = (a + b + c) / 3.0
        return np.asarray((middle[:, 2] >= 7.0) & (forward >= -0.3))
    return np.ones(len(triangles), bool)


def _fields(p: Float64, at: Float64, material: npt.NDArray[np.int32]) -> dict[str, Float64]:
    """The fields of :class:`Anatomy` at vertices ``p`` (V, 3), from landmarks ``at`` (68, 3)."""
    x = np.abs(p[:, 0])
    outer = _spline(at[48:60], 400, closed=True)
    inside = points_in_poly(p[:, :2], outer[:, :2]) & (p[:, 2] > 8.0)
    lip = np.where(inside, 1.0, -1.0) * _distance(p[:, :2], outer[:, :2])
    lip = np.where(p[:, 2] > 6.5, lip, -5.0)
    inner = _spline(at[60:68], 400, closed=True)
    behind = inner[:, 2].min() - 0.15 - p[:, 2]
    cavity = (x < 3.2) & (p[:, 1] < 0.2) & (p[:, 1] > -7.0) & (p[:, 2] > 2.0)
    mouth = smoothstep(0.0, 0.6, behind + 0.25 * x) * (cavity & (material == BACK_HEAD))

    brow, brow_t = np.full(len(p), 9.0), np.zeros(len(p))
    for points in (at[17:22][::-1], at[22:27]):  # inner end first
        distance, nearest = cKDTree(_spline(points - [0.0, 0.12, 0.0], 120)).query(p)
        t = nearest / 119.0
        width = 0.42 * np.interp(t, [0.0, 0.08, 0.35, 0.7, 1.0], [0.62, 0.95, 1.0, 0.72, 0.3])
        closer = distance / width < brow
        brow = np.where(closer, distance / width, brow)
        brow_t = np.where(closer, t, brow_t)
    brow = np.where(material == FACE, brow, 9.0)

    eyes = (at[36:42], at[42:48])
    upper_lid = _distance(p, np.concatenate([_spline(eye[:4], 120) for eye in eyes]))
    lid = _distance(p, np.concatenate([_spline(eye, 200, closed=True) for eye in eyes]))

    # Beard: below a line from the sideburn over the cheek to the lip's corner, above the throat.
    outwards = [0.0, 1.6, 2.6, 4.2, 5.4, 6.4, 7.2]
    top = np.interp(x, outwards, [-1.5, -1.6, -2.0, -2.9, -2.6, -0.6, 3.4])
    bottom = np.interp(p[:, 2], [2.0, 6.0, 10.0], [-4.2, -7.0, -8.4])
    beard = np.minimum(np.minimum(top - p[:, 1], p[:, 1] - bottom), p[:, 2] - 2.6)
    beard = np.where((material == FACE) | (material == BACK_HEAD), beard, -5.0)

    # Ears stand out from the side of the skull, which is nearly flat there.
    skull = np.interp(p[:, 2], [-4.0, -2.0, 1.0, 3.0, 5.0], [6.9, 7.15, 7.35, 7.45, 7.4])
    ear = smoothstep(0.05, 0.45, x - (skull - 0.05 * np.maximum(0.0, 1.0 - p[:, 1])))
    ear = ear * smoothstep(-3.0, -2.2, p[:, 1]) * (1.0 - smoothstep(7.6, 8.4, p[:, 1]))
    ear = ear * smoothstep(-4.6, -3.6, p[:, 2]) * (1.0 - smoothstep(3.6, 4.2, p[:, 2]))
    return {
        "lip": lip,
        "mouth": mouth,
        "brow": brow,
        "brow_t": brow_t,
        "upper_lid": upper_lid,
        "lid": lid,
        "beard": beard,
        "ear": ear,
        "cheek": _bump(p, (4.6, 0.4, 9.0), 1.9),
        "nose": _bump(p, (0.0, 0.2, 12.9), 1.3) + 0.6 * _bump(p, (1.5, -0.3, 11.6), 0.8),
        "socket": _bump(p, (2.4, 4.4, 9.4), 0.9) + 0.7 * _bump(p, (2.8, 2.2, 9.8), 0.8),
    }
