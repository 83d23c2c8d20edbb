"""Where lips, brows, eyes, beard and ears are on the neutral mesh, as smooth fields.

Every field is computed once from the 68 Multi-PIE landmarks and interpolated over triangles, so
that the fragment shader can draw edges sharper than the mesh. Lengths are cm on the neutral head.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import CubicSpline
from scipy.spatial import cKDTree

from stylesdf_core.errors import InputError
from stylesdf_core.heads.model import MorphableModel

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
    """The rendered part of the neutral mesh and what each of its vertices is.

    Attributes:
        used: (V,) indices of the kept vertices in the morphable model.
        neutral: (V, 3) cm.
        triangles: (T, 3) int32.
        material: (V,) one of FACE … SCLERA.
        lip: signed distance to the lips' outline, positive inside.
        mouth: 1 in the mouth's cavity, 0 on the outer skin.
        brow: distance to the brow's centre line over its half width (≤ 1 inside); brow_t runs
            from 0 at its inner to 1 at its outer end.
        upper_lid, lid: distance to the upper lid's edge and to both edges.
        beard: signed distance into the beard's region.
        cheek, nose, ear, socket: masks from 0 to 1.
        landmarks: (68,) indices into ``neutral``.
        eyes: vertex indices of the left (+x) and right sclera.
        eye_centers: (2, 3).
    """

    used: npt.NDArray[np.int64]
    neutral: Float32
    triangles: npt.NDArray[np.int32]
    material: npt.NDArray[np.int32]
    lip: Float32
    mouth: Float32
    brow: Float32
    brow_t: Float32
    upper_lid: Float32
    lid: Float32
    beard: Float32
    cheek: Float32
    nose: Float32
    ear: Float32
    socket: Float32
    landmarks: npt.NDArray[np.int64]
    eyes: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
    eye_centers: Float32


def smoothstep(low: float, high: float, x: Float64) -> Float64:
    """0 below ``low``, 1 above ``high``, a cubic between."""
    t = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(t * t * (3.0 - 2.0 * t))


def spline(points: Float64, count: int = 100, *, closed: bool = False) -> Float64:
    """``count`` points on a smooth curve through ``points`` (N, D)."""
    if closed:
        points = np.concatenate([points, points[:1]])
    steps = np.linalg.norm(np.diff(points, axis=0), axis=1)
    knots = np.concatenate([[0.0], np.cumsum(steps)])
    curve = CubicSpline(knots, points, bc_type="periodic" if closed else "natural")
    return np.asarray(curve(np.linspace(0.0, knots[-1], count)))


def inside_polygon(points: Float64, polygon: Float64) -> npt.NDArray[np.bool_]:
    """Which of ``points`` (N, 2) lie inside the closed ``polygon`` (M, 2)."""
    x, y = points[:, 0:1], points[:, 1:2]
    (x0, y0), (x1, y1) = polygon.T, np.roll(polygon, -1, axis=0).T
    crosses = (y0 > y) != (y1 > y)
    at = x0 + (y - y0) * (x1 - x0) / np.where(y1 == y0, 1.0, y1 - y0)
    return np.asarray((crosses & (x < at)).sum(axis=1) % 2 == 1)


def _distance(points: Float64, curve: Float64) -> Float64:
    return np.asarray(cKDTree(curve).query(points)[0])


def _bump(points: Float64, centre: tuple[float, float, float], radius: float) -> Float64:
    """Gaussian around ``centre`` and its mirror image."""
    offset = np.abs(points * [1.0, 0.0, 0.0]) + points * [0.0, 1.0, 1.0] - np.array(centre)
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
    faces: list[npt.NDArray[np.int32]] = []
    kinds: list[int] = []
    for name, kind in _MATERIALS.items():
        quads = model.quads[model.face_material == model.material_names.index(name)]
        whole = quads[quads[:, 3] >= 0]
        faces += [quads[:, :3], whole[:, [0, 2, 3]]]
        kinds += [kind] * (len(quads) + len(whole))
    triangles = np.concatenate(faces)
    seen = _can_be_seen(model.neutral, triangles, np.array(kinds))
    triangles, face_kind = triangles[seen], np.array(kinds)[seen]
    used, inverse = np.unique(triangles, return_inverse=True)
    triangles = inverse.reshape(-1, 3).astype(np.int32)
    material = np.zeros(len(used), np.int32)
    order = np.argsort(-face_kind, kind="stable")  # the face wins on its seams
    material[triangles[order]] = face_kind[order][:, None]

    remap = np.full(len(model.neutral), -1)
    remap[used] = np.arange(len(used))
    landmarks = remap[LANDMARKS]
    p = model.neutral[used].astype(np.float64)
    at = p[landmarks]
    skin = (material == FACE) | (material == BACK_HEAD)

    outer = spline(at[48:60], 400, closed=True)
    lip = _distance(p[:, :2], outer[:, :2])
    inside = inside_polygon(p[:, :2], outer[:, :2]) & (p[:, 2] > 8.0)
    lip = np.where(inside, lip, -lip)
    front = p[:, 2] > 6.5
    lip = np.where(front, lip, -5.0)
    inner = spline(at[60:68], 400, closed=True)
    behind = inner[:, 2].min() - 0.15 - p[:, 2]
    mouth = smoothstep(0.0, 0.6, behind + 0.25 * np.abs(p[:, 0])) * (
        (material == BACK_HEAD) & (np.abs(p[:, 0]) < 3.2) & (p[:, 1] < 0.2) & (p[:, 1] > -7.0)
        & (p[:, 2] > 2.0)
    )  # fmt: skip

    brow = np.full(len(p), 9.0)
    brow_t = np.zeros(len(p))
    for points in (at[17:22][::-1], at[22:27]):  # inner end first
        curve = spline(points - [0.0, 0.12, 0.0], 120)
        distance, nearest = cKDTree(curve).query(p)
        t = nearest / 119.0
        width = 0.42 * np.interp(t, [0.0, 0.08, 0.35, 0.7, 1.0], [0.62, 0.95, 1.0, 0.72, 0.3])
        closer = distance / width < brow
        brow = np.where(closer, distance / width, brow)
        brow_t = np.where(closer, t, brow_t)
    brow = np.where(material == FACE, brow, 9.0)

    uppers, lids = [], []
    for o in (36, 42):
        eye = at[o : o + 6]
        uppers.append(spline(eye[:4], 120))
        lids.append(spline(eye, 200, closed=True))
    upper_lid = _distance(p, np.concatenate(uppers))
    lid = _distance(p, np.concatenate(lids))

    # Beard: below a line from the sideburn over the cheek to the lip's corner, above the throat.
    x = np.abs(p[:, 0])
    outwards = [0.0, 1.6, 2.6, 4.2, 5.4, 6.4, 7.2]
    top = np.interp(x, outwards, [-1.5, -1.6, -2.0, -2.9, -2.6, -0.6, 3.4])
    bottom = np.interp(p[:, 2], [2.0, 6.0, 10.0], [-4.2, -7.0, -8.4])
    beard = np.minimum(top - p[:, 1], p[:, 1] - bottom)
    beard = np.minimum(beard, p[:, 2] - 2.6)
    beard = np.where(skin, beard, -5.0)

    # Ears stand out from the side of the skull, which is nearly flat there.
    skull = np.interp(p[:, 2], [-4.0, -2.0, 1.0, 3.0, 5.0], [6.9, 7.15, 7.35, 7.45, 7.4])
    skull = skull - 0.05 * np.maximum(0.0, 1.0 - p[:, 1])
    ear = smoothstep(0.05, 0.45, np.abs(p[:, 0]) - skull)
    ear = ear * smoothstep(-3.0, -2.2, p[:, 1]) * (1.0 - smoothstep(7.6, 8.4, p[:, 1]))
    ear = ear * smoothstep(-4.6, -3.6, p[:, 2]) * (1.0 - smoothstep(3.6, 4.2, p[:, 2]))
    centers = np.stack([_eye_centre(model, name) for name in ("M_ScleraLeft", "M_ScleraRight")])
    eyes = tuple(
        np.flatnonzero((material == SCLERA) & (np.sign(p[:, 0]) == sign)) for sign in (1.0, -1.0)
    )

    def f32(field: Float64) -> Float32:
        return np.asarray(field, np.float32)

    return Anatomy(
        used=used.astype(np.int64),
        neutral=f32(p),
        triangles=triangles,
        material=material,
        lip=f32(lip),
        mouth=f32(mouth),
        brow=f32(brow),
        brow_t=f32(brow_t),
        upper_lid=f32(upper_lid),
        lid=f32(lid),
        beard=f32(beard),
        cheek=f32(_bump(p, (4.6, 0.4, 9.0), 1.9)),
        nose=f32(_bump(p, (0.0, 0.2, 12.9), 1.3) + 0.6 * _bump(p, (1.5, -0.3, 11.6), 0.8)),
        ear=f32(ear),
        socket=f32(_bump(p, (2.4, 4.4, 9.4), 0.9) + 0.7 * _bump(p, (2.8, 2.2, 9.8), 0.8)),
        landmarks=landmarks,
        eyes=(eyes[0], eyes[1]),
        eye_centers=f32(centers),
    )


def _can_be_seen(
    neutral: Float32, triangles: npt.NDArray[np.int32], kind: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Drop the backs of teeth, gums and eyeballs, which no camera can see."""
    a, b, c = (neutral[triangles[:, i]] for i in range(3))
    normal = np.cross(b - a, c - a)
    forward = normal[:, 2] / np.maximum(np.linalg.norm(normal, axis=1), 1e-12)
    middle = (a + b + c) / 3.0
    inner = ((kind == GUMS) | (kind == TEETH)) & ((middle[:, 2] < 7.0) | (forward < -0.3))
    eye = (kind == SCLERA) & (forward < 0.0)
    return np.asarray(~(inner | eye))


def _eye_centre(model: MorphableModel, name: str) -> Float64:
    quads = model.quads[model.face_material == model.material_names.index(name)]
    points = model.neutral[np.unique(quads[quads >= 0])].astype(np.float64)
    return np.asarray(0.5 * (points.min(axis=0) + points.max(axis=0)))
