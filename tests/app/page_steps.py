"""Steps of the window test in the tabs beside Explore and Train."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.workers.jobs import JobState
from stylesdf_core.scene.session_files import read_scene
from stylesdf_core.scene.sheet import Sheet
from tests.app.hands import Hands


class PageSteps(Hands):
    """The Sheet tab."""

    def sheet(self) -> None:
        """The page fills, scrolls, gives stars; a click explores a face; the sheet is exported."""
        workbench, page = self.workbench, self.studio.sheet_page
        workbench.set_seed(60)
        self.settle()
        workbench.change_settings("sheet", page=Sheet(columns=8), rows=2, cell=32)
        self.click(self.button("Sheet"))
        assert self.studio.page == "sheet"
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
        self.click(self.button("Explore"))
        self.settle()
