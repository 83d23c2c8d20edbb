"""The style mixing panel: what a second face gives to the first, by group and by layer."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from app.explore.parts.layer_bars import LayerBars
from app.explore.parts.sliders import SeedEntry, scene_slider
from app.state.document import edits
from app.state.wording import title_and_text
from app.state.workbench import Workbench
from app.widgets.controls.slider import SliderRow, SliderSpec
from app.widgets.controls.ui import IconButton, Ui, inside
from app.widgets.drawing import fonts, icons
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.model.latents.latents import group_names
from stylesdf_core.scene.scene import Mixing, Scene

_LABELS = 118  # width of the label column, pixels at scale 1
_NOTE_LINES = 2  # always take their place: the panel must not jump under the mouse
_MORPH = SliderSpec(
    "morph",
    "Moves shape and look towards the second face, in the latent space w: 0 is the first face, "
    "1 is the second face",
    0.0,
    1.0,
    0.05,
    label_width=_LABELS,
)


class MixingPanel:
    """Second seed, morph, groups of latents, crossover, and one bar a layer."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._built: tuple[object, ...] = ()
        #: Sliders by the name of their group.
        self.groups: dict[str, SliderRow] = {}
        self._crossover: SliderRow | None = None
        self.bars: LayerBars | None = None
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self.seed = SeedEntry(
                ui,
                "Seed of the second face, which gives the first face its hair, its skin, or its "
                f"style in single layers. 0 to {MAX_SEED}; empty for no second face",
                "second seed",
                self._choose,
            )
            self._swap = IconButton(
                ui,
                icons.swap,
                partial(workbench.edit, edits.swapped),
                "Swap the first and the second face",
            )
            self._off = IconButton(ui, icons.cross, lambda: self._choose(None), "No style mixing")
        self._morph = scene_slider(ui, workbench, _MORPH, edits.with_morph)
        self._controls = dpg.add_group()
        self._note = ui.small_text("")

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self.seed.resize(width, 5)
        dpg.configure_item(self._note, wrap=width)
        for row in (self._morph, *self._rows()):
            row.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show the scene's second face, morph and weights."""
        mixing, workbench = scene.mixing, self._workbench
        active = mixing.seed is not None
        names = group_names(workbench.directions) if active else ()
        config = workbench.model.generator.config if workbench.model is not None else None
        layers = (config.film_layers, config.n_latent) if config is not None else (0, 0)
        if (names, layers) != self._built:
            self._built = (names, layers)
            self._build(names, *layers)
        self.seed.show(mixing.seed)
        self._swap.show(enabled=active and scene.identity.z is None)
        self._off.show(enabled=active)
        amount = scene.morph.amount if scene.morph.seed is not None else 0.0
        self._morph.show(amount, edited=amount > 0.0)
        weights = dict(mixing.groups)
        for name, row in self.groups.items():
            weight = weights.get(name, 0.0)
            row.show(weight, edited=weight > 0.0)
        if self._crossover is not None:
            self._crossover.show(mixing.crossover, edited=active and mixing.by_crossover)
        if self.bars is not None:
            self.bars.show(mixing)
        self._sync_effects(active)

    def _sync_effects(self, active: bool) -> None:
        """Dim the controls that do nothing, without a second face or on this model; say why."""
        effects, error = self._workbench.mixing.effects, self._workbench.mixing.error
        self._morph.dim(not active)
        if not active:
            if self._crossover is not None:
                self._crossover.dim(True)
            text = "Choose a second face, to take its hair, skin or single layers."
        elif error is not None:
            text = f"What these controls change cannot be measured. {title_and_text(error)[1]}"
        elif effects is None:
            text = "Measuring what these controls change …"
        else:
            changes = dict(effects.groups) | {"crossover": effects.crossover}
            for name, row in self.groups.items():
                row.dim(not effects.is_visible(changes[name]))
            if self._crossover is not None:
                self._crossover.dim(not effects.is_visible(effects.crossover))
            weak = ", ".join(effects.without_effect())
            text = f"Less than one grey level of change on this model: {weak}." if weak else ""
        lines = len(fonts.wrapped(text, self._ui.px(fonts.SMALL), self._width))
        dpg.set_value(self._note, text + "\n " * max(0, _NOTE_LINES - max(1, lines)))

    def _rows(self) -> list[SliderRow | LayerBars]:
        rows: list[SliderRow | LayerBars] = [*self.groups.values()]
        return rows + [row for row in (self._crossover, self.bars) if row is not None]

    def _choose(self, seed: int | None) -> None:
        self._workbench.edit(edits.with_second_seed, seed)

    def _build(self, names: tuple[str, ...], film_layers: int, n_latent: int) -> None:
        for target in self._rows():
            self._ui.pointer.remove(target)
        self.groups, self._crossover, self.bars = {}, None, None
        dpg.delete_item(self._controls, children_only=True)
        with inside(self._controls):
            for name in names:
                self.groups[name] = self._group_slider(name)
            if n_latent:
                self._crossover = self._crossover_slider(n_latent)
            if film_layers:
                self.bars = LayerBars(self._ui, self._workbench, film_layers, n_latent)
        self.resize(self._width)

    def _group_slider(self, name: str) -> SliderRow:
        spec = SliderSpec(
            f"{name} of B",
            f"How far the first face takes the second face's {name}: 0 not at all, 1 wholly. A "
            "slider of the identity that you have set keeps its value",
            0.0,
            1.0,
            0.05,
            label_width=_LABELS,
        )
        return scene_slider(
            self._ui,
            self._workbench,
            spec,
            lambda scene, value: edits.with_group(scene, name, value),
        )

    def _crossover_slider(self, n_latent: int) -> SliderRow:
        spec = SliderSpec(
            "crossover",
            "First decoder layer that takes the second style; a lower value takes over more of the "
            f"second face's style.  0 to {n_latent}",
            0,
            n_latent,
            1,
            digits=0,
            label_width=_LABELS,
        )
        default = min(Mixing().crossover, n_latent)
        return scene_slider(
            self._ui,
            self._workbench,
            spec,
            lambda scene, value: edits.with_crossover(
                scene, default if value is None else int(value), n_latent
            ),
        )
