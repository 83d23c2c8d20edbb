"""The scenes that the bench draws: one for each repeat, never two alike.

A scene is a function of the repeat's number, so that no picture of one repeat can be reused in
the next one.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import TypeAlias

from stylesdf_core.rendering.camera import OrbitCamera
from stylesdf_core.scene.scene import Identity, Morph, Scene

Scenes: TypeAlias = Callable[[int], Scene]

#: Seeds: the identity that stays, the identity that it morphs into, the first of many others.
_SEED, _OTHER, _MANY = 3, 4, 100


def orbiting(repeat: int) -> Scene:
    """One identity from cameras all around its front."""
    azimuth, elevation = 0.7 * math.sin(2.4 * repeat), 0.3 * math.cos(1.7 * repeat)
    return Scene(identity=Identity(_SEED), camera=OrbitCamera(azimuth, elevation))


def dragging(repeat: int) -> Scene:
    """One identity while a mouse drags the camera: steps of about two degrees."""
    camera = OrbitCamera(azimuth=-0.2 + 0.035 * repeat, elevation=0.05)
    return Scene(identity=Identity(_SEED), camera=camera)


def sliding(repeat: int) -> Scene:
    """One camera while a slider moves the identity in w, its shape included."""
    return replace(orbiting(0), morph=Morph(_OTHER, amount=0.3 + 0.01 * (repeat % 70)))


def changing(repeat: int) -> Scene:
    """Another identity in each repeat, from one camera."""
    return replace(orbiting(0), identity=Identity(_MANY + repeat))
