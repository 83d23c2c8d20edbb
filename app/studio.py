"""The window: main loop, the tabs, and the window's actions for menus and shortcuts.

The actions are: scale, pages, quitting, dialogs. Everything here and in the panels runs on the main
thread: the main loop runs Dear PyGui's callbacks between frames, and workers hand over values.
"""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.actions import Actions, Page, Tab
from app.compare.page import ComparePage
from app.explore.dialogs.photo_dialog import PhotoDialog
from app.explore.page import ExplorePage
from app.explore.viewport.overlay import Overlay
from app.menus import Menus
from app.sheet.page import SheetPage
from app.shortcuts import MOUSE, Keyboard, Shortcut, shortcuts
from app.state.problems import Remedy
from app.state.settings import SettingsStore
from app.state.workbench import Workbench
from app.train.page import TrainPage
from app.train.state.training import Training
from app.widgets.controls.home import Home
from app.widgets.controls.pointer import LEFT, RIGHT, Pointer
from app.widgets.controls.ui import Ui
from app.widgets.dialogs.dialogs import Dialogs, FolderMemory
from app.widgets.drawing import theme
from app.widgets.drawing.backdrop import Ground
from app.widgets.drawing.texture import PictureTexture, Textures
from app.window_place import CORNER, WindowPlace
from app.workers.concurrency.process import start_collector
from app.workers.concurrency.schedule import FramePacer
from stylesdf_core.errors import GraphicsError, StyleSDFError
from stylesdf_core.resources import shipped
from stylesdf_core.scene.scene import Scene
from stylesdf_core.system.opengl import has_display, prepare_opengl

TITLE = "StyleSDF Studio"
_STARTING = 5.0  # seconds after the window has opened, in which modules are imported
_COMMIT_AFTER = 0.5  # seconds after the last wheel notch or arrow key
_MOTION_LASTS = 0.05  # seconds after the last change of the scene
#: Dear PyGui's roots that are made anew together with the widgets.
_BUILT = {
    f"mvAppItemType::mv{kind}"
    for kind in ("WindowAppItem", "ViewportDrawlist", "ItemHandlerRegistry", "Theme")
}


def run(model: str | None, session: Path | None) -> int:
    """Open the studio and stay until it is closed; returns the exit status.

    Args:
        model: shown first, with the default face; undo goes back to the last session.
        session: file of the scene that is shown first, otherwise the same.

    Raises:
        GraphicsError: there is no display.
    """
    studio = Studio(SettingsStore())
    if model is not None:
        studio.workbench.document.opened(Scene(model=model), None)
    if session is not None:
        studio.workbench.open_session(session)
    studio.open()
    try:
        while studio.step():
            pass
    finally:
        studio.close()
    return 0


class Studio:
    """The window over one workbench; :meth:`step` is one turn of the main loop.

    Args:
        store: where settings and the autosaved session live.
        scene: shown first; None for the last session, else the default face.
    """

    def __init__(self, store: SettingsStore, scene: Scene | None = None) -> None:
        self.workbench = Workbench(store, scene)
        self.training = Training(self.workbench)
        #: The page on the screen.
        self.page: Page = "explore"
        self._opened = False
        self._quitting = False
        self._title = ""
        self._moved_at = time.monotonic()
        self._scene = self.workbench.scene
        self._mouse = (0.0, 0.0)
        self._new_scale: float | None = None
        self._place = WindowPlace(self.workbench)
        self._is_used = self._has_drawn = False
        self._pacer = FramePacer()
        self._guarded = self.workbench.messages.guard
        #: When the last frame looked at the mouse, and when it was drawn, time.perf_counter().
        self.polled_at = self.drawn_at = 0.0

    # --- life -----------------------------------------------------------------------------------

    def open(self) -> None:
        """Create the window.

        Raises:
            GraphicsError: there is no display.
        """
        if not has_display():
            raise GraphicsError("There is no display to open a window on.")
        place, least = self._place.first(), self._place.least_size
        icon = _icon()
        prepare_opengl()
        dpg.create_context()
        dpg.configure_app(manual_callback_management=True, keyboard_navigation=True)
        dpg.create_viewport(
            title=TITLE,
            width=place.width,
            height=place.height,
            x_pos=CORNER if place.x is None else place.x,
            y_pos=CORNER if place.y is None else place.y,
            min_width=least[0],
            min_height=least[1],
            small_icon=icon,
            large_icon=icon,
            clear_color=theme.PANEL,
            disable_close=True,
        )
        dpg.set_exit_callback(self.ask_to_quit)
        self._backdrop = Ground()
        self._textures = Textures(PictureTexture)
        self.pointer = Pointer()
        self._build()
        dpg.setup_dearpygui()
        dpg.show_viewport()
        self.workbench.screen.news.watch_display()
        self._opened = True
        self._opened_at = time.monotonic()

    def step(self) -> bool:
        """One frame: results and widgets, drawing, input and requests; False once closed.

        Dear PyGui looks at mouse and keyboard while it draws. Requests that follow from them reach
        the workers right afterwards; results that have come meanwhile are uploaded right before.
        """
        if self._quitting or not dpg.is_dearpygui_running():
            return False
        start = time.perf_counter()
        if time.monotonic() - self._opened_at > _STARTING:
            start_collector()
        self._guarded(self._before_frame)
        if not self._has_drawn:  # Dear PyGui focuses the first control of a new window
            self._home.take()
        self.polled_at = time.perf_counter()
        dpg.render_dearpygui_frame()
        self.drawn_at = time.perf_counter()
        self._has_drawn = True
        self._guarded(self._after_frame)
        self.workbench.screen.moving_budget.drawn(time.perf_counter() - start)
        moving, workbench = self._is_moving(), self.workbench
        self._pacer.wait(
            workbench.screen.news,
            workbench.screen.wait_for_first,
            active=moving or self._is_used or workbench.dragging.is_working,
            # A job's progress is a line that moves slowly, and frames take time from the job.
            computing=workbench.busy or bool(workbench.jobs.active) or workbench.photo.is_working,
            moving=moving,
        )
        return True

    def close(self) -> None:
        """Stop the workers, save settings and session, destroy the window."""
        self.training.close()
        self.workbench.close()
        if self._opened:
            self._opened = False
            self.dialogs.cancel()  # the desktop's dialog is a process of its own
            dpg.destroy_context()

    def _before_frame(self) -> None:
        if self._new_scale is not None:
            self._rebuild(self._new_scale)
        self.workbench.screen.news.clear()  # results from here on may be too late for this frame
        self.workbench.screen.poll()
        self._sync()

    def _after_frame(self) -> None:
        jobs = dpg.get_callback_queue() or []
        self._is_used = bool(jobs)
        for job in jobs:
            self._guarded(partial(dpg.run_callbacks, [job]))
        self.pointer.tick()
        self._ui.number_entry.tick()
        held = self._ui.typing or any(map(dpg.is_mouse_button_down, (LEFT, RIGHT)))
        self._ui.tooltips.tick(self._mouse, busy=held)
        self.dialogs.tick()
        self.workbench.tick()
        self.training.tick(shown=self.page == "train")
        self._commit_when_quiet()
        self._place.remember()

    def _commit_when_quiet(self) -> None:
        """End a gesture of the wheel or the arrow keys, which has no release, after a pause."""
        now = time.monotonic()
        if self.workbench.scene is not self._scene:
            self._scene, self._moved_at = self.workbench.scene, now
        held = self.pointer.dragging or self.workbench.dragging.is_working
        if not held and now - self._moved_at > _COMMIT_AFTER:
            self.workbench.document.commit()

    def _is_moving(self) -> bool:
        """Whether the mouse moves, or has just changed something."""
        mouse = tuple(dpg.get_mouse_pos(local=False))
        moved, self._mouse = mouse != self._mouse, mouse
        lasts = time.monotonic() - self._moved_at < _MOTION_LASTS
        plays = self.workbench.timeline.is_playing
        return moved or plays or (lasts and not self.workbench.screen.refines)

    # --- building -------------------------------------------------------------------------------

    def _build(self) -> None:
        workbench = self.workbench
        self._ui = ui = Ui(self.scale, self.pointer)
        folders = FolderMemory(lambda: workbench.settings.recent_folders, workbench.remember_folder)
        news = workbench.screen.news
        self.dialogs = Dialogs(ui, folders, self._textures, news)
        self.actions = actions = Actions(workbench, self.dialogs, self)
        self._shortcuts: tuple[Shortcut, ...] = shortcuts(actions)
        with dpg.window() as window:
            self._menus = Menus(ui, workbench, actions, self._shortcuts, self.training)
            self._home = Home(ui.theme.unseen, self._menus.bar)
            self.explore = ExplorePage(
                ui, workbench, self._textures, actions.choose_export_folder,
                actions.rename_directions, actions.clear_faces,
            )  # fmt: skip
            opened = partial(self.show_page, "explore")
            self.sheet_page = SheetPage(ui, workbench, self._textures, opened)
            self.compare_page = ComparePage(ui, workbench, self._textures)
            self.train_page = TrainPage(ui, self.training, self.dialogs, self._textures, opened)
        self._tabs: dict[Page, Tab] = {
            "sheet": self.sheet_page, "compare": self.compare_page, "train": self.train_page,
        }  # fmt: skip
        self._photo_dialog = PhotoDialog(
            ui, workbench.photo, self.dialogs, self._textures, actions.take_head,
            actions.open_photo, actions.add_photo,
        )  # fmt: skip
        self._has_drawn = False
        dpg.bind_item_theme(window, ui.theme.flat)
        self._overlay = Overlay(ui, workbench, Remedy("Open another file …", actions.open_model))
        self._keyboard = Keyboard(
            self._shortcuts, ui, self.dialogs, self._home, self._overlay,
            lambda: self.page == "explore", workbench.dragging.leave,
        )  # fmt: skip
        dpg.set_primary_window(window, True)
        # set_primary_window resets these flags. Children have fixed places, so nothing may scroll.
        dpg.configure_item(window, no_scrollbar=True, no_scroll_with_mouse=True, no_background=True)
        self.show_page(self.page)

    def _rebuild(self, scale: float) -> None:
        """Build all widgets anew; textures stay, since deleting a drawn texture crashes."""
        self._new_scale = None
        self.workbench.change_settings("window", font_scale=scale)
        self._place.limit()
        self.dialogs.cancel()
        self.pointer.clear()
        dpg.delete_item(self._keyboard.registry)
        for item in dpg.get_windows():
            if dpg.get_item_type(item) in _BUILT and item != self._backdrop.item:
                dpg.delete_item(item)
        self._build()

    def _sync(self) -> None:
        """Show the state in the widgets."""
        self._menus.sync(self.workbench.scene)
        self._photo_dialog.sync()
        self._sync_title()
        if (tab := self._tabs.get(self.page)) is not None:
            tab.sync()
            self._backdrop.show([tab.ground])
            self._overlay.sync_toasts(*tab.middle)
            return
        explore = self.explore
        explore.sync()
        if explore.places is not None:
            self._backdrop.show(explore.dark)
            viewport = explore.viewport
            self._overlay.sync(
                explore.places.origin,
                explore.places.size,
                viewport.picture_pane,
                viewport.mesh_pane,
            )

    def _sync_title(self) -> None:
        document = self.workbench.document
        title = TITLE
        if document.path is not None:
            title = f"{'• ' if document.dirty else ''}{document.path.name} – {TITLE}"
        if title != self._title:
            self._title = title
            dpg.set_viewport_title(title)

    # --- actions for menus and shortcuts --------------------------------------------------------

    def show_page(self, page: Page) -> None:
        """Show a tab; nothing is computed for a hidden viewport."""
        self.page = page
        self.workbench.is_resting = page != "explore"
        if self.workbench.is_resting:
            self.explore.hide()
        for name, tab in self._tabs.items():
            tab.show(name == page)

    @property
    def scale(self) -> float:
        """Of all texts and lengths: the user's, else the display's."""
        return self._place.scale

    def set_scale(self, scale: float) -> None:
        """Build all widgets anew before the next frame; a scale of 0 is the display's."""
        self._new_scale = scale

    def toggle_full_screen(self) -> None:
        """Fill the screen, or go back to the place before."""
        self._place.toggle_full_screen()

    def ask_to_quit(self) -> None:
        """Close; ask first while jobs run, and say that training goes on."""
        count = len(self.workbench.jobs.active)
        works = count or self.training.alive or self.workbench.photo.is_working
        if works and self.dialogs.is_open:  # quitting now would cancel work unasked
            self.workbench.toast("Close the open dialog first.")
            return
        warnings = []
        if count:
            jobs = "A job is" if count == 1 else f"{count} jobs are"
            warnings.append(
                f"{jobs} not finished and would be cancelled; no incomplete file has its final "
                "name."
            )
        if self.training.alive:
            warnings.append(self.training.quit_notice)
        if warnings:
            self.dialogs.confirm("Quit?", " ".join(warnings), "Quit", self.quit)
        else:
            self.quit()

    def quit(self) -> None:
        """Close before the next frame."""
        self._quitting = True

    def show_shortcuts(self) -> None:
        """List all shortcuts."""
        rows = [(shortcut.keys, shortcut.what) for shortcut in self._shortcuts]
        self.dialogs.show_list("Shortcuts", [*MOUSE, *rows], 760)

    def export(self, name: str) -> None:
        """Export a kind of :data:`app.state.exports.EXPORTS`; the panel gives the file's name."""
        self.explore.export.export(name)


def _icon() -> str:
    try:
        return str(shipped("assets/icon.png"))
    except StyleSDFError:
        return ""
