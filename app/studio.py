"""The window: layout, main loop, and who talks to whom.

Everything here and in the panels runs on the main thread: Dear PyGui's callback queue is run by
hand between frames, and workers only ever hand over values.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from dataclasses import replace
from functools import partial
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.actions import Actions
from app.dialogs import Dialogs
from app.menus import Menus
from app.overlay import Overlay
from app.panels.camera import CameraPanel
from app.panels.export import ExportPanel
from app.panels.identity import IdentityPanel
from app.panels.jobs import HEIGHT as JOBS_HEIGHT
from app.panels.jobs import JobsPanel
from app.panels.mesh import MeshPanel
from app.panels.mixing import MixingPanel
from app.panels.status import HEIGHT as STATUS_HEIGHT
from app.panels.status import StatusPanel
from app.pointer import Pointer
from app.problems import Remedy
from app.settings import Settings, SettingsStore
from app.shortcuts import Keyboard, Shortcut, shortcuts
from app.splitter import Splitter
from app.texture import PictureTexture
from app.toolbar import HEIGHT as TOOLBAR_HEIGHT
from app.toolbar import Toolbar
from app.ui import Ui
from app.viewport import Viewport
from app.workbench import Workbench
from stylesdf_core.errors import GraphicsError, StyleSDFError
from stylesdf_core.resources import shipped
from stylesdf_core.scene import Scene

TITLE = "StyleSDF Studio"
_FPS = 60.0
_IDLE_FPS = 20.0
_IDLE_AFTER = 1.0  # seconds without anything moving
_COMMIT_AFTER = 0.5  # seconds after the last wheel notch or arrow key
_MIN_SIDE, _MAX_SIDE = 240, 480
_SPLITTER = 6


def run(model: str | None, scene: Scene | None) -> int:
    """Open the studio and stay until it is closed; returns the exit status.

    Args:
        model: what to load instead of the scene's model; None for that.
        scene: what to show first; None for the last session, else the default face.

    Raises:
        GraphicsError: there is no display.
    """
    if model is not None:
        scene = replace(scene or Scene(), model=model)
    studio = Studio(SettingsStore(), scene)
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
        self.bench = Workbench(store, scene)
        self._opened = False
        self._quitting = False
        self._synced: tuple[object, ...] = ()
        self._size = (0, 0)
        self._moved_at = time.monotonic()
        self._frame_at = 0.0
        self._scene = self.bench.scene
        self._new_scale: float | None = None

    # --- life -----------------------------------------------------------------------------------

    def open(self) -> None:
        """Create the window.

        Raises:
            GraphicsError: there is no display.
        """
        if sys.platform.startswith("linux") and not (
            os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        ):
            raise GraphicsError("There is no display to open a window on.")
        window = self.bench.settings.window
        icon = _icon()
        dpg.create_context()
        dpg.configure_app(manual_callback_management=True)
        dpg.create_viewport(
            title=TITLE,
            width=window.width,
            height=window.height,
            min_width=960,
            min_height=600,
            small_icon=icon,
            large_icon=icon,
            clear_color=(0x16, 0x18, 0x1C, 255),
            disable_close=True,
        )
        dpg.set_exit_callback(self.ask_to_quit)
        self._picture_texture = PictureTexture()
        self._mesh_texture = PictureTexture()
        self._pointer = Pointer()
        self._build()
        dpg.setup_dearpygui()
        dpg.show_viewport()
        self._opened = True

    def step(self) -> bool:
        """One frame: callbacks, results and requests, widgets, drawing; False once closed."""
        if self._quitting or not dpg.is_dearpygui_running():
            return False
        self._guarded(self._before_frame)
        dpg.render_dearpygui_frame()
        self._pace()
        return True

    def close(self) -> None:
        """Stop the workers, remember everything, destroy the window."""
        if self._opened:
            self._remember_window()
        self.bench.close()
        if self._opened:
            self._opened = False
            dpg.destroy_context()

    def _before_frame(self) -> None:
        for job in dpg.get_callback_queue() or []:
            self._guarded(partial(dpg.run_callbacks, [job]))
        self._pointer.update()
        self._ui.number_entry.update()
        if self._new_scale is not None:
            self._rebuild()
        self.bench.tick()
        self._commit_when_quiet()
        self._layout()
        self._sync()

    def _guarded(self, work: object) -> None:
        """Run app code; whatever escapes becomes a message, never a dead window."""
        try:
            work()  # type: ignore[operator]
        except StyleSDFError as error:
            self.bench.toast(str(error), is_error=True)
        except Exception as error:
            traceback.print_exc()
            self.bench.toast(f"{type(error).__name__}: {error}", is_error=True)

    def _commit_when_quiet(self) -> None:
        now = time.monotonic()
        if self.bench.scene is not self._scene:
            self._scene, self._moved_at = self.bench.scene, now
        if not self._pointer.dragging and now - self._moved_at > _COMMIT_AFTER:
            self.bench.document.commit()
        if self.bench.busy or self._pointer.dragging or self.bench.jobs.active:
            self._moved_at = max(self._moved_at, now - _COMMIT_AFTER)

    def _pace(self) -> None:
        """Sleep to 60 frames a second, less when nothing moves: the CPU has better to do."""
        idle = time.monotonic() - self._moved_at > _IDLE_AFTER
        mouse = tuple(dpg.get_mouse_pos(local=False))
        if mouse != getattr(self, "_mouse", None):
            self._mouse = mouse
            self._moved_at = max(self._moved_at, time.monotonic() - _COMMIT_AFTER)
        interval = 1.0 / (_IDLE_FPS if idle else _FPS)
        wait = self._frame_at + interval - time.monotonic()
        if wait > 0.0:
            time.sleep(wait)
        self._frame_at = time.monotonic()

    # --- building -------------------------------------------------------------------------------

    def _build(self) -> None:
        bench = self.bench
        self._ui = ui = Ui(bench.settings.window.font_scale, self._pointer)
        self._dialogs = Dialogs(ui)
        self.actions = actions = Actions(bench, self._dialogs, self)
        self._shortcuts: tuple[Shortcut, ...] = shortcuts(actions)
        self._keyboard = Keyboard(
            self._shortcuts, lambda: ui.typing or self._dialogs.is_open or ui.number_entry.is_open
        )
        self._identity = IdentityPanel(ui, bench)
        self._mixing = MixingPanel(ui, bench)
        self._camera = CameraPanel(ui, bench)
        self._mesh = MeshPanel(ui, bench)
        self._export = ExportPanel(ui, bench, actions.choose_export_folder)
        self._jobs = JobsPanel(ui, bench)
        self._status = StatusPanel(ui, bench)
        self._toolbar = Toolbar(ui, bench)
        self._panels = (
            self._identity, self._mixing, self._camera, self._mesh, self._export, self._toolbar,
        )  # fmt: skip
        self._menus = Menus(ui, bench, actions, self._shortcuts)
        self.viewport = Viewport(ui, bench, self._picture_texture, self._mesh_texture)
        window = bench.settings.window
        with dpg.window() as self._window:
            self._menus.build()
            self._left = self._column(ui.theme.panel)
            self._left_splitter = Splitter(ui, self._drag_left)
            self._centre = self._column(ui.theme.flat)
            self._right_splitter = Splitter(ui, self._drag_right)
            self._right = self._column(ui.theme.panel, scrolls=True)
            self._right_bottom = self._column(ui.theme.panel)
            self._bottom = self._column(ui.theme.bar)
        dpg.bind_item_theme(self._window, ui.theme.flat)
        with _inside(self._left):
            self._identity.build(self._inner(window.left_width))
            self._mixing.build(self._inner(window.left_width))
        with _inside(self._centre):
            self.viewport.build()
            self._toolbar.build()
        with _inside(self._right):
            for panel in (self._camera, self._mesh, self._export):
                panel.build(self._inner(window.right_width))
                dpg.add_spacer(height=ui.px(4))
        with _inside(self._right_bottom):
            self._jobs.build(self._inner(window.right_width))
        with _inside(self._bottom):
            self._status.build(ui.px(600))
        self._overlay = Overlay(ui, bench, Remedy("Open another file …", actions.open_model))
        dpg.set_primary_window(self._window, True)
        # Becoming primary forgets these; all children are placed by hand, so nothing may scroll.
        dpg.configure_item(self._window, no_scrollbar=True, no_scroll_with_mouse=True)
        self._size = (0, 0)
        self._synced = ()

    def _rebuild(self) -> None:
        """Build everything anew; textures stay, since deleting live ones crashes."""
        assert self._new_scale is not None
        scale, self._new_scale = self._new_scale, None
        settings = self.bench.settings
        self.bench.settings = replace(settings, window=replace(settings.window, font_scale=scale))
        self._pointer.clear()
        dpg.delete_item(self._keyboard.registry)
        for window in dpg.get_windows():
            if dpg.get_item_type(window) == "mvAppItemType::mvWindowAppItem":
                dpg.delete_item(window)
        self._build()

    def _column(self, look: int | str, *, scrolls: bool = False) -> int | str:
        item: int | str = dpg.add_child_window(
            border=False,
            no_scrollbar=not scrolls,
            no_scroll_with_mouse=not scrolls,
            always_use_window_padding=True,
        )
        dpg.bind_item_theme(item, look)
        return item

    def _inner(self, width: int) -> int:
        """What a side panel of ``width`` (at scale 1) has inside, pixels."""
        return self._ui.px(width) - 2 * self._ui.px(12)

    # --- layout ---------------------------------------------------------------------------------

    def _layout(self) -> None:
        """Place the columns; only when something has changed."""
        width, height = dpg.get_viewport_client_width(), dpg.get_viewport_client_height()
        window = self.bench.settings.window
        key = (width, height, window.left_width, window.right_width, window.panels_shown)
        if key == self._size or width <= 0 or height <= 0:
            return
        self._size = key
        px = self._ui.px
        top = px(26)
        bottom = height - px(STATUS_HEIGHT)
        shown = window.panels_shown
        left = px(window.left_width) if shown else 0
        right = px(window.right_width) if shown else 0
        gap = px(_SPLITTER)
        tall = bottom - top
        for item in (self._left, self._right, self._right_bottom):
            dpg.configure_item(item, show=shown)
        for splitter in (self._left_splitter, self._right_splitter):
            splitter.show(shown)
        _place(self._left, 0, top, left, tall)
        self._left_splitter.place(left, top, gap, tall)
        centre_left = left + gap if shown else 0
        centre_width = max(px(120), width - right - (gap if shown else 0) - centre_left)
        _place(self._centre, centre_left, top, centre_width, tall)
        self._right_splitter.place(width - right - gap, top, gap, tall)
        jobs = px(JOBS_HEIGHT)
        _place(self._right, width - right, top, right, tall - jobs)
        _place(self._right_bottom, width - right, bottom - jobs, right, jobs)
        _place(self._bottom, 0, bottom, width, px(STATUS_HEIGHT))
        viewport_height = tall - px(TOOLBAR_HEIGHT)
        self._viewport_rect = ((centre_left, top), (centre_width, viewport_height))
        self.viewport.resize(centre_width, viewport_height)
        self._toolbar.resize(centre_width)
        self._status.resize(width)
        if shown:
            inner = self._inner(window.left_width)
            self._identity.resize(inner, tall - px(self._identity_rest))
            self._mixing.resize(inner)
            for panel in (self._camera, self._mesh, self._export, self._jobs):
                panel.resize(self._inner(window.right_width))

    @property
    def _identity_rest(self) -> int:
        """Height at scale 1 of all in the left column but the directions."""
        return 12 + 28 + 28 + 30 + 12 + 28 + 28 + (84 if self.bench.n_latent else 4)

    def _drag_left(self, dx: float) -> None:
        window = self.bench.settings.window
        wanted = window.left_width + round(dx / self._ui.scale)
        self._set_window(left_width=min(_MAX_SIDE, max(_MIN_SIDE, wanted)))

    def _drag_right(self, dx: float) -> None:
        window = self.bench.settings.window
        wanted = window.right_width - round(dx / self._ui.scale)
        self._set_window(right_width=min(_MAX_SIDE, max(_MIN_SIDE, wanted)))

    def _set_window(self, **changes: object) -> None:
        settings = self.bench.settings
        self.bench.settings = replace(settings, window=replace(settings.window, **changes))  # type: ignore[arg-type]

    def _remember_window(self) -> None:
        self._set_window(width=dpg.get_viewport_width(), height=dpg.get_viewport_height())

    # --- widgets follow the state -----------------------------------------------------------------

    def _sync(self) -> None:
        bench = self.bench
        scene = bench.scene
        self.viewport.sync(scene)
        self._status.sync(scene)
        self._jobs.sync(scene)
        key: tuple[object, ...] = (
            scene, bench.settings, id(bench.model), bench.mesh, bench.mesh_problem,
            bench.document.can_undo, bench.document.can_redo, bench.document.dirty,
        )  # fmt: skip
        if key != self._synced:
            if bench.n_latent != getattr(self, "_laid_out_layers", None):
                self._laid_out_layers = bench.n_latent
                self._size = (0, 0)
            self._synced = key
            for panel in self._panels:
                panel.sync(scene)
            self._sync_title()
        self._menus.sync(scene)
        if self._size != (0, 0):
            origin, size = self._viewport_rect
            panes = [self.viewport.picture_pane, self.viewport.mesh_pane]
            self._overlay.sync(origin, size, panes)

    def _sync_title(self) -> None:
        document = self.bench.document
        name = document.path.name if document.path is not None else ""
        changed = "• " if document.dirty and document.path is not None else ""
        dpg.set_viewport_title(f"{changed}{name} – {TITLE}" if name else TITLE)

    # --- what menus and shortcuts ask of the window ---------------------------------------------

    def toggle_panels(self) -> None:
        """Hide or show the side panels."""
        self._set_window(panels_shown=not self.bench.settings.window.panels_shown)

    def toggle_full_screen(self) -> None:
        """Fill the screen, or no longer."""
        dpg.toggle_viewport_fullscreen()

    def set_scale(self, scale: float) -> None:
        """Build everything anew at another scale, before the next frame."""
        self._new_scale = scale

    def ask_to_quit(self) -> None:
        """Close, asking first while jobs run."""
        count = len(self.bench.jobs.active)
        if count and not self._dialogs.is_open:
            what = "An export is" if count == 1 else f"{count} exports are"
            self._dialogs.confirm(
                "Quit?",
                f"{what} still running and would be cancelled; no half file is left behind.",
                "Quit",
                self.quit,
            )
        else:
            self.quit()

    def quit(self) -> None:
        """Close before the next frame."""
        self._quitting = True

    def show_shortcuts(self) -> None:
        """List all shortcuts."""
        rows = [(shortcut.keys, shortcut.what) for shortcut in self._shortcuts]
        mouse = [
            ("left drag", "orbit"),
            ("right, middle drag", "pan"),
            ("wheel", "field of view"),
            ("double click", "reset the camera"),
        ]
        self._dialogs.table("Shortcuts", [*mouse, *rows], 640)

    def export(self, name: str) -> None:
        """Export under the name in the export panel."""
        self._export.export(name)

    def remember(self, settings: Settings) -> None:
        """Replace the settings; for scripts that drive the window."""
        self.bench.settings = settings


class _inside:  # noqa: N801
    """Create items in a container made earlier."""

    def __init__(self, container: int | str) -> None:
        self._container = container

    def __enter__(self) -> None:
        dpg.push_container_stack(self._container)

    def __exit__(self, *_: object) -> None:
        dpg.pop_container_stack()


def _place(item: int | str, x: int, y: int, width: int, height: int) -> None:
    dpg.configure_item(item, pos=(x, y), width=max(1, width), height=max(1, height))


def _icon() -> str:
    try:
        path: Path = shipped("assets/icon.png")
    except StyleSDFError:
        return ""
    return str(path)
