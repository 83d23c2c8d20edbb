"""Upright bars for the layers of the field and of the decoder, set by dragging across them."""

from __future__ import annotations

import dearpygui.dearpygui as dpg

from app.state.document import edits
from app.state.workbench import Workbench
from app.widgets.controls.pointer import (
    LEFT,
    LESS_KEYS,
    MORE_KEYS,
    RESET_KEYS,
    RIGHT,
    MouseTarget,
    Press,
)
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from stylesdf_core.scene.scene import Mixing, Scene

_CAPTION, _BARS, _NUMBERS = 18, 40, 16  # heights at scale 1
_BETWEEN = 10  # between the two networks' bars


class LayerBars(MouseTarget):
    """The second style's weight in each layer: the field's bars, then the decoder's.

    Bars are numbered as in ``--mix-field-strengths``, ``--mix-strengths`` and the crossover.

    Args:
        film_layers, n_latent: layers of the field and of the decoder; a model may have no decoder.
    """

    def __init__(self, ui: Ui, workbench: Workbench, film_layers: int, n_latent: int) -> None:
        self._ui, self._workbench, self._width = ui, workbench, 1
        self._film, self._count = film_layers, film_layers + n_latent
        self._mixing = Mixing()
        self._hovered = -1
        self._canvas = Canvas(1, ui.px(_CAPTION + _BARS + _NUMBERS))
        self.item = self._canvas.item
        ui.tooltip(
            self.item,
            "Weight of the second style in each layer, coarse to fine, 0 to 1: the field's layers "
            "make the shape, its last layer the colours, the decoder's layers refine the image. "
            "Drag across the bars; right click: back to none, or to the crossover.  Keys: Page up, "
            "Page down, +, −, Delete",
        )
        ui.pointer.add(self)

    def show(self, mixing: Mixing) -> None:
        """Draw the weights."""
        self._mixing = mixing
        self._draw()

    def resize(self, width: int) -> None:
        """Fit a column."""
        self._width = width
        self._canvas.resize(width, self._ui.px(_CAPTION + _BARS + _NUMBERS))
        self._draw()

    def hover(self, x: float, y: float, *, inside: bool) -> None:
        """Light up the bar under the mouse."""
        self._hovered = self._bar(x) if inside else -1
        self._draw()

    def press(self, press: Press) -> bool:
        """Begin to draw weights (left button), or take a network's weights back (right button)."""
        if self._mixing.seed is None:
            return False
        if press.button == RIGHT:
            self._take_back(self._bar(press.x))
        elif press.button == LEFT:
            self.drag(press.x, press.y)
            return True
        return False

    def drag(self, x: float, y: float) -> None:
        """Set the weight of the layer under the mouse."""
        strength = round(1.0 - (y - self._ui.px(_CAPTION)) / self._ui.px(_BARS), 2)
        self._workbench.document.update(self._changed(self._bar(x), strength))

    def release(self) -> None:
        """End the drag, as one undo step."""
        self._workbench.document.commit()

    def key(self, code: int) -> bool:
        """Choose a bar with Page up and Page down, change it with + and −, reset with Delete."""
        bar = max(0, self._hovered)
        if self._mixing.seed is None:
            return False
        if code in (dpg.mvKey_Prior, dpg.mvKey_Next):
            self._hovered = (bar + (1 if code == dpg.mvKey_Next else -1)) % self._count
            self._draw()
        elif code in MORE_KEYS or code in LESS_KEYS:
            weight = self._weights()[bar] + (0.1 if code in MORE_KEYS else -0.1)
            self._workbench.document.apply(self._changed(bar, round(min(1.0, max(0.0, weight)), 2)))
        elif code in RESET_KEYS:
            self._take_back(bar)
        else:
            return False
        return True

    def _take_back(self, bar: int) -> None:
        """Take back the weights of the network that the bar belongs to."""
        if bar < self._film:
            self._workbench.edit(edits.without_field_strengths)
        else:
            decoder = self._count - self._film
            self._workbench.edit(edits.with_crossover, self._mixing.crossover, decoder)

    def _changed(self, bar: int, strength: float) -> Scene:
        workbench, scene = self._workbench, self._workbench.scene
        if workbench.model is None:
            return scene
        if bar < self._film:
            config = workbench.model.generator.config
            return edits.with_field_strength(scene, bar, strength, config)
        layer, count = bar - self._film, self._count - self._film
        return edits.with_strength(scene, layer, strength, count)

    def _weights(self) -> tuple[float, ...]:
        """One weight a bar; 0 where the scene is for a model with other layers."""
        mixing, film, decoder = self._mixing, self._film, self._count - self._film
        field = mixing.field_strengths if len(mixing.field_strengths) == film else (0.0,) * film
        if len(mixing.strengths) not in (0, decoder) or mixing.crossover > decoder:
            return (*field, *(0.0,) * decoder)
        return (*field, *mixing.layer_strengths(decoder))

    # --- geometry and drawing -----------------------------------------------------------------

    def _left(self, bar: int) -> float:
        """Left edge of a bar with half of the gaps beside it."""
        between = self._ui.px(_BETWEEN) if self._count > self._film else 0
        pitch = (self._width - between) / self._count
        return bar * pitch + (between if bar >= self._film else 0)

    def _bar(self, x: float) -> int:
        """The bar at ``x``, pixels from the left."""
        return max((bar for bar in range(self._count) if self._left(bar) <= x), default=0)

    def _draw(self) -> None:
        effects = self._workbench.mixing.effects
        if not self._canvas.wants(self._mixing, self._hovered, self._width, effects):
            return
        px, size, canvas = self._ui.px, self._ui.px(fonts.SMALL), self._canvas
        top, height, active = px(_CAPTION), px(_BARS), self._mixing.seed is not None
        width = self._left(1) - self._left(0)
        gap = min(px(4), width * 0.3)
        for bar, caption in ((0, "field: coarse to fine"), (self._film, "decoder: coarse to fine")):
            if bar < self._count:
                end = self._film if bar == 0 else self._count
                fitted = fonts.fitted(caption, size, (end - bar) * width - gap)
                canvas.text(self._left(bar) + gap / 2, 0, fitted, size, theme.MUTED)
        for bar, weight in enumerate(self._weights()):
            left = self._left(bar) + gap / 2
            right = left + width - gap
            is_weak = effects is not None and not effects.is_visible_bar(bar)
            lit = active and bar == self._hovered
            groove = theme.FAINT if lit else theme.faded(theme.HOVERED, 0.5 if is_weak else 1.0)
            canvas.rectangle(left, top, right, top + height, groove, px(2))
            canvas.line(left, top + height, right, top + height, theme.MUTED)
            if weight > 0.0 and active:
                color = theme.faded(theme.ACCENT, 0.35) if is_weak else theme.ACCENT_DIM
                canvas.rectangle(left, top + height * (1.0 - weight), right, top + height, color)
            number = str(bar if bar < self._film else bar - self._film)
            middle = (left + right - fonts.text_width(number, size)) / 2
            color = theme.faded(theme.MUTED, 0.45) if is_weak else theme.MUTED
            canvas.text(middle, top + height + px(2), number, size, theme.TEXT if lit else color)
