"""The mesh panel: the surface's resolution, level and look, and a report on the mesh."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dearpygui.dearpygui as dpg

from app.explore.parts.sliders import FieldSliders
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderSpec
from app.widgets.controls.ui import Ui
from app.widgets.drawing import theme
from stylesdf_core.commands.scenes.options.rendering import MeshSettings
from stylesdf_core.scene.scene import Scene

if TYPE_CHECKING:
    from stylesdf_core.mesh.surface import MeshReport

#: Field of MeshSettings -> its slider.
_SPECS: dict[str, SliderSpec] = {
    "resolution": SliderSpec(
        "resolution",
        "Grid points along each edge of the volume, 32 to 512; the preview is coarser while the "
        "scene changes",
        32,
        512,
        16,
        digits=0,
        origin=32,
    ),
    "level": SliderSpec(
        "level",
        "Distance from the model's surface at which the mesh lies, world units (the volume's edge "
        "is 0.24): 0 is the skin, positive values lie outside.  −0.05 to 0.05",
        -0.05,
        0.05,
        0.001,
        digits=3,
        signed=True,
    ),
    "cut_offset": SliderSpec(
        "cut at",
        "Place of the slice view's plane on its axis, world units.  −0.12 to 0.12",
        -0.12,
        0.12,
        0.002,
        digits=3,
        signed=True,
    ),
}
#: The slice view's planes by their axis.
_PLANES = {"x": "left | right", "y": "top | bottom", "z": "front | back"}
#: Rows of check boxes: field of MeshSettings -> label, tooltip.
_CHECKS = (
    {"largest_component": ("largest part only", "Keep only the largest connected part")},
    {
        "vertex_colors": ("vertex colours", "Colour the mesh as the model does; else plain clay"),
        "wireframe": ("wireframe", "Draw the triangles' edges over the surface"),
    },
)


class MeshPanel:
    """Settings of the mesh, both live and exported, and a report on the live mesh."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._workbench = workbench
        self._rows = FieldSliders(ui, _SPECS, MeshSettings(), self._change)
        self.resize = self._rows.resize
        self._plane = dpg.add_combo(
            tuple(_PLANES.values()), width=ui.px(120), callback=lambda _, text: self._turn(text)
        )
        ui.tooltip(self._plane, "The two halves that the slice view's plane parts")
        self._checks: dict[str, int | str] = {}
        for row in _CHECKS:
            with dpg.group(horizontal=True):
                for index, (name, (label, tooltip)) in enumerate(row.items()):
                    if index:
                        dpg.add_spacer(width=ui.px(4))
                    self._checks[name] = dpg.add_checkbox(
                        label=label,
                        user_data=name,
                        callback=lambda _, on, field: self._change(field, bool(on)),
                    )
                    ui.tooltip(self._checks[name], tooltip)
        self._report = [ui.small_text() for _ in range(2)]
        tip = "Width, height and depth in world units: the camera orbits at a distance of 1"
        ui.tooltip(self._report[1], tip)

    def sync(self, scene: Scene) -> None:
        """Show settings and report."""
        settings = self._workbench.settings.mesh
        self._rows.show(settings)
        is_slice = self._workbench.settings.view.picture_view == "slice"
        self._rows.hide("cut_offset", not is_slice)
        dpg.configure_item(self._plane, show=is_slice)
        dpg.set_value(self._plane, _PLANES[settings.cut_axis])
        for name, item in self._checks.items():
            dpg.set_value(item, getattr(settings, name))
        for item, (text, color) in zip(self._report, self._lines(), strict=True):
            dpg.set_value(item, text)
            dpg.configure_item(item, color=color)

    def _lines(self) -> list[tuple[str, theme.Rgba]]:
        screen = self._workbench.screen
        if not self._workbench.settings.view.shows_mesh:
            return [("Press 5 or Space to see the mesh", theme.FAINT), ("", theme.FAINT)]
        if screen.mesh_error is not None:
            return [("", theme.FAINT), ("", theme.FAINT)]
        if screen.mesh is None or screen.mesh.report is None:
            wanted = self._workbench.settings.mesh.resolution
            draft = "" if screen.mesh is None else f"; shown: {screen.mesh.resolution}³"
            return [(f"refining to {wanted}³ …{draft}", theme.MUTED), ("", theme.MUTED)]
        return _report_lines(screen.mesh.report)

    def _turn(self, text: str) -> None:
        axis = next(axis for axis, halves in _PLANES.items() if halves == text)
        self._workbench.change_settings("mesh", cut_axis=axis)

    def _change(self, name: str, value: float) -> None:
        self._workbench.change_settings("mesh", **{name: value})


def _report_lines(report: MeshReport) -> list[tuple[str, theme.Rgba]]:
    parts = "1 part" if report.components == 1 else f"{report.components} parts"
    size = " × ".join(f"{high - low:.2f}" for low, high in zip(*report.bounds, strict=True))
    closed = "watertight" if report.watertight else "not watertight"
    color = theme.MUTED if report.watertight else theme.WARNING
    return [
        (f"{report.triangles:,} triangles · {report.vertices:,} vertices", theme.MUTED),
        (f"{parts} · {closed} · {size} units", color),
    ]
