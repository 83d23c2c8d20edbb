"""The choice of one of the two pictures: face, model and view."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import dearpygui.dearpygui as dpg

from app.explore.parts.sliders import SeedEntry
from app.state.pictures.comparison import COMPARED
from app.state.wording import short_path
from app.state.workbench import Workbench
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from stylesdf_core.model.model_zoo import list_models
from stylesdf_core.scene.scene import Identity, Scene


class SidePanel:
    """The first (0) or the other (1) of the two."""

    def __init__(self, ui: Ui, workbench: Workbench, index: int) -> None:
        self._ui, self._workbench, self._index = ui, workbench, index
        self._width = ui.px(240)
        self._models: dict[str, str] = {}  # by their labels in the list
        ui.heading("AB"[index])
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self.seed = SeedEntry(ui, "Seed of the face", "seed", self._set_seed)
        self._model = dpg.add_combo(
            [],
            callback=lambda _, label: workbench.comparison.choose_model(
                index, self._models[str(label)]
            ),
        )
        ui.tooltip(self._model, "The model; run folders and files appear once they were opened")
        self._view = dpg.add_combo(
            COMPARED, callback=lambda _, view: workbench.comparison.show_view(index, view)
        )
        ui.tooltip(self._view, "The view")
        self._take = ui.button(
            "Take the face in Explore",
            lambda: workbench.comparison.take(index, workbench.scene),
            "Its model, edits, ψ and mixing too",
        )
        self._about = ui.small_text("", theme.FAINT, wrap=0)

    def _label(self, model: str) -> str:
        """A model's name, or as much of the end of its path as the list is wide."""
        room = self._width - self._ui.px(40)  # the list's arrow
        path = short_path(Path(model)) if Path(model).is_absolute() else model
        return fonts.fitted_start(path, self._ui.px(fonts.BODY), room)

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self.seed.resize(width, 3)
        for item in (self._model, self._view, self._take):
            dpg.configure_item(item, width=width)

    def sync(self) -> None:
        """Show the choice."""
        comparison, settings = self._workbench.comparison, self._workbench.settings
        if comparison.scenes is None:
            return
        scene = comparison.scenes[self._index]
        identity = scene.identity
        self.seed.show(identity.seed, "custom face" if identity.z is not None else "")
        named = [entry.name for entry in list_models() if entry.is_ready]
        models = dict.fromkeys([*named, *settings.recent_models, scene.model])
        labels = {model: self._label(model) for model in models}
        self._models = {label: model for model, label in labels.items()}
        dpg.configure_item(self._model, items=list(self._models))
        self._ui.set_text(self._model, labels[scene.model])
        dpg.set_value(self._view, comparison.views[self._index])
        dpg.set_value(self._about, _about(scene))

    def _set_seed(self, seed: int | None) -> None:
        comparison = self._workbench.comparison
        if seed is not None and comparison.scenes is not None:
            scene = replace(comparison.scenes[self._index], identity=Identity(seed))
            comparison.take(self._index, scene)


def _about(scene: Scene) -> str:
    count = len(scene.identity.edits)
    edits = f", {count} edit{'s' if count > 1 else ''}" if count else ""
    mixed = f", mixed with {scene.mixing.seed}" if scene.mixing.seed is not None else ""
    return f"ψ {scene.truncation_psi:.2f}{edits}{mixed}"
