"""The timeline: keyframes under the viewport, ready-made animations, and films of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import get_args

import dearpygui.dearpygui as dpg

from app.explore.parts.time_axis import AxisActions, TimeAxis
from app.state.workbench import Workbench
from app.widgets.controls.popup import PopupMenu
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.drawing import icons, theme
from app.widgets.drawing.texture import Textures
from stylesdf_core.files import free_path
from stylesdf_core.model.model_zoo import absolute
from stylesdf_core.scene.animation import Ease, write_animation
from stylesdf_core.scene.paths import Preset
from stylesdf_core.scene.scene import Scene

_EASE_TIPS: dict[Ease, str] = {
    "smooth": "starts and ends at rest",
    "linear": "keeps its speed",
    "in": "starts at rest",
    "out": "ends at rest",
    "flow": "passes through without a rest",
    "hold": "stays, then jumps",
}
_PRESETS: dict[Preset, str] = {
    "turntable": "Turntable: a full turn",
    "sway": "Sway: to and fro",
    "ellipsoid": "Ellipse around this camera",
    "morph": "Morph through the favourites",
}
_FILMS = {".mp4": "MP4", ".gif": "GIF", ".webp": "WebP", "": "Numbered pictures"}
_EASE_WIDTH, _TIME_WIDTH, _WIDE = 84, 56, 580


class TimelinePanel:
    """The axis, and its controls in the line of tabs.

    Args:
        controls: container for the controls.
    """

    HEIGHT = (58, 92)

    def __init__(
        self, ui: Ui, workbench: Workbench, textures: Textures, controls: theme.Item
    ) -> None:
        self._ui, self._workbench, self.timeline = ui, workbench, workbench.timeline
        self._popup = PopupMenu(ui)
        self._shown: tuple[object, ...] = ()
        actions = AxisActions(self.add, self._menu)
        self.axis = TimeAxis(ui, self.timeline, textures, actions)
        with inside(controls), dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self.play = IconButton(ui, icons.following, self.timeline.toggle, "Play or stop  L")
            self.plus = IconButton(
                ui, icons.plus, self.add, "Add a keyframe of what is shown: at the end, or where "
                "the playhead stands  K",
            )  # fmt: skip
            self.update = IconButton(
                ui, icons.reset, self._replace, "Give the selected keyframe what is shown now"
            )
            self._delete = IconButton(ui, icons.cross, self._remove, "Delete the selected keyframe")
            self._wide = dpg.add_group(horizontal=True, horizontal_spacing=ui.px(2))
            self._ease = dpg.add_combo(
                get_args(Ease), width=ui.px(_EASE_WIDTH), parent=self._wide,
                callback=lambda _, ease: self._set_ease(ease),
            )  # fmt: skip
            tips = ", ".join(f"{ease} {tip}" for ease, tip in _EASE_TIPS.items())
            ui.tooltip(self._ease, f"From the selected keyframe to the next: {tips}")
            with inside(self._wide):
                self._seconds = ui.text_field(
                    "",
                    self._typed,
                    "Duration of the animation, seconds",
                    width=ui.px(_TIME_WIDTH),
                )
            look = ui.theme.quiet
            ui.button(
                "presets",
                self._presets,
                "Ready-made animations, which can be changed",
                look=look,
            )
            self.export = ui.button("export", self._exports, "The animation as a film", look=look)

    def resize(self, width: int, height: int) -> None:
        """Fit the area."""
        self.axis.resize(width, height)
        # In a narrow window the menu of a keyframe has the eases, and dragging sets the times.
        dpg.configure_item(self._wide, show=width >= self._ui.px(_WIDE))

    def sync(self, scene: Scene) -> None:
        """Show the keyframes."""
        timeline = self.timeline
        self.axis.sync()
        key = (timeline.selected, timeline.animation, timeline.is_playing)
        if key == self._shown and not dpg.is_item_active(self._seconds):
            return
        self._shown = key
        selected, duration = timeline.selected, timeline.animation.duration
        self.play.show_icon(icons.pause if timeline.is_playing else icons.following)
        self.play.show(enabled=duration > 0.0)
        for button in (self.update, self._delete):
            button.show(enabled=selected is not None)
        dpg.configure_item(self._ease, enabled=selected is not None)
        ease = "" if selected is None else timeline.keyframes[selected].ease
        dpg.set_value(self._ease, ease)
        dpg.configure_item(self._seconds, enabled=duration > 0.0)
        if not dpg.is_item_active(self._seconds):
            dpg.set_value(self._seconds, f"{duration:g} s" if duration else "")
        self._ui.enable(self.export, duration > 0.0, self._ui.theme.quiet)

    def add(self) -> None:
        """Make a keyframe of what is shown."""
        view = self._workbench.settings.view.view
        self.timeline.add(self._workbench.screen.picture, view)

    def _replace(self) -> None:
        if self.timeline.selected is not None:
            self._replace_at(self.timeline.selected)

    def _replace_at(self, index: int) -> None:
        view = self._workbench.settings.view.view
        self.timeline.replace(index, self._workbench.screen.picture, view)

    def _remove(self) -> None:
        if self.timeline.selected is not None:
            self.timeline.remove(self.timeline.selected)

    def _set_ease(self, ease: Ease) -> None:
        if self.timeline.selected is not None:
            self.timeline.set_ease(self.timeline.selected, ease)

    def _typed(self, text: str) -> None:
        try:
            seconds = float(text.lower().rstrip("s ").replace(",", "."))
        except ValueError:
            seconds = 0.0
        if seconds > 0.0:
            self.timeline.scale(seconds)
        self._shown = ()

    # --- menus ----------------------------------------------------------------------------------

    def _menu(self, index: int | None) -> None:
        """The menu of a keyframe, or of the axis."""
        timeline = self.timeline
        if index is None:  # in a narrow window also for what the controls do
            lines: list[tuple[str, Callable[[], None]]] = [("Add a keyframe", self.add)]
            if timeline.animation.duration > 0.0:
                exports = ((f"Export: {name}", act) for name, act in self._export_lines())
                lines = [*lines, ("Play or stop", timeline.toggle), *exports]
            self._popup.open([*lines, *self._preset_lines()])
            return
        eases = [(f"Then: {ease}", partial(timeline.set_ease, index, ease)) for ease in _EASE_TIPS]
        self._popup.open(
            [
                ("Show", partial(timeline.select, index)),
                ("Replace by what is shown", partial(self._replace_at, index)),
                *eases,
                ("Delete", partial(timeline.remove, index)),
            ]
        )

    def _presets(self) -> None:
        self._popup.open(self._preset_lines())

    def _preset_lines(self) -> list[tuple[str, Callable[[], None]]]:
        lines = [(text, partial(self._make, preset)) for preset, text in _PRESETS.items()]
        space = self.timeline.animation.space
        other = "along the great circle in z" if space == "w" else "straight in w"
        return [
            *lines,
            (f"Morph between keyframes {other}", self.timeline.toggle_space),
            ("Delete all keyframes", self.timeline.clear),
        ]

    def _make(self, preset: Preset) -> None:
        self.timeline.make(preset)

    def _exports(self) -> None:
        self._popup.open(self._export_lines())

    def _export_lines(self) -> list[tuple[str, Callable[[], None]]]:
        return [
            *((name, partial(self.film, suffix)) for suffix, name in _FILMS.items()),
            ("Save keyframes", self._save),
            ("Copy as command", self._copy_command),
        ]

    def film(self, suffix: str) -> None:
        """Export the animation."""
        self._workbench.submit(self._workbench.film_request(suffix))

    def _save(self) -> None:
        """Write a file of keyframes beside the exports."""
        request = self._workbench.film_request(".json")
        write_animation(self.timeline.animation, request.out)
        self._workbench.toast(f"Saved {request.out.name}", request.out)

    def _copy_command(self) -> None:
        """Save the keyframes, and copy the command that makes a film of them."""
        request = self._workbench.film_request(".mp4")
        keyframes = free_path(request.out.with_suffix(".json"))
        model = Scene(model=absolute(self.timeline.animation.model))
        command = self._workbench.command_of(
            replace(request, animation=None, keyframes=keyframes, scene=model)
        )
        if command is not None:
            write_animation(self.timeline.animation, keyframes)
            dpg.set_clipboard_text(command)
            self._workbench.toast(f"Copied the command, saved {keyframes.name}", keyframes)
