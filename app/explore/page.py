"""The Explore tab in the window: places its panels and lets them show the state.

A new panel is a class like those in :mod:`app.explore.panels`: its constructor creates the widgets,
``resize`` fits them into the column, ``sync`` shows the state. A panel's place in the tab is set in
this file.
"""

from __future__ import annotations

from collections.abc import Callable

import dearpygui.dearpygui as dpg

from app.explore.columns import Columns, Places
from app.explore.panels.camera import CameraPanel
from app.explore.panels.export import ExportPanel
from app.explore.panels.identity import IdentityPanel
from app.explore.panels.jobs import JobsPanel
from app.explore.panels.mesh import MeshPanel
from app.explore.panels.mixing import MixingPanel
from app.explore.panels.status import StatusPanel
from app.explore.toolbar import Toolbar
from app.explore.viewport import Viewport
from app.state.workbench import Workbench
from app.widgets.backdrop import Rectangle, around
from app.widgets.texture import Textures
from app.widgets.ui import Ui


class ExplorePage:
    """The tab's panels and their columns, created in the current window.

    Args:
        choose_folder: opens the dialog for the folder of exports.
    """

    def __init__(
        self,
        ui: Ui,
        workbench: Workbench,
        textures: Textures,
        choose_folder: Callable[[], None],
    ) -> None:
        self._workbench = workbench
        self._synced: tuple[object, ...] = ()
        #: The layout; None before the first :meth:`sync`.
        self.places: Places | None = None
        self._columns = columns = Columns(
            ui,
            lambda left, right: workbench.change_settings(
                "window", left_width=left, right_width=right
            ),
        )
        with columns.left.inside():
            self.identity = IdentityPanel(ui, workbench)
            self._mixing = MixingPanel(ui, workbench)
        with columns.centre.inside():
            self.viewport = Viewport(ui, workbench, textures["picture"], textures["mesh"])
            self._toolbar = Toolbar(ui, workbench)
        with columns.right.inside():
            self._camera = CameraPanel(ui, workbench)
            self._mesh = MeshPanel(ui, workbench)
            self.export = ExportPanel(ui, workbench, choose_folder)
        with columns.jobs.inside():
            self._jobs = JobsPanel(ui, workbench)
        with columns.status.inside():
            self._status = StatusPanel(ui, workbench)

    def hide(self) -> None:
        """Hide the tab until the next :meth:`sync`."""
        self._columns.hide()

    def sync(self) -> None:
        """Place the columns anew if the layout has changed, and show the state."""
        workbench, scene = self._workbench, self._workbench.scene
        self._layout()
        self.viewport.sync(scene)
        self._status.sync(scene)
        self._jobs.sync()
        screen = workbench.screen
        key = (scene, workbench.settings, workbench.model, screen.mesh, screen.mesh_error)
        if key != self._synced:
            self._synced = key
            for panel in (
                self.identity, self._mixing, self._camera, self._mesh, self.export, self._toolbar,
            ):  # fmt: skip
                panel.sync(scene)

    @property
    def dark(self) -> list[Rectangle]:
        """The parts of the window that neither panels nor pictures cover."""
        if self.places is None:
            return []
        return around(self.places.ground, self.viewport.covered(self.places.origin))

    def _layout(self) -> None:
        workbench = self._workbench
        places = self._columns.place(workbench.settings.window, has_layers=workbench.n_latent > 0)
        if places is None:
            return
        self.places = places
        self.viewport.resize(*places.size)
        self._toolbar.resize(places.size[0])
        self._status.resize(dpg.get_viewport_client_width())
        self.identity.resize(places.left, places.directions)
        self._mixing.resize(places.left)
        for panel in (self._camera, self._mesh, self.export, self._jobs):
            panel.resize(places.right)
