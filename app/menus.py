"""The menu bar: menus with shortcuts, the tabs, and at the right the model's menu and state."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import get_args

import dearpygui.dearpygui as dpg

from app.actions import FONT_SCALES, Actions, Page
from app.explore.dialogs.batch_dialog import BatchDialog
from app.shortcuts import Shortcut
from app.state.document import edits
from app.state.exports import EXPORTS
from app.state.wording import short_path
from app.state.workbench import Workbench
from app.tabs import TABS, Tabs
from app.train.state.training import Training
from app.widgets.controls.ui import Ui, inside
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.workers.model_loader import DEVICES
from app.workers.pass_planner import PICTURES_A_SECOND
from stylesdf_core.model.config import NoiseMode
from stylesdf_core.model.model_zoo import ModelEntry, ModelKind, list_models
from stylesdf_core.scene.scene import VIEWS, Scene

#: Backgrounds behind the head, in the words of --background, besides colours and pictures.
_BACKGROUNDS = {"model": "The model's own", "none": "None, transparent in exports"}
_SAMPLES = (None, 12, 24, 48, 96)
_MODELS = (
    (ModelKind.SHIPPED, "Comes with the program"),
    (ModelKind.PUBLISHED, "Published with StyleSDF (not for commercial use)"),
)
_STATE_WIDTH = 96
#: Of names in the bar, there beside the menu of the tabs, and in menus, at scale 1.
_NAME_WIDTH, _NARROW_NAME, _ENTRY_WIDTH = 220, 70, 360


class Menus:
    """The menu bar, created in the current window.

    Args:
        table: all shortcuts, so that a menu's item can do what a shortcut does.
        training: says how many runs are being trained.
    """

    def __init__(
        self,
        ui: Ui,
        workbench: Workbench,
        actions: Actions,
        table: Iterable[Shortcut],
        training: Training,
    ) -> None:
        self._ui, self._workbench, self._actions, self._training = ui, workbench, actions, training
        self.batch = BatchDialog(ui, workbench, actions.dialogs)
        self._shortcuts = {shortcut.what: shortcut for shortcut in table}
        self._checks: list[tuple[theme.Item, Callable[[], bool]]] = []
        self._listed: tuple[object, ...] | None = None
        self._recent: tuple[str, ...] | None = None
        self._shown: tuple[object, ...] | None = None  # as _listed, None once a line was clicked
        self._spacer_width = 1
        #: The menus of the bar.
        self.bar: list[theme.Item] = []
        with dpg.menu_bar():
            self._build_file()
            self._build_edit()
            self._build_view()
            self._build_render()
            with self._menu("Help"):
                self._item("Manual", actions.open_manual)
                self._item("Shortcuts", "list of shortcuts")
                dpg.add_separator()
                self._item("About …", actions.show_about)
            dpg.add_spacer(width=ui.px(12))
            self.tabs = Tabs(ui, actions)
            self.bar.append(self.tabs.menu)
            self._spacer = dpg.add_spacer(width=1)
            with self._menu("model") as self._model_menu:
                pass
            self._state = Canvas(ui.px(_STATE_WIDTH), ui.px(fonts.BODY + 4))

    def sync(self, scene: Scene) -> None:
        """Update checks, tabs, the model's name and the state light."""
        workbench, document = self._workbench, self._workbench.document
        shown = (
            [is_on() for _, is_on in self._checks],
            (document.can_undo, document.can_redo, bool(workbench.dragging.history)),
            [name in workbench.models.devices for name in self._devices],
            self._actions.window.page,
            len(self._training.alive),
        )
        if shown != self._shown:
            self._shown = shown
            self._show(*shown)
        self._sync_models()
        self._sync_recent()
        self._sync_state()
        self._align()

    def _show(
        self,
        checks: list[bool],
        changes: tuple[bool, bool, bool],
        devices: list[bool],
        shown_page: Page,
        runs: int,
    ) -> None:
        for (item, _), is_on in zip(self._checks, checks, strict=True):
            dpg.set_value(item, is_on)
        for item, is_enabled in zip((self._undo, self._redo, self._copy), changes, strict=True):
            dpg.configure_item(item, enabled=is_enabled)
        for item, is_there in zip(self._devices.values(), devices, strict=True):
            dpg.configure_item(item, show=is_there)
        self.tabs.show(shown_page, runs)

    # --- building -------------------------------------------------------------------------------

    @contextmanager
    def _menu(self, label: str) -> Iterator[theme.Item]:
        with dpg.menu(label=label) as menu:
            yield menu
        self.bar.append(menu)
        dpg.bind_item_theme(menu, self._ui.theme.popup)

    def _item(
        self,
        label: str,
        act: Callable[[], None] | str,
        is_on: Callable[[], bool] | None = None,
        keys: str = "",
    ) -> theme.Item:
        """A line of the menu that is being built.

        Args:
            act: called when the line is clicked; or the ``what`` of a shortcut with that action.
            is_on: whether the line is checked; None for lines without a check.
            keys: shown beside the label; a shortcut given as ``act`` shows its own keys.
        """
        if isinstance(act, str):
            shortcut = self._shortcuts[act]
            act, keys = shortcut.act, shortcut.keys

        item: theme.Item = dpg.add_menu_item(
            label=label, shortcut=keys, check=is_on is not None, callback=self._clicked(act)
        )
        self._ui.show_script(item, label)
        if is_on is not None:
            self._checks.append((item, is_on))
        return item

    def _clicked(self, act: Callable[[], None]) -> Callable[[], None]:
        """The callback of a line; Dear PyGui has changed its check, whatever the action does."""

        def clicked() -> None:
            self._shown = self._listed = None
            act()

        return clicked

    def _build_file(self) -> None:
        actions = self._actions
        with self._menu("File"):
            self._item("New from photo …", "make a head of a photo")
            self._item("Open session or exported file …", "open a session")
            with self._menu("Open recent") as self._recent_menu:
                pass
            self._item("Save session", "save the session")
            self._item("Save session as …", actions.save_session_as)
            dpg.add_separator()
            with self._menu("Export"):
                for kind in EXPORTS:
                    label = f"{kind.name}  ({kind.family})"
                    act = partial(actions.window.export, kind.name)
                    self._item(label, "export a PNG" if kind.name == "PNG" else act)
            self._item("Batch …", self.batch.open)
            dpg.add_separator()
            self._item("Quit", "quit")

    def _build_edit(self) -> None:
        with self._menu("Edit"):
            self._undo = self._item("Undo", "undo")
            self._redo = self._item("Redo", "redo")
            dpg.add_separator()
            self._item(
                "Drag points", "drag points of the face", lambda: self._workbench.dragging.is_on
            )
            self._copy = self._item("Copy drags as command", self._actions.copy_drags)
            dpg.add_separator()
            self._item("Random face", "random seed")
            self._item("Favourite", "give the face a star, or remove it", self._is_favourite)
            self._item("Reset all directions", partial(self._workbench.edit, edits.without_edits))
            self._item("Rename directions …", self._actions.rename_directions)
            self._item("Swap the two faces", partial(self._workbench.edit, edits.swapped))

    def _is_favourite(self) -> bool:
        face = self._workbench.album.find(self._workbench.scene)
        return face is not None and face.is_favourite

    def _build_view(self) -> None:
        workbench, actions = self._workbench, self._actions
        with self._menu("View"):
            for view in VIEWS:
                is_on = _equals(lambda: workbench.settings.view.view, view)
                self._item(view.capitalize(), f"{view} view", is_on)
            self._item(
                "Split picture | mesh",
                "split picture | mesh",
                lambda: workbench.settings.view.split,
            )
            self._item(
                "Own pixels, 1:1",
                "the picture's own pixels, 1:1",
                lambda: workbench.settings.view.pixels,
            )
            with self._menu("Background"):
                for words, label in _BACKGROUNDS.items():
                    act = partial(workbench.change_settings, "view", background=words)
                    is_on = _equals(lambda: workbench.settings.view.background, words)
                    self._item(label, act, is_on)
                self._item("Picture …", actions.choose_background, self._has_other_background)
            with self._menu("While moving"):
                for pace, rate in PICTURES_A_SECOND.items():
                    act = partial(workbench.change_settings, "view", while_moving=pace)
                    is_on = _equals(lambda: workbench.settings.view.while_moving, pace)
                    self._item(pace, act, is_on, f"{rate:.0f} pictures a second")
            dpg.add_separator()
            for name in edits.CAMERA_PRESETS:
                act = partial(workbench.turn_camera, name)
                self._item(f"Camera: {name}", act)
            self._item("Reset the camera", "reset the camera")
            dpg.add_separator()
            for page, (label, _) in TABS.items():
                act = partial(actions.window.show_page, page)
                self._item(label, act, _equals(lambda: actions.window.page, page), "Ctrl+T")
            dpg.add_separator()
            self._item(
                "Panels", "hide or show the panels", lambda: workbench.settings.window.panels_shown
            )
            self._item(
                "Filmstrip",
                "fold or unfold the filmstrip",
                lambda: workbench.settings.window.strip_shown,
            )
            self._item("Full screen", "full screen")
            with self._menu("Scale"):
                for scale in FONT_SCALES:
                    act = partial(actions.window.set_scale, scale)
                    is_on = _equals(lambda: workbench.settings.window.font_scale, scale)
                    label = f"{scale:.0%}" if scale else "as the display"
                    self._item(label, act, is_on)

    def _has_other_background(self) -> bool:
        return self._workbench.settings.view.background not in _BACKGROUNDS

    def _build_render(self) -> None:
        workbench = self._workbench
        self._devices: dict[str, theme.Item] = {}
        with self._menu("Render"):
            with self._menu("Device"):
                for device in DEVICES:
                    act = partial(workbench.set_device, device)
                    is_on = _equals(lambda: workbench.settings.device, device)
                    self._devices[device] = self._item(device, act, is_on)
            with self._menu("Decoder noise"):
                for noise in get_args(NoiseMode):
                    act = partial(self._option, noise=noise)
                    self._item(noise, act, _equals(lambda: workbench.scene.options.noise, noise))
            with self._menu("Samples a ray"):
                for samples in _SAMPLES:
                    label = "the model's own" if samples is None else str(samples)
                    act = partial(self._option, samples=samples)
                    self._item(
                        label, act, _equals(lambda: workbench.scene.options.samples, samples)
                    )
            dpg.add_separator()
            self._item("Render again", workbench.screen.forget)

    def _option(self, **changes: object) -> None:
        options = replace(self._workbench.scene.options, **changes)  # type: ignore[arg-type]
        self._workbench.document.apply(replace(self._workbench.scene, options=options))

    # --- the model ------------------------------------------------------------------------------

    def _sync_models(self) -> None:
        workbench, recent = self._workbench, self._workbench.settings.recent_models
        names, narrow = (workbench.models.name, workbench.scene.model), self.tabs.is_narrow
        key = (names, narrow, recent, len(workbench.jobs.active))
        if key == self._listed:
            return
        self._listed = key
        name = workbench.models.name or "no model"
        label = fonts.fitted(name, fonts.BODY, _NARROW_NAME if narrow else _NAME_WIDTH)
        dpg.configure_item(self._model_menu, label=label)
        self._ui.show_script(self._model_menu, name)
        dpg.delete_item(self._model_menu, children_only=True)
        with inside(self._model_menu):
            entries = list_models()
            for kind, heading in _MODELS:
                listed = [entry for entry in entries if entry.kind is kind]
                if listed:
                    self._ui.small_text(heading)
                for entry in listed:
                    self._add_model(entry)
            if recent:
                self._ui.small_text("Recent")
            for path in recent:
                label = fonts.fitted(Path(path).name, fonts.BODY, _ENTRY_WIDTH)
                self._add_choice(label, path, path, partial(workbench.open_model, path))
            dpg.add_separator()
            self._item("Open a weights file …", self._actions.open_model)

    def _sync_recent(self) -> None:
        sessions = self._workbench.settings.recent_sessions
        if sessions == self._recent:
            return
        self._recent = sessions
        dpg.configure_item(self._recent_menu, enabled=bool(sessions))
        dpg.delete_item(self._recent_menu, children_only=True)
        with inside(self._recent_menu):
            for session in sessions:
                path = Path(session)
                label = fonts.fitted_start(short_path(path), fonts.BODY, _ENTRY_WIDTH)
                self._item(label, partial(self._workbench.open_session, path))

    def _add_model(self, entry: ModelEntry) -> None:
        workbench, name = self._workbench, entry.name
        if entry.is_ready:
            act, note = partial(workbench.open_model, name), entry.note
        else:
            act, note = partial(workbench.fetch_model, name), f"download {entry.size / 1e6:.0f} MB"
        self._add_choice(name, name, entry.description, act, note)

    def _add_choice(
        self, label: str, model: str, tooltip: str, act: Callable[[], None], note: str = ""
    ) -> None:
        item = dpg.add_menu_item(
            label=label,
            shortcut=note,
            check=True,
            default_value=model == self._workbench.scene.model,
            callback=self._clicked(act),
        )
        self._ui.show_script(item, label)
        with dpg.tooltip(item, delay=0.5):  # within menus only Dear PyGui's own work
            self._ui.show_script(dpg.add_text(tooltip, wrap=self._ui.px(300)), tooltip)

    # --- the right end --------------------------------------------------------------------------

    def _sync_state(self) -> None:
        workbench = self._workbench
        if workbench.has_problem:
            text, color = "problem", theme.ERROR
        elif workbench.models.loading is not None:
            text, color = "loading", theme.WARNING
        elif workbench.jobs.active:
            text, color = "working", theme.ACCENT
        elif workbench.busy:
            text, color = "rendering", theme.ACCENT
        else:
            text, color = "ready", theme.MUTED
        if self._state.wants(text, color):
            px = self._ui.px
            size, drop = px(fonts.BODY), px(3)  # menus put their text lower than drawings
            self._state.disc(px(10), size / 2 + px(1) + drop, px(4), color)
            self._state.text(px(22), drop, text, size, theme.MUTED)

    def _align(self) -> None:
        """Push the model's menu to the right edge, which takes the widths of the last frame."""
        width, _ = dpg.get_item_rect_size(self._state.item)
        if width == 0:
            return
        end = dpg.get_item_rect_min(self._state.item)[0] + width
        room = dpg.get_viewport_client_width() - self._ui.px(4)
        self.tabs.fit(end - self._spacer_width, room)
        excess = int(room - end)
        if excess:
            self._spacer_width = max(1, self._spacer_width + excess)
            dpg.configure_item(self._spacer, width=self._spacer_width)


def _equals(read: Callable[[], object], value: object) -> Callable[[], bool]:
    """A function that says whether ``read`` returns ``value``."""
    return lambda: read() == value
