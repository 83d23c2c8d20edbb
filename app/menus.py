"""The menu bar: everything that can be done, with its shortcut; the model's menu at the right."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import dearpygui.dearpygui as dpg

from app.actions import FONT_SCALES, Actions, Page
from app.shortcuts import Shortcut
from app.state import edits
from app.state.exports import EXPORTS
from app.state.workbench import Workbench
from app.widgets import fonts, theme
from app.widgets.ui import Ui, plain
from app.workers.model_loader import DEVICES
from stylesdf_core.model.config import NoiseMode
from stylesdf_core.scene.scene import VIEWS, Scene

_SAMPLES = (None, 12, 24, 48, 96)
_TABS: tuple[tuple[Page, str, str], ...] = (
    ("explore", "Explore", "Faces: identity, camera, mesh, export  Ctrl+T"),
    ("train", "Train", "Training runs: start, follow, resume, open  Ctrl+T"),
)
_STATE_WIDTH = 96


class Menus:
    """Builds the menu bar of the window and keeps its checks.

    Args:
        training: how many runs are being trained.
    """

    def __init__(
        self,
        ui: Ui,
        bench: Workbench,
        actions: Actions,
        table: Iterable[Shortcut],
        training: Callable[[], int],
    ) -> None:
        self._training = training
        self._ui, self._bench, self._actions = ui, bench, actions
        self._keys = {shortcut.what: shortcut.keys for shortcut in table}
        self._checks: list[tuple[int | str, Callable[[], bool]]] = []
        self._enabled: list[tuple[int | str, Callable[[], bool]]] = []
        self._model_menu: int | str = 0
        self._models: int | str = 0
        self._spacer: int | str = 0
        self._state: int | str = 0
        self._spacer_width = 1
        self._listed: tuple[object, ...] | None = None
        self._shown_state: tuple[object, ...] = ()
        self._devices: dict[str, int | str] = {}
        self._tabs: dict[Page, int | str] = {}
        self._shown_tab: tuple[object, ...] = ()

    def build(self) -> None:
        """Create the menu bar in the current window."""
        with dpg.menu_bar():
            self._build_file()
            self._build_edit()
            self._build_view()
            self._build_render()
            with self._menu("Help"):
                self._item("Shortcuts", self._actions.window.show_shortcuts, "list of shortcuts")
            dpg.add_spacer(width=self._ui.px(12))
            for page, label, tip in _TABS:
                act = partial(self._actions.window.show_page, page)
                self._tabs[page] = self._ui.button(label, act, tip, width=self._ui.px(72))
            self._spacer = dpg.add_spacer(width=1)
            self._model_menu = dpg.add_menu(label="model")
            dpg.bind_item_theme(self._model_menu, self._ui.theme.popup)
            self._state = dpg.add_drawlist(self._ui.px(_STATE_WIDTH), self._ui.px(fonts.BODY + 4))

    def sync(self, scene: Scene) -> None:
        """Update checks, the model's name and the state light."""
        for item, is_on in self._checks:
            dpg.set_value(item, is_on())
        for item, is_enabled in self._enabled:
            dpg.configure_item(item, enabled=is_enabled())
        for name, item in self._devices.items():
            dpg.configure_item(item, show=name in self._bench.models.devices)
        self._sync_models()
        self._sync_state()
        self._sync_tabs()
        self._align()

    # --- building -------------------------------------------------------------------------------

    @contextmanager
    def _menu(self, label: str) -> Iterator[None]:
        with dpg.menu(label=label) as menu:
            yield
        dpg.bind_item_theme(menu, self._ui.theme.popup)

    def _item(self, label: str, act: Callable[[], None], what: str = "") -> int | str:
        keys = self._keys.get(what, "")
        item: int | str = dpg.add_menu_item(label=label, shortcut=keys, callback=plain(act))
        return item

    def _check(
        self, label: str, act: Callable[[], None], is_on: Callable[[], bool], what: str = ""
    ) -> int | str:
        item: int | str = dpg.add_menu_item(
            label=label, shortcut=self._keys.get(what, ""), check=True, callback=plain(act)
        )
        self._checks.append((item, is_on))
        return item

    def _build_file(self) -> None:
        actions = self._actions
        with self._menu("File"):
            self._item("Open session or exported file …", actions.open_session, "open a session")
            self._item("Save session", actions.save_session, "save the session")
            self._item("Save session as …", actions.save_session_as)
            dpg.add_separator()
            with self._menu("Export"):
                for kind in EXPORTS:
                    what = "export a PNG" if kind.name == "PNG" else ""
                    label = f"{kind.name}  ({kind.family})"
                    self._item(label, partial(actions.window.export, kind.name), what)
            dpg.add_separator()
            self._item("Quit", actions.window.ask_to_quit, "quit")

    def _build_edit(self) -> None:
        bench = self._bench
        with self._menu("Edit"):
            undo = self._item("Undo", self._actions.undo, "undo")
            redo = self._item("Redo", self._actions.redo, "redo")
            self._enabled.append((undo, lambda: bench.document.can_undo))
            self._enabled.append((redo, lambda: bench.document.can_redo))
            dpg.add_separator()
            self._item("Random face", bench.random_seed, "random seed")
            self._item(
                "Reset all directions",
                lambda: bench.document.apply(edits.without_edits(bench.scene)),
            )
            self._item(
                "Swap the two faces", lambda: bench.document.apply(edits.swapped(bench.scene))
            )

    def _build_view(self) -> None:
        bench, window = self._bench, self._actions.window
        with self._menu("View"):
            for view in VIEWS:
                self._check(
                    view.capitalize(),
                    partial(bench.change_settings, "view", view=view),
                    _equals(lambda: bench.settings.view.view, view),
                    f"show the {view}",
                )
            self._check(
                "Split picture | mesh",
                self._actions.toggle_split,
                lambda: bench.settings.view.split,
                "split picture | mesh",
            )
            dpg.add_separator()
            for name in edits.CAMERA_PRESETS:
                self._item(f"Camera: {name}", partial(self._preset, name))
            self._item("Reset the camera", bench.reset_camera, "reset the camera")
            dpg.add_separator()
            for page, label, _ in _TABS:
                self._check(
                    label,
                    partial(window.show_page, page),
                    _equals(lambda: window.page, page),
                    "explore or train",
                )
            dpg.add_separator()
            self._check(
                "Panels",
                window.toggle_panels,
                lambda: bench.settings.window.panels_shown,
                "hide or show the panels",
            )
            self._item("Full screen", window.toggle_full_screen, "full screen")
            with self._menu("Scale"):
                for scale in FONT_SCALES:
                    self._check(
                        f"{scale:.0%}",
                        partial(window.set_scale, scale),
                        _equals(lambda: bench.settings.window.font_scale, scale),
                    )

    def _build_render(self) -> None:
        bench = self._bench
        with self._menu("Render"):
            with self._menu("Device"):
                for device in DEVICES:
                    self._devices[device] = self._check(
                        device,
                        partial(bench.set_device, device),
                        _equals(lambda: bench.settings.device, device),
                    )
            with self._menu("Decoder noise"):
                for noise in get_args(NoiseMode):
                    self._check(
                        noise,
                        partial(self._option, noise=noise),
                        _equals(lambda: bench.scene.options.noise, noise),
                    )
            with self._menu("Samples a ray"):
                for samples in _SAMPLES:
                    self._check(
                        "the model's own" if samples is None else str(samples),
                        partial(self._option, samples=samples),
                        _equals(lambda: bench.scene.options.samples, samples),
                    )
            dpg.add_separator()
            self._item("Render again", bench.screen.forget)

    def _preset(self, name: str) -> None:
        self._bench.document.apply(edits.with_preset(self._bench.scene, name))

    def _option(self, **changes: object) -> None:
        scene = self._bench.scene
        options = replace(scene.options, **changes)  # type: ignore[arg-type]
        self._bench.document.apply(replace(scene, options=options))

    # --- the model ------------------------------------------------------------------------------

    def _sync_tabs(self) -> None:
        key = (self._actions.window.page, self._training())
        if key == self._shown_tab:
            return
        self._shown_tab = key
        for page, tab in self._tabs.items():
            look = self._ui.theme.selected if page == key[0] else self._ui.theme.quiet
            dpg.bind_item_theme(tab, look)
        dpg.configure_item(self._tabs["train"], label=f"Train · {key[1]}" if key[1] else "Train")

    def _sync_models(self) -> None:
        bench = self._bench
        active = len(bench.jobs.active)
        key = (bench.models.name, bench.settings.recent_models, active, bench.scene.model)
        if key == self._listed:
            return
        self._listed = key
        dpg.configure_item(self._model_menu, label=bench.models.name or "no model")
        dpg.delete_item(self._model_menu, children_only=True)
        dpg.push_container_stack(self._model_menu)
        self._fill_models()
        dpg.pop_container_stack()

    def _fill_models(self) -> None:
        from stylesdf_core.model.model_zoo import ModelKind, list_models

        bench = self._bench
        entries = list_models()
        for kind, heading in (
            (ModelKind.SHIPPED, "Comes with the program"),
            (ModelKind.PUBLISHED, "Published with StyleSDF (not for commercial use)"),
        ):
            listed = [entry for entry in entries if entry.kind is kind]
            if listed:
                self._ui.small_text(heading, theme.MUTED)
            for entry in listed:
                if entry.is_ready:
                    act, note = partial(bench.open_model, entry.name), ""
                else:
                    act = partial(bench.fetch_model, entry.name)
                    note = f"download {entry.size / 1e6:.0f} MB"
                item = dpg.add_menu_item(
                    label=entry.name,
                    shortcut=note,
                    check=True,
                    default_value=entry.name == bench.scene.model,
                    callback=plain(act),
                )
                self._ui.tooltip(item, entry.description)
        if bench.settings.recent_models:
            self._ui.small_text("Recent", theme.MUTED)
            for path in bench.settings.recent_models:
                item = dpg.add_menu_item(
                    label=Path(path).name,
                    check=True,
                    default_value=path == bench.scene.model,
                    callback=plain(partial(bench.open_model, path)),
                )
                self._ui.tooltip(item, path)
        dpg.add_separator()
        self._item("Open a weights file …", self._actions.open_model)

    def _sync_state(self) -> None:
        bench = self._bench
        if bench.has_problem:
            text, color = "problem", theme.ERROR
        elif bench.models.loading is not None:
            text, color = "loading", theme.WARNING
        elif bench.jobs.active:
            text, color = "exporting", theme.ACCENT
        elif bench.busy:
            text, color = "rendering", theme.ACCENT
        else:
            text, color = "ready", theme.MUTED
        if (text, color) == self._shown_state:
            return
        self._shown_state = (text, color)
        dpg.delete_item(self._state, children_only=True)
        px = self._ui.px
        size = px(fonts.BODY)
        drop = px(3)  # menus put their text lower than drawings
        centre = (px(10), size / 2 + px(1) + drop)
        dpg.draw_circle(centre, px(4), color=theme.CLEAR, fill=color, parent=self._state)
        dpg.draw_text((px(22), drop), text, size=size, color=theme.MUTED, parent=self._state)

    def _align(self) -> None:
        """Push the model's menu to the right edge, whatever the menus before it measure."""
        size = dpg.get_item_rect_size(self._state)
        if size[0] == 0:
            return
        end = dpg.get_item_rect_min(self._state)[0] + size[0]
        excess = int(dpg.get_viewport_client_width() - self._ui.px(4) - end)
        if excess:
            self._spacer_width = max(1, self._spacer_width + excess)
            dpg.configure_item(self._spacer, width=self._spacer_width)


def _equals(read: Callable[[], object], value: object) -> Callable[[], bool]:
    """Whether what ``read`` finds, each time, is ``value``."""
    return lambda: read() == value
