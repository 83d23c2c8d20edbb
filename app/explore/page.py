"""The Explore tab in the window: places its panels and lets them show the state.

A new panel is a class like those in :mod:`app.explore.panels`: its constructor creates the widgets,
``resize`` fits them into the column, ``sync`` shows the state. A panel's place in the tab, and the
section with its heading, is set in this file.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

import dearpygui.dearpygui as dpg

from app.explore.columns import Columns, Places
from app.explore.panels.camera import CameraPanel
from app.explore.panels.export import ExportPanel
from app.explore.panels.filmstrip import DropTarget, FilmstripPanel
from app.explore.panels.identity import IdentityPanel
from app.explore.panels.jobs import JobsPanel
from app.explore.panels.mesh import MeshPanel
from app.explore.panels.mixing import MixingPanel
from app.explore.panels.status import StatusPanel
from app.explore.panels.timeline import TimelinePanel
from app.explore.parts.section import Section
from app.explore.strip import Strip
from app.explore.viewport.toolbar import Toolbar
from app.explore.viewport.viewport import Viewport
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.drawing.backdrop import Rectangle, around
from app.widgets.drawing.texture import Textures
from stylesdf_core.scene.scene import Scene


class Panel(Protocol):
    """A panel in a section of a side column."""

    def resize(self, width: int) -> None:
        """Fit a column."""

    def sync(self, scene: Scene) -> None:
        """Show the state."""


P = TypeVar("P", bound=Panel)


class ExplorePage:
    """The tab's panels and their columns, created in the current window.

    Args:
        choose_folder: opens the dialog for the folder of exports.
        rename_directions: opens the dialog for the labels of directions.
        clear_faces: asks whether to forget the faces of the filmstrip.
    """

    def __init__(
        self,
        ui: Ui,
        workbench: Workbench,
        textures: Textures,
        choose_folder: Callable[[], None],
        rename_directions: Callable[[], None],
        clear_faces: Callable[[], None],
    ) -> None:
        self._ui, self._workbench = ui, workbench
        self._sections: list[Section] = []
        self._panels: list[Panel] = []
        self._synced: tuple[object, ...] = ()
        #: The layout; None before the first :meth:`sync`.
        self.places: Places | None = None
        self._columns = columns = Columns(
            ui,
            lambda left, right: workbench.change_settings(
                "window", left_width=left, right_width=right
            ),
        )
        with columns.left.inside(), dpg.group() as self._left:
            self.identity = self._section(
                "Identity", lambda: IdentityPanel(ui, workbench, rename_directions)
            )
            self.mixing = self._section("Style mixing", lambda: MixingPanel(ui, workbench))
        self._left_panels = len(self._panels)
        with columns.centre.inside():
            self.viewport = Viewport(ui, workbench, textures)
            self._toolbar = Toolbar(ui, workbench)
        with columns.strip.inside():
            self.strip = Strip(ui, workbench)
            self.filmstrip = self.strip.add(
                "Filmstrip",
                "Faces that you have looked at, and favourites",
                lambda controls: FilmstripPanel(
                    ui, workbench, textures, controls, clear_faces, self._drop_targets
                ),
            )
            self.timeline = self.strip.add(
                "Timeline",
                "Keyframes, and films through them",
                lambda controls: TimelinePanel(ui, workbench, textures, controls),
            )
        with columns.right.inside(), dpg.group() as self._right:
            self._section("Camera", lambda: CameraPanel(ui, workbench))
            self._section("Mesh", lambda: MeshPanel(ui, workbench))
            self.export = self._section("Export", lambda: ExportPanel(ui, workbench, choose_folder))
        with columns.jobs.inside():
            self._jobs = JobsPanel(ui, workbench)
        with columns.status.inside():
            self._status = StatusPanel(ui, workbench)

    def _section(self, title: str, make: Callable[[], P]) -> P:
        """A section of the current column, with the panel that ``make`` creates."""
        section = Section(self._ui, self._workbench, title)
        with section.inside():
            panel = make()
        self._sections.append(section)
        self._panels.append(panel)
        return panel

    def hide(self) -> None:
        """Hide the tab until the next :meth:`sync`."""
        self._columns.hide()

    def sync(self) -> None:
        """Place the columns anew if the layout has changed, and show the state."""
        workbench, scene = self._workbench, self._workbench.scene
        self._layout()
        self.viewport.sync(workbench.timeline.shown)
        self._status.sync(scene)
        self._jobs.sync()
        self.strip.sync(scene)
        screen = workbench.screen
        key = (
            scene, workbench.settings, workbench.directions, screen.mesh, screen.mesh_error,
            workbench.mixing.effects, workbench.mixing.error,
        )  # fmt: skip
        if key != self._synced:
            self._synced = key
            for panel in (*self._panels, self._toolbar):
                panel.sync(scene)
            for section in self._sections:
                section.sync()

    @property
    def dark(self) -> list[Rectangle]:
        """The parts of the window that neither panels nor pictures cover."""
        if self.places is None:
            return []
        return around(self.places.ground, self.viewport.covered(self.places.origin))

    def _drop_targets(self) -> list[DropTarget]:
        """The sections of the two faces, onto which a face of the filmstrip can be dropped."""
        first, second = self._sections[0].place, self._sections[1].place
        strip = self.filmstrip
        return [
            DropTarget(first, "Show this face from the present camera", strip.take_as_first),
            DropTarget(second, "Second face for mixing and morph", strip.take_as_second),
        ]

    def _layout(self) -> None:
        # The heights of the last frame: panels grow with their model, and sections fold.
        directions = self.places.directions if self.places is not None else 0
        if self._sections[0].is_folded:
            directions = 0
        places = self._columns.place(
            self._workbench.settings.window,
            left_rest=max(0, int(dpg.get_item_rect_size(self._left)[1]) - directions),
            has_jobs=bool(self._workbench.jobs.jobs),
            right_rest=int(dpg.get_item_rect_size(self._right)[1]),
            strip=self.strip.height(dpg.get_viewport_client_height()),
        )
        if places is None:
            return
        self.places = places
        self._ui.tooltips.edges = (int(places.ground.left), int(places.ground.right))
        self.viewport.resize(*places.size)
        self._toolbar.resize(places.size[0])
        self.strip.resize(*places.strip)
        self._status.resize(dpg.get_viewport_client_width())
        self.identity.fit_directions(places.directions)
        self._jobs.resize(places.right, places.jobs)
        for index, (section, panel) in enumerate(zip(self._sections, self._panels, strict=True)):
            width = places.left if index < self._left_panels else places.right
            section.resize(width)
            section.sync()
            panel.resize(width)
