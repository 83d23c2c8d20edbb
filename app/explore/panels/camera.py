"""Where from: azimuth, elevation, field of view."""

from __future__ import annotations

from dataclasses import replace

import dearpygui.dearpygui as dpg

from app.state.edits import TRAINED_SIGMAS, is_trained_pose
from app.state.workbench import Workbench
from app.widgets import theme
from app.widgets.slider import SliderActions, SliderRow, SliderSpec
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
_SPECS: dict[str, SliderSpec] = {
    "azimuth": SliderSpec(
        "azimuth",
        f"Camera to the side, radians, −π to π; trained within ±{_AZIMUTH:g}.  Arrow keys",
        -3.14,
        3.14,
        0.05,
        signed=True,
        trained=(-_AZIMUTH, _AZIMUTH),
    ),
    "elevation": SliderSpec(
        "elevation",
        f"Camera up, radians, ±{MAX_ELEVATION:.2f}; trained within ±{_ELEVATION:g}.  Arrow keys",
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
    """The camera in numbers; the pan, which only the mouse sets, is left out."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._rows: dict[str, SliderRow] = {}
        self._guide: int | str = 0
        self._note: int | str = 0

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        self._ui.heading("Camera")
        for name, spec in _SPECS.items():
            self._rows[name] = SliderRow(self._ui, spec, self._actions(name), width)
        with dpg.group(horizontal=True):
            self._guide = dpg.add_checkbox(
                label="pose guide",
                callback=lambda _, on: self._bench.change_settings("view", pose_guide=bool(on)),
            )
            self._ui.tooltip(
                self._guide,
                "Show where the camera stands; the ellipse holds the poses the model was "
                f"trained with, ±{TRAINED_SIGMAS:g}σ",
            )
            self._note = self._ui.small_text("", theme.WARNING)

    def resize(self, width: int) -> None:
        """Fit a column."""
        for row in self._rows.values():
            row.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show the scene."""
        neutral = OrbitCamera()
        for name, row in self._rows.items():
            value = float(getattr(scene.camera, name))
            row.show(value, edited=value != getattr(neutral, name))
        dpg.set_value(self._guide, self._bench.settings.view.pose_guide)
        note = "" if is_trained_pose(scene.camera) else "outside trained poses"
        dpg.set_value(self._note, note)

    def _actions(self, name: str) -> SliderActions:
        bench = self._bench

        def change(value: float) -> None:
            camera = replace(bench.scene.camera, **{name: value})
            bench.document.update(replace(bench.scene, camera=camera))

        def reset() -> None:
            change(getattr(OrbitCamera(), name))
            bench.document.commit()

        return SliderActions(change, bench.document.commit, reset)
