"""Backgrounds of synthetic heads: colours of directions, drawn at random for each head.

A backdrop lies at infinity: it is a function of the world's direction alone, so it turns as the
camera turns around the head. It is soft, as behind a portrait: a gradient from sky to ground,
blurred ellipses and boxes, and lights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stylesdf_core.heads.rasterizer.renderer import BACKGROUND, HeadPicture
from stylesdf_core.rendering.camera import OrbitCamera

Float64 = npt.NDArray[np.float64]

#: Directions of shapes and lights around the one that a frontal camera looks in, radians.
_AZIMUTH, _ELEVATION = 1.1, 0.5
#: Half the height over which the gradient runs, and how far its horizon is tilted at most.
_GRADIENT, _TILT = 0.35, 0.3
_DATASET_KEY = 3  # of the generators' seeds, beside the cameras' 2


@dataclass(frozen=True)
class Backdrop:
    """The background of one head.

    Attributes:
        colors: (3, 3) sRGB, of ground, horizon and sky.
        up: (3,), across the gradient.
        frames: (K, 3, 3), for each shape its two axes, divided by its half widths, and its centre.
        powers: (K,), 2 for ellipses, more for boxes with round corners.
        softness: (K,), share of the half width over which a shape's edge is blurred.
        tints: (K, 4), a shape's sRGB colour and opacity.
        lights: (L, 7): directions, angular radii in radians, colours that are added.
    """

    colors: Float64
    up: Float64
    frames: Float64
    powers: Float64
    softness: Float64
    tints: Float64
    lights: Float64

    @classmethod
    def drawn(cls, seed: int, index: int) -> Backdrop:
        """The backdrop of a data set's head."""
        random = np.random.default_rng([seed, index, _DATASET_KEY])
        base = random.uniform(0.1, 0.9, 3)
        colors = np.clip(base + random.normal(0.0, 0.2, (3, 3)), 0.02, 0.98)
        up = np.array([random.uniform(-_TILT, _TILT), 1.0, random.uniform(-_TILT, _TILT)])
        shapes = int(random.integers(20, 50))
        centres = _directions(random, shapes)
        widths = random.uniform(0.03, 0.16, (shapes, 2))
        right = np.cross([0.0, 1.0, 0.0], centres)
        right /= np.linalg.norm(right, axis=1, keepdims=True)
        above = np.cross(centres, right)
        cosine, sine = (f(random.uniform(0.0, np.pi, (shapes, 1))) for f in (np.cos, np.sin))
        axes = (cosine * right + sine * above, cosine * above - sine * right)
        frames = np.stack([axes[0] / widths[:, :1], axes[1] / widths[:, 1:], centres], axis=1)
        powers = np.where(random.random(shapes) < 0.5, 2.0, 8.0)
        hues = np.clip(base + random.normal(0.0, 0.3, (shapes, 3)), 0.02, 0.98)
        tints = np.concatenate([hues, random.uniform(0.4, 0.95, (shapes, 1))], axis=1)
        count = int(random.integers(0, 12))
        warmth = random.uniform(0.6, 1.0, (count, 1)) * [0.7, 0.6, 0.45]
        radii = random.uniform(0.015, 0.04, (count, 1))
        lights = np.concatenate([_directions(random, count), radii, warmth], axis=1)
        softness = random.uniform(0.25, 0.9, shapes)
        return cls(colors, up / np.linalg.norm(up), frames, powers, softness, tints, lights)

    def __call__(self, directions: Float64) -> Float64:
        """sRGB colours in [0, 1], (…, 3), of unit world directions (…, 3)."""
        height = np.clip(directions @ self.up / _GRADIENT, -1.0, 1.0)[..., None]
        ground, horizon, sky = self.colors
        color = horizon + np.where(height > 0.0, sky - horizon, ground - horizon) * _smooth(
            np.abs(height)
        )
        for frame, power, soft, tint in zip(
            self.frames, self.powers, self.softness, self.tints, strict=True
        ):
            local = directions @ frame.T  # across, across, ahead
            ahead = np.maximum(local[..., 2:], 0.2)
            scaled = np.abs(local[..., :2] / ahead)
            edge = (scaled**power).sum(axis=-1, keepdims=True) ** (1.0 / power)
            inside = _smooth((1.0 + soft - edge) / (2.0 * soft)) * (local[..., 2:] > 0.2)
            color = color + tint[3] * inside * (tint[:3] - color)
        for light in self.lights:
            squared = np.square(directions - light[:3]).sum(axis=-1, keepdims=True)
            color = color + np.exp(-0.5 * squared / light[3] ** 2) * light[4:]
        return np.asarray(np.clip(color, 0.0, 1.0))

    def behind(self, picture: HeadPicture, camera: OrbitCamera) -> npt.NDArray[np.uint8]:
        """A picture of a head, (S, S, 3), with this background in place of the renderer's."""
        size = len(picture.image)
        offset = (np.arange(size) + 0.5 - 0.5 * size) / camera.focal(size)
        x, y = np.meshgrid(offset, -offset)
        local = np.stack([x, y, -np.ones_like(x)], axis=-1)
        directions = local @ camera.cam2world()[:, :3].T
        directions /= np.linalg.norm(directions, axis=-1, keepdims=True)
        plain = np.rint(np.array(BACKGROUND) * 255.0)
        share = 1.0 - picture.covered[..., None].astype(np.float64)
        mixed = picture.image + share * (255.0 * self(directions) - plain)
        return np.asarray(np.clip(np.rint(mixed), 0, 255), np.uint8)


def _directions(random: np.random.Generator, count: int) -> Float64:
    """Unit directions (count, 3) around the one that a frontal camera looks in, −z."""
    azimuth = random.uniform(-_AZIMUTH, _AZIMUTH, count)
    elevation = random.uniform(-_ELEVATION, _ELEVATION, count)
    flat = np.cos(elevation)
    return np.stack([flat * np.sin(azimuth), np.sin(elevation), -flat * np.cos(azimuth)], axis=1)


def _smooth(x: Float64) -> Float64:
    """0 up to 0, 1 from 1 on, and smooth between."""
    x = np.clip(x, 0.0, 1.0)
    return np.asarray(x * x * (3.0 - 2.0 * x))
