"""The hair: a shell around the skull whose thickness is a height field over angle and height.

The shell is a dome above the ears continued by a cylinder down to the shoulders. Where the
thickness is negative the shell lies under the skin, so that the shell's visible edge *is* the
hairline, and hair may hang freely over ears and neck. Angles are measured from the front, around
the head's axis. Lengths are cm on the neutral head.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import sparse
from scipy.interpolate import PchipInterpolator
from scipy.ndimage import gaussian_filter, grey_opening
from scipy.spatial import cKDTree

from stylesdf_core.heads.person.anatomy import BACK_HEAD, FACE, Anatomy, smoothstep

Float32 = npt.NDArray[np.float32]
Float64 = npt.NDArray[np.float64]

COLUMNS, DOME_ROWS, CURTAIN_ROWS = 128, 40, 44
#: The :attr:`HairStyle.length` at which hair covers just the area where it grows.
_SHORT = 1.0
#: Heights where dome and cylinder meet, and where the cylinder ends.
_EQUATOR, _BOTTOM = 4.0, -13.0

# The hairline's height over the angle (degrees), for short, bob and shoulder length.
_ANGLES = [0.0, 22.0, 40.0, 52.0, 60.0, 68.0, 76.0, 88.0, 102.0, 114.0, 128.0, 150.0, 180.0]
_CROPPED = np.array([11.1, 10.9, 9.9, 7.6, 4.9, 3.4, 4.6, 5.7, 4.9, 1.0, -2.0, -3.2, -3.5])
_BOB = np.array([10.9, 10.9, 10.2, 8.0, 3.5, -1.5, -3.6, -4.4, -4.8, -5.2, -5.6, -6.0, -6.2])
_LONG = np.array([10.9, 10.9, 10.2, 7.6, 0.5, -7.5, -9.6, -10.4, -10.6, -10.8, -11.0, -11.2, -11.2])


@dataclass(frozen=True)
class HairStyle:
    """One head's hair.

    Attributes:
        length: 0 buzz cut, 1 short, 2 bob, 3 shoulder length.
        volume: factor of the thickness.
        hairline, sideburns, nape: shifts of the hairline's parts, cm; a positive value shows more
            skin at the forehead, less skin at sideburns and nape.
        waviness: 0 to 1.
        parting: −1 to 1, side to which the top is swept.
    """

    length: float
    volume: float
    hairline: float
    sideburns: float
    nape: float
    waviness: float
    parting: float


class HairShell:
    """The shell over one neutral head.

    Attributes:
        rest: (N, 3) float32 vertices of a shell that lies on the skin.
        triangles: (T, 3) int32.
    """

    def __init__(self, anatomy: Anatomy) -> None:
        skin = np.isin(anatomy.material, (FACE, BACK_HEAD)) & (anatomy.fields["ear"] < 0.02)
        p = anatomy.neutral.astype(np.float64)
        front = (p[:, 2] > 7.0) & (p[:, 1] < 7.5) & (np.abs(p[:, 0]) < 6.5)
        cavity = (np.hypot(p[:, 0], p[:, 2]) < 5.0) & (p[:, 1] > -4.0) & (p[:, 1] < 11.0)
        scalp = np.flatnonzero(skin & ~front & ~cavity)
        phi, y, direction, origin = _grid()

        # Radius by kernel regression in the shell's own coordinates: smooth, without ears.
        key, radius = _coordinates(p[scalp])
        embed = 8.0 * direction + np.stack([0 * y, np.minimum(y - _EQUATOR, 0.0), 0 * y], axis=1)
        distance, index = (np.asarray(found) for found in cKDTree(key).query(embed, k=16))
        weight = np.exp(-0.5 * (distance / np.maximum(0.7, distance[:, :1])) ** 2)
        weight /= weight.sum(axis=1, keepdims=True)
        self._radius = _without_ears((weight * radius[index]).sum(axis=1), phi, y)
        self.rest = (origin + self._radius[:, None] * direction).astype(np.float32)
        self._direction = direction.astype(np.float32)
        self._phi, self._height = phi, self.rest[:, 1].astype(np.float64)
        self._skin_phi, self._skin_height = np.arctan2(p[:, 0], p[:, 2]), p[:, 1]
        equator = DOME_ROWS * COLUMNS + np.arange(COLUMNS)
        self._equator_radius = np.tile(self._radius[equator], len(phi) // COLUMNS)

        # The shell's vertices move with the skin vertices that gave them their radius.
        rows = np.repeat(np.arange(len(phi)), 16)
        self._follow = sparse.csr_array(
            (weight.ravel().astype(np.float32), (rows, scalp[index].ravel())),
            shape=(len(phi), len(p)),
        )
        i = np.arange((len(phi) // COLUMNS - 1) * COLUMNS)
        right = i - i % COLUMNS + (i + 1) % COLUMNS
        below, below_right = i + COLUMNS, right + COLUMNS
        self.triangles = np.concatenate(
            [np.stack([i, below, below_right], 1), np.stack([i, below_right, right], 1)]
        ).astype(np.int32)

    def margins(self, style: HairStyle) -> Float32:
        """Signed distances (N, 2) of the skin's vertices, then of the shell's vertices.

        The first column is the distance into the hair; the second, 0 on the shell, the distance
        into the area where hair grows, beyond which long hair hangs.
        """
        phi, height = self._skin_phi, self._skin_height
        grows = replace(style, length=_SHORT)
        skin = [_margin(phi, height, style), _margin(phi, height, grows)]
        shell = [_margin(self._phi, self._height, style), np.zeros(len(self.rest))]
        return np.concatenate([np.stack(skin, axis=1), np.stack(shell, axis=1)]).astype(np.float32)

    def pose(self, offsets: Float32, style: HairStyle) -> Float32:
        """Shell vertices (N, 3) for skin vertices that moved by ``offsets`` (V, 3)."""
        thickness = self._thickness(_margin(self._phi, self._height, style), style)
        moved = np.asarray(self._follow @ offsets, np.float32)
        return self.rest + moved + thickness.astype(np.float32)[:, None] * self._direction

    def _thickness(self, margin: Float64, style: HairStyle) -> Float64:
        angle, y = np.degrees(np.abs(self._phi)), self._height
        buzz = max(0.0, 1.0 - style.length)
        lengthy = float(smoothstep(1.1, 2.0, np.array(style.length)))
        crown = smoothstep(6.0, 12.5, y)
        front = 1.0 - smoothstep(25.0, 75.0, angle)
        full = style.volume * (0.60 + 0.50 * crown + 0.30 * crown * front + 0.30 * lengthy)
        full = full + style.parting * 0.35 * crown * self._direction[:, 0] * style.volume
        full = full * (1.0 - 0.8 * buzz) + 0.05 * buzz
        wave = style.waviness * (0.12 + 0.13 * lengthy) * (1.0 - buzz)
        below_crown = 1.0 - smoothstep(10.0, 13.0, y)
        full = full + wave * np.sin(6.0 * self._phi + 1.1 * y) * below_crown
        # Hanging hair keeps the head's girth below the ears instead of following the neck.
        hang = np.maximum(self._equator_radius + 0.25 - self._radius, 0.0)
        hang = hang * (1.0 - smoothstep(-1.0, 4.5, y)) * lengthy
        covered = float(smoothstep(1.05, 1.45, np.array(style.length)))
        at_ear = np.exp(-(((angle - 95.0) / 32.0) ** 2)) * (1.0 - smoothstep(3.0, 11.0, y))
        full = full + hang + 1.45 * covered * at_ear
        grid = gaussian_filter(full.reshape(-1, COLUMNS), 2.5, mode=("nearest", "wrap"))
        # Swept-back hair rises gently from the forehead; elsewhere hair ends in a clear edge.
        edge = 1.1 - 0.4 * buzz + 1.2 * front * (1.0 - buzz)
        rise = smoothstep(-0.45, 1.0, margin / edge)
        body = 0.72 + 0.28 * smoothstep(0.8, 4.0, margin)
        return np.asarray(-0.55 + (0.55 + grid.ravel() * body) * rise)


def _grid() -> tuple[Float64, Float64, Float64, Float64]:
    """Angle, height, outward direction and axis point of the shell's vertices."""
    phi = np.linspace(-np.pi, np.pi, COLUMNS, endpoint=False)
    elevation = np.linspace(np.pi / 2 - 0.01, 0.0, DOME_ROWS, endpoint=False)
    depth = np.linspace(_EQUATOR, _BOTTOM, CURTAIN_ROWS + 1)
    elevations = np.concatenate([elevation, np.zeros(CURTAIN_ROWS + 1)])
    heights = np.concatenate([np.full(DOME_ROWS, _EQUATOR), depth])
    e, f = np.meshgrid(elevations, phi, indexing="ij")
    h = np.repeat(heights, COLUMNS)
    e, f = e.ravel(), f.ravel()
    direction = np.stack([np.cos(e) * np.sin(f), np.sin(e), np.cos(e) * np.cos(f)], axis=1)
    origin = np.stack([0 * h, h, _axis_z(h)], axis=1)
    return f, np.where(e > 0.0, _EQUATOR + 9.0 * np.sin(e), h), direction, origin


def _without_ears(radius: Float64, phi: Float64, height: Float64) -> Float64:
    """Level the ears' bumps: a grey opening keeps only features that are wider than an ear."""
    grid = radius.reshape(-1, COLUMNS)
    opened = grey_opening(grid, size=(17, 21), mode="wrap")
    level = gaussian_filter(opened, 2.0, mode=("nearest", "wrap")).ravel()
    angle = np.degrees(np.abs(phi))
    side = smoothstep(55.0, 68.0, angle) * (1.0 - smoothstep(125.0, 140.0, angle))
    side = side * smoothstep(-6.0, -3.5, height) * (1.0 - smoothstep(8.5, 10.5, height))
    return np.asarray(radius + side * (level - radius))


def _axis_z(height: Float64) -> Float64:
    return np.asarray(np.interp(height, [_BOTTOM, -4.0, _EQUATOR], [-2.0, -0.6, 0.0]))


def _coordinates(points: Float64) -> tuple[Float64, Float64]:
    """For points (N, 3): coordinates in which neighbours on the shell are near, and the radius."""
    height = np.minimum(points[:, 1], _EQUATOR)
    offset = points - np.stack([0 * height, height, _axis_z(height)], axis=1)
    radius = np.linalg.norm(offset, axis=1)
    key = 8.0 * offset / np.maximum(radius, 1e-6)[:, None]
    key[:, 1] += height - _EQUATOR
    return key, radius


def _margin(phi: Float64, height: Float64, style: HairStyle) -> Float64:
    """Signed distance above the hairline of points at angle ``phi`` (radians) and ``height``."""
    cropped = _CROPPED.copy()
    cropped[:4] += style.hairline * np.array([1.0, 1.15, 1.5, 0.9])
    cropped[4:7] += style.sideburns * np.array([0.8, 1.2, 0.4])
    cropped[9:] += style.nape * np.array([0.4, 0.8, 1.0, 1.0])
    lines = [cropped, _BOB.copy(), _LONG.copy()]
    for longer in lines[1:]:
        longer[:4] += style.hairline * np.array([1.0, 1.1, 1.2, 0.6])
    t = float(np.clip(style.length - 1.0, 0.0, 2.0))
    low = min(int(t), 1)
    line = lines[low] + (t - low) * (lines[low + 1] - lines[low])
    samples = np.linspace(0.0, 180.0, 361)
    values = PchipInterpolator(_ANGLES, line)(samples)
    kernel = np.hanning(15)
    smooth = np.convolve(np.pad(values, 7, mode="reflect"), kernel / kernel.sum(), mode="valid")
    slope = np.gradient(smooth, np.radians(samples)) / 8.0
    angle = np.degrees(np.abs(phi))
    at = np.interp(angle, samples, smooth)
    steep = np.interp(angle, samples, slope)
    ragged = 0.07 * np.sin(9.0 * phi + 0.7) + 0.05 * np.sin(17.0 * phi + 2.0 * np.sin(3.0 * phi))
    return np.asarray((height - at) / np.sqrt(1.0 + np.clip(np.abs(steep), 0.0, 4.0) ** 2) + ragged)
