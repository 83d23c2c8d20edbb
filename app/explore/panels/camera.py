"""The camera panel: azimuth, elevation, field of view, and the pose guide."""

from __future__ import annotations

from dataclasses import replace

import dearpygui.dearpygui as dpg

from app.explore.sliders import FieldSliders
from app.state.edits import TRAINED_SIGMAS, is_trained_pose
from app.state.workbench import Workbench
from app.widgets import theme
from app.widgets.slider import SliderSpec
from app.widgets.ui import Ui
from stylesdf_core.rendering.camera import (
    AZIMUTH_STD,
    ELEVATION_STD,
    MAX_ELEVATION,
    MAX_FOV,
    MIN_FOV,
    OrbitCamera,
)
from stylesdf_core.scene.scene import Scene

_AZIMUTH = TRAINED_SIGMAS * AZIMUTH_STD
_ELEVATION = TRAINED_SIGMAS * ELEVATION_STD
#: Field of OrbitCamera -> its slider.
_SPECS: dict[str, SliderSpec] = {
    "azimuth": SliderSpec(
        "azimuth",
        "Azimuth: turns the camera sideways around the head, radians, −π to π; trained within "
        f"±{_AZIMUTH:g}.  Arrow keys",
        -3.14,
        3.14,
        0.05,
        signed=True,
        trained=(-_AZIMUTH, _AZIMUTH),
    ),
    "elevation": SliderSpec(
        "elevation",
        f"Elevation: raises the camera around the head, radians, ±{MAX_ELEVATION:.2f}; trained "
        f"within ±{_ELEVATION:g}.  Arrow keys",
        -round(MAX_ELEVATION, 2),
        round(MAX_ELEVATION, 2),
        0.05,
        signed=True,
        trained=(-_ELEVATION, _ELEVATION),
    ),
    "fov": SliderSpec(
        "field of view",
        f"Half opening angle, degrees, {MIN_FOV:g} to {MAX_FOV:g}; trained at 6.  Mouse wheel",
        MIN_FOV,
        MAX_FOV,
        0.25,
        digits=1,
        origin=6.0,
    ),
}


class CameraPanel:
    """Sliders for the camera; the pan has none, since only the mouse sets it."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._workbench = workbench
        ui.heading("Camera")
        self._rows = FieldSliders(
            ui, _SPECS, OrbitCamera(), self._change, workbench.document.commit
        )
        self.resize = self._rows.resize
        with dpg.group(horizontal=True):
            self._guide = dpg.add_checkbox(
                label="pose guide",
                callback=lambda _, on: workbench.change_settings("view", pose_guide=bool(on)),
            )
            ui.tooltip(
                self._guide,
                "Draw the camera's angles as a dot over the picture; the ellipse holds the model's "
                f"training poses, ±{TRAINED_SIGMAS:g}σ",
            )
            self._note = ui.small_text("", theme.WARNING)

    def sync(self, scene: Scene) -> None:
        """Show the scene's camera."""
        self._rows.show(scene.camera)
        dpg.set_value(self._guide, self._workbench.settings.view.pose_guide)
        note = "" if is_trained_pose(scene.camera) else "outside trained poses"
        dpg.set_value(self._note, note)

    def _change(self, name: str, value: float) -> None:
        scene = self._workbench.scene
        self._workbench.document.update(
            replace(scene, camera=replace(scene.camera, **{name: value}))
        )
