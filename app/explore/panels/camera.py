"""The camera panel: azimuth, elevation, field of view, and the pose guide."""

from __future__ import annotations

from dataclasses import replace

import dearpygui.dearpygui as dpg

from app.explore.parts.sliders import FieldSliders
from app.state.document.edits import TRAINED_SIGMAS, is_trained_pose, is_trained_view
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderSpec
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from stylesdf_core.model.poses import Poses
from stylesdf_core.rendering.camera import (
    MAX_ELEVATION,
    MAX_FOV,
    MIN_FOV,
    OrbitCamera,
)
from stylesdf_core.scene.scene import Scene

#: Ends the tooltip of an angle; the range depends on the model.
_TINTED = f"beyond ±{TRAINED_SIGMAS:g}σ of the model's training poses the track is tinted"
#: Field of OrbitCamera -> its slider.
_SPECS: dict[str, SliderSpec] = {
    "azimuth": SliderSpec(
        "azimuth",
        "Azimuth: turns the camera sideways around the head, radians, −π to π; "
        f"{_TINTED}.  Arrow keys",
        -3.14,
        3.14,
        0.05,
        signed=True,
    ),
    "elevation": SliderSpec(
        "elevation",
        f"Elevation: raises the camera around the head, radians, ±{MAX_ELEVATION:.2f}; "
        f"{_TINTED}.  Arrow keys",
        -round(MAX_ELEVATION, 2),
        round(MAX_ELEVATION, 2),
        0.05,
        signed=True,
    ),
    "fov": SliderSpec(
        "field of view",
        f"Half opening angle, degrees, {MIN_FOV:g} to {MAX_FOV:g}; beyond the "
        "training's, whose border the background continues, the track is tinted.  Mouse wheel",
        MIN_FOV,
        MAX_FOV,
        0.25,
        digits=1,
    ),
}


def _hint(camera: OrbitCamera, poses: Poses) -> str:
    """What the model was not trained for; empty for a camera of its training."""
    if not is_trained_pose(camera, poses):
        return "outside trained poses"
    return "" if is_trained_view(camera, poses) else "wider than trained"


class CameraPanel:
    """Sliders for the camera; the pan has none, since only the mouse sets it."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._workbench = workbench
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
        poses = self._workbench.poses
        self._rows.train("azimuth", TRAINED_SIGMAS * poses.azimuth_std)
        self._rows.train("elevation", TRAINED_SIGMAS * poses.elevation_std)
        self._rows.train("fov", poses.fov)
        self._rows.rest("fov", poses.fov)
        self._rows.show(scene.camera)
        dpg.set_value(self._guide, self._workbench.settings.view.pose_guide)
        dpg.set_value(self._note, _hint(scene.camera, poses))

    def _change(self, name: str, value: float) -> None:
        scene = self._workbench.scene
        self._workbench.document.update(
            replace(scene, camera=replace(scene.camera, **{name: value}))
        )
