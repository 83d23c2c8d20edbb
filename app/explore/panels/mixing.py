"""The style mixing panel: a morph towards a second face, and that face's style by layer."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from app.explore.sliders import SeedEntry, scene_slider
from app.state import edits
from app.state.workbench import Workbench
from app.widgets import icons, theme
from app.widgets.canvas import Canvas
from app.widgets.pointer import LEFT, RIGHT, MouseTarget, Press
from app.widgets.slider import SliderRow, SliderSpec
from app.widgets.ui import IconButton, Ui
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.scene.scene import Mixing, Scene

_BARS_HEIGHT = 40
_LABELS = 118  # width of the label column, pixels at scale 1
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
    """Second seed, morph, crossover, and one bar a decoder layer."""

    def __init__(self, ui: Ui, workbench: Workbench) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._n_latent = -1
        self._crossover: SliderRow | None = None
        self._bars: LayerBars | None = None
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self._seed = SeedEntry(
                ui,
                "Seed of the second face: its style replaces the first face's style in the "
                "decoder's later layers; only the morph changes the shape. "
                f"0 to {MAX_SEED}; empty for no second face",
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
        self._layers = dpg.add_group()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        for row in (self._morph, self._crossover, self._bars):
            if row is not None:
                row.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show the scene's second face, morph and weights."""
        if self._workbench.n_latent != self._n_latent:
            self._n_latent = self._workbench.n_latent
            self._build_layers()
        mixing = scene.mixing
        active = mixing.seed is not None
        self._seed.show(mixing.seed)
        self._swap.show(enabled=active and scene.identity.z is None)
        self._off.show(enabled=active)
        amount = scene.morph.amount if scene.morph.seed is not None else 0.0
        self._morph.show(amount, edited=amount > 0.0)
        if self._crossover is not None and self._bars is not None:
            self._crossover.show(mixing.crossover, edited=active and not mixing.strengths)
            self._bars.show(mixing)

    def _choose(self, seed: int | None) -> None:
        self._workbench.edit(edits.with_second_seed, seed)

    def _build_layers(self) -> None:
        n_latent = self._n_latent
        for target in (self._crossover, self._bars):
            if target is not None:
                self._ui.pointer.remove(target)
        self._crossover = self._bars = None
        dpg.delete_item(self._layers, children_only=True)
        if n_latent == 0:
            return
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
        dpg.push_container_stack(self._layers)
        self._crossover = scene_slider(
            self._ui,
            self._workbench,
            spec,
            lambda scene, value: edits.with_crossover(
                scene, default if value is None else int(value)
            ),
        )
        self._bars = LayerBars(self._ui, self._workbench, n_latent)
        dpg.pop_container_stack()
        self.resize(self._width)


class LayerBars(MouseTarget):
    """One upright bar a decoder layer: the second style's weight there, set by dragging."""

    def __init__(self, ui: Ui, workbench: Workbench, n_latent: int) -> None:
        self._ui, self._workbench, self._n_latent, self._width = ui, workbench, n_latent, 1
        self._mixing = Mixing()
        self._hovered = -1
        self._canvas = Canvas(1, ui.px(_BARS_HEIGHT))
        self.item = self._canvas.item
        ui.tooltip(
            self.item,
            "Weight of the second style in each decoder layer, coarse to fine, 0 to 1. "
            "Drag across the bars; right click: back to the crossover",
        )
        ui.pointer.add(self)

    @property
    def _active(self) -> bool:
        return self._mixing.seed is not None

    def show(self, mixing: Mixing) -> None:
        """Draw the weights; muted without a second face."""
        self._mixing = mixing
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self._canvas.resize(width, self._ui.px(_BARS_HEIGHT))
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the bar under the mouse."""
        self._hovered = self._layer(x) if inside else -1
        self._draw()

    def press(self, press: Press) -> bool:
        """Begin to draw weights (left button), or go back to the crossover (right button)."""
        if not self._active:
            return False
        if press.button == RIGHT:
            self._workbench.edit(edits.with_crossover, self._mixing.crossover)
        elif press.button == LEFT:
            self.drag(press.x, press.y)
            return True
        return False

    def drag(self, x: float, y: float) -> None:
        """Set the weight of the layer under the mouse."""
        strength = round(1.0 - y / self._ui.px(_BARS_HEIGHT), 2)
        scene = edits.with_strength(self._workbench.scene, self._layer(x), strength, self._n_latent)
        self._workbench.document.update(scene)

    def release(self) -> None:
        """End the drag, as one undo step."""
        self._workbench.document.commit()

    def _layer(self, x: float) -> int:
        return min(self._n_latent - 1, max(0, int(x * self._n_latent / self._width)))

    def _strengths(self) -> tuple[float, ...]:
        """One weight a layer; all 0 if the scene is for a model with another number of layers."""
        mixing, count = self._mixing, self._n_latent
        if len(mixing.strengths) not in (0, count) or mixing.crossover > count:
            return (0.0,) * count
        return Mixing(0, mixing.crossover, mixing.strengths).layer_strengths(count)

    def _draw(self) -> None:
        if not self._canvas.wants(self._mixing, self._hovered, self._width):
            return
        px, pitch = self._ui.px, self._width / self._n_latent
        height, gap = px(_BARS_HEIGHT), min(px(4), pitch * 0.3)
        for layer, strength in enumerate(self._strengths()):
            left, right = layer * pitch + gap / 2, (layer + 1) * pitch - gap / 2
            lit = self._active and layer == self._hovered
            groove = theme.HOVERED if lit else theme.RAISED
            self._canvas.rectangle(left, 0.0, right, height, groove, px(2))
            if strength > 0.0:
                color = theme.ACCENT_DIM if self._active else theme.HOVERED
                top = height * (1.0 - strength)
                self._canvas.rectangle(left, top, right, height, color, px(2))
