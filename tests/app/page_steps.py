"""Steps of the window test in the tabs beside Explore and Train."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.tabs import TABS
from app.workers.concurrency.jobs import JobState
from stylesdf_core.scene.session_files import read_scene
from stylesdf_core.scene.sheet import Sheet
from tests.app.hands import Hands


class PageSteps(Hands):
    """The tabs Sheet and Compare, and the menus' new lines."""

    def sheet(self) -> None:
        """The page fills, scrolls, gives stars; a click explores a face; the sheet is exported."""
        workbench, page = self.workbench, self.studio.sheet_page
        workbench.set_seed(60)
        self.settle()
        workbench.change_settings("sheet", page=Sheet(columns=8), rows=2, cell=32)
        self.click(self.button("Sheet"))
        assert self.studio.page == "sheet"
        workbench.set_seed(61)
        self.hands("key ctrl+z")
        assert workbench.scene.identity.seed == 60, "keys of the menu bar act in all tabs"
        self.wait(lambda: workbench.sheet.progress[0] > 8, "the first row")
        first = workbench.sheet.cell(1)
        assert first is not None
        assert first.scene.identity.seed == 61
        visible = page.gallery.visible
        self.click(page.gallery.item, at=(0.44, 0.3))
        assert self.studio.page == "explore"
        assert workbench.scene.identity.seed > 68
        self.click(self.button("Sheet"))
        assert workbench.sheet.first.identity.seed == 60, "the page stays where it was"
        x, y = dpg.get_item_rect_min(page.gallery.item)
        edge = page.gallery.edge
        self.hands(f"mousemove {int(x) + edge - 6} {int(y) + 6} sleep 0.2 click 1")
        self.wait(lambda: any(f.is_favourite for f in workbench.album.faces), "the star")
        found = workbench.album.find(workbench.sheet.first)
        assert found is not None
        assert found.is_favourite
        self.hands(f"mousemove {int(x) + 99} {int(y) + 99} sleep 0.1 click --repeat 9 5")
        assert page.gallery.visible.start > visible.start
        self.click(self.button("Export PNG"))
        self.wait(lambda: not workbench.jobs.active, "the sheet")
        job = workbench.jobs.jobs[-1]
        assert job.state is JobState.DONE, job.error
        assert job.out is not None
        assert read_scene(job.out).identity.seed == 60
        width = workbench.settings.window.left_width
        self.hands(f"mousemove {width + 3} 300 sleep 0.2 mousedown 1 sleep 0.2")
        self.hands("mousemove_relative 40 0 sleep 0.2 mouseup 1")
        assert workbench.settings.window.left_width > width + 20, "the column is not pulled"
        workbench.change_settings("window", left_width=width)
        first_model, other = workbench.scene.model, str(self.folder / "other.safetensors")
        shutil.copy(first_model, other)
        workbench.open_model(other)
        self.wait(lambda: workbench.scene.model == other, "the other model")
        self.wait(lambda: workbench.sheet.progress[0] > 0, "a face of the other model")
        self.click(page.gallery.item, at=(0.44, 0.3))
        assert workbench.scene.model == other, "another face than the one that was clicked"
        workbench.open_model(first_model)
        self.wait(lambda: workbench.scene.model == first_model, "the first model")
        self.settle()

    def compare(self) -> None:
        """Two faces under one camera: orbit, wipe, views, export; a model that is missing."""
        workbench, page = self.workbench, self.studio.compare_page
        comparison = workbench.comparison
        workbench.set_seed(70)
        self.settle()
        comparison.take(0, workbench.scene)
        self.click(self.button("Compare"))
        assert self.studio.page == "compare"
        self.click(page.sides[1].seed.field)
        self.hands("key ctrl+a type 71")
        self.press("Return")
        assert comparison.scenes is not None
        assert [scene.identity.seed for scene in comparison.scenes] == [70, 71]
        self.settle()
        assert comparison.shown is not None
        assert comparison.shown.is_final
        x, y = dpg.get_item_rect_min(page.panes.item)
        pane = page.panes.panes[0]
        middle = f"mousemove {int(x + pane.x + pane.edge / 2)} {int(y + pane.y + pane.edge / 2)}"
        self.hands(f"{middle} mousedown 1 sleep 0.1 mousemove_relative 40 0 sleep 0.1 mouseup 1")
        assert comparison.camera.azimuth < 0.0
        self.click(self.button("wipe"))
        self.settle()
        pane = page.panes.panes[0]
        left, top = int(x + pane.x + pane.edge / 2), int(y + pane.y + pane.edge / 2)
        self.hands(f"mousemove {left} {top} mousedown 1 sleep 0.1")
        self.hands(f"mousemove {left + int(pane.edge / 4)} {top} sleep 0.1 mouseup 1")
        assert 0.6 < comparison.wipe < 0.9
        self.click(self.button("Export PNG"))
        self.wait(lambda: not workbench.jobs.active, "the comparison")
        assert workbench.jobs.jobs[-1].state is JobState.DONE, workbench.jobs.jobs[-1].error
        comparison.take(1, replace(comparison.scenes[1], model="nowhere.safetensors"))
        self.wait(lambda: comparison.error is not None, "the failure")
        self.frames(5)
        self.click(self.button("Swap A and B"))
        comparison.take(0, comparison.scenes[1])
        self.settle()
        assert comparison.error is None
        self.click(self.button("Explore"))
        name, menu = Path(workbench.scene.model).name, self.studio._menus._model_menu
        for is_checked in (False, True):  # a click on the loaded model takes its check away
            line = next(i for i in dpg.get_item_children(menu, 1) if dpg.get_item_label(i) == name)
            assert dpg.get_value(line) or not is_checked
            dpg.set_value(line, False)
            dpg.get_item_callback(line)()
            self.settle()
        self.studio.actions.show_about()
        self.frames(4)
        assert self.studio.dialogs.is_open
        self.press("Escape")
        assert not self.studio.dialogs.is_open
        self.settle()

    def narrow(self) -> None:
        """At twice the size the menu bar has room for one menu of the tabs, not for four."""
        page = self.studio.page
        self.studio.set_scale(2.0)
        self.wait(lambda: self.studio._menus.tabs.is_narrow, "the menu of the tabs")
        self.frames(5)
        menus = self.studio._menus
        for shown, (label, _) in TABS.items():
            line = next(
                line
                for line in dpg.get_item_children(menus.tabs.menu, 1)
                if dpg.get_item_label(line) == label
            )
            dpg.get_item_callback(line)()
            self.frames(5)
            assert self.studio.page == shown
            assert dpg.get_item_label(menus.tabs.menu) == label
            assert dpg.is_item_visible(menus._state.item)
            assert dpg.get_item_rect_min(menus._state.item)[0] < dpg.get_viewport_client_width()
        self.studio.set_scale(1.0)
        self.wait(lambda: self.studio._menus is not menus, "the usual size")
        self.frames(5)
        assert not self.studio._menus.tabs.is_narrow
        self.studio.show_page(page)
        self.click(self.button("Train"))
        assert self.studio.page == "train"
        self.studio.show_page(page)
        self.settle()
