"""The second face: a morph towards it, and its style mixed in, layer by layer."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state import edits
from app.state.workbench import Workbench
from app.widgets import icons, theme
from app.widgets.pointer import LEFT, RIGHT, MouseTarget, Press
from app.widgets.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.ui import IconButton, Ui
from stylesdf_core.model.config import MAX_SEED
from stylesdf_core.scene.scene import Mixing, Scene

_BARS_HEIGHT = 40
_LABELS = 118  # width of the label column, pixels at scale 1


class MixingPanel:
    """Second seed, morph, crossover, and one bar a decoder layer."""

    def __init__(self, ui: Ui, bench: Workbench) -> None:
        self._ui, self._bench = ui, bench
        self._seed: int | str = 0
        self._swap: IconButton | None = None
        self._off: IconButton | None = None
        self._morph: SliderRow | None = None
        self._crossover: SliderRow | None = None
        self._bars: LayerBars | None = None
        self._n_latent = -1
        self._holder: int | str = 0
        self._width = 0

    def build(self, width: int) -> None:
        """Create the widgets in the current container."""
        ui, bench = self._ui, self._bench
        self._width = width
        ui.heading("Style mixing")
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            self._seed = ui.text_field(
                "",
                self._typed_seed,
                "Seed of the second face: its style replaces the first one's in the decoder's "
                f"later layers; only the morph changes the shape. 0 to {MAX_SEED}; empty for none",
                width=ui.px(110),
                digits_only=True,
            )
            IconButton(ui, icons.previous, lambda: self._step(-1), "Previous second seed")
            IconButton(ui, icons.following, lambda: self._step(1), "Next second seed")
            IconButton(
                ui, icons.dice, lambda: self._set_seed(edits.random_seed()), "Random second seed"
            )
            self._swap = IconButton(
                ui,
                icons.swap,
                lambda: bench.document.apply(edits.swapped(bench.scene)),
                "Swap the first and the second face",
            )
            self._off = IconButton(
                ui,
                icons.cross,
                lambda: self._set_seed(None),
                "No style mixing",
            )
        self._morph = SliderRow(
            ui,
            SliderSpec(
                "morph",
                "Shape and look moved towards the second face, in w: 0 is the first, 1 the second",
                0.0,
                1.0,
                0.05,
                label_width=_LABELS,
            ),
            SliderActions(
                lambda value: bench.document.update(edits.with_morph(bench.scene, value)),
                bench.document.commit,
                lambda: bench.document.apply(edits.with_morph(bench.scene, 0.0)),
            ),
            width,
        )
        self._holder = dpg.add_group()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        for row in (self._morph, self._crossover):
            if row is not None:
                row.resize(width)
        if self._bars is not None:
            self._bars.resize(width)

    def sync(self, scene: Scene) -> None:
        """Show the scene."""
        n_latent = self._bench.n_latent
        if n_latent != self._n_latent:
            self._n_latent = n_latent
            self._build_layers(n_latent)
        mixing = scene.mixing
        if not dpg.is_item_active(self._seed):
            dpg.set_value(self._seed, "" if mixing.seed is None else f"{mixing.seed:06d}")
        active = mixing.seed is not None
        if self._swap is not None and self._off is not None:
            self._swap.show(enabled=active and scene.identity.z is None)
            self._off.show(enabled=active)
        if self._morph is not None:
            amount = scene.morph.amount if scene.morph.seed is not None else 0.0
            self._morph.show(amount, edited=amount > 0.0)
        if self._crossover is not None and self._bars is not None:
            self._crossover.show(mixing.crossover, edited=active and not mixing.strengths)
            shown = mixing if active else Mixing(0, mixing.crossover, mixing.strengths)
            fits = not shown.strengths or len(shown.strengths) == n_latent
            strengths = (
                shown.layer_strengths(n_latent)
                if fits and shown.crossover <= n_latent
                else (0.0,) * n_latent
            )
            self._bars.show(strengths, active=active)

    def _build_layers(self, n_latent: int) -> None:
        for target in (self._crossover, self._bars):
            if target is not None:
                self._ui.pointer.remove(target)
        self._crossover = self._bars = None
        dpg.delete_item(self._holder, children_only=True)
        if n_latent == 0:
            return
        bench = self._bench
        dpg.push_container_stack(self._holder)
        self._crossover = SliderRow(
            self._ui,
            SliderSpec(
                "crossover",
                "First decoder layer that takes the second style; early layers carry more. "
                f"0 to {n_latent}",
                0,
                n_latent,
                1,
                digits=0,
                label_width=_LABELS,
            ),
            SliderActions(
                lambda value: bench.document.update(edits.with_crossover(bench.scene, int(value))),
                bench.document.commit,
                lambda: bench.document.apply(
                    edits.with_crossover(bench.scene, min(Mixing().crossover, n_latent))
                ),
            ),
            self._width,
        )
        self._bars = LayerBars(self._ui, bench, n_latent, self._width)
        dpg.pop_container_stack()

    def _typed_seed(self, text: str) -> None:
        digits = "".join(c for c in text if c.isdigit())
        seed = min(int(digits), MAX_SEED) if digits else None
        self._set_seed(seed)

    def _step(self, step: int) -> None:
        seed = self._bench.scene.mixing.seed
        self._set_seed(0 if seed is None else seed + step)

    def _set_seed(self, seed: int | None) -> None:
        self._bench.document.apply(edits.with_second_seed(self._bench.scene, seed))


class LayerBars(MouseTarget):
    """One upright bar a decoder layer: the second style's weight there, set by dragging."""

    def __init__(self, ui: Ui, bench: Workbench, n_latent: int, width: int) -> None:
        self._ui, self._bench, self._n_latent, self._width = ui, bench, n_latent, width
        self._strengths: tuple[float, ...] = (0.0,) * n_latent
        self._active = False
        self._hovered = -1
        self._drawn: tuple[object, ...] = ()
        with dpg.group() as group:
            self.item: int | str = dpg.add_drawlist(width, ui.px(_BARS_HEIGHT))
        ui.tooltip(
            group,
            "Weight of the second style in each decoder layer, coarse to fine, 0 to 1. "
            "Drag across the bars; right click: back to the crossover",
        )
        ui.pointer.add(self)

    def show(self, strengths: tuple[float, ...], *, active: bool) -> None:
        """Draw these weights; muted while nothing is mixed."""
        self._strengths, self._active = strengths, active
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        dpg.configure_item(self.item, width=width)
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the bar under the mouse."""
        self._hovered = self._layer(x) if inside else -1
        self._draw()

    def press(self, press: Press) -> bool:
        """Set the bar under the mouse, or go back to the crossover."""
        if not self._active:
            return False
        scene = self._bench.scene
        if press.button == RIGHT:
            crossover = edits.with_crossover(scene, scene.mixing.crossover)
            self._bench.document.apply(crossover)
            return False
        if press.button != LEFT:
            return False
        self.drag(press.x, press.y)
        return True

    def drag(self, x: float, y: float) -> None:
        """Draw the weights as with a pen."""
        strength = round(1.0 - y / self._ui.px(_BARS_HEIGHT), 2)
        scene = edits.with_strength(self._bench.scene, self._layer(x), strength, self._n_latent)
        self._bench.document.update(scene)

    def release(self) -> None:
        """One undo step."""
        self._bench.document.commit()

    def _layer(self, x: float) -> int:
        return min(self._n_latent - 1, max(0, int(x * self._n_latent / self._width)))

    def _draw(self) -> None:
        key = (self._strengths, self._active, self._hovered, self._width)
        if key == self._drawn:
            return
        self._drawn = key
        dpg.delete_item(self.item, children_only=True)
        height, pitch = self._ui.px(_BARS_HEIGHT), self._width / self._n_latent
        gap = min(self._ui.px(4), pitch * 0.3)
        for layer, strength in enumerate(self._strengths):
            left, right = layer * pitch + gap / 2, (layer + 1) * pitch - gap / 2
            lit = self._active and layer == self._hovered
            groove = theme.HOVERED if lit else theme.RAISED
            self._bar(left, right, 0.0, height, groove)
            color = theme.ACCENT_DIM if self._active else theme.HOVERED
            if strength > 0.0:
                self._bar(left, right, height * (1.0 - strength), height, color)

    def _bar(
        self, left: float, right: float, top: float, bottom: float, color: theme.Color
    ) -> None:
        dpg.draw_rectangle(
            (left, top),
            (right, bottom),
            color=theme.CLEAR,
            fill=color,
            rounding=self._ui.px(2),
            parent=self.item,
        )
