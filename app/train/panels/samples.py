"""The run's sample grids: the same faces from the same sides at each step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import dearpygui.dearpygui as dpg

from app.train.state.samples import COLUMNS, Sample
from app.train.state.training import Training
from app.widgets.controls.pointer import ACT_KEYS, LEFT, MouseTarget, Press
from app.widgets.controls.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.controls.ui import Ui
from app.widgets.drawing import fonts, theme
from app.widgets.drawing.canvas import Canvas
from app.widgets.drawing.texture import PictureTexture

#: Heights of the row of buttons and of the slider, width of the caption.
HEAD, _SLIDER, _CAPTION = 28, 24, 80
_EMPTY, _DAMAGED = "No samples yet.", "The picture of these samples is damaged."
_TIME = SliderSpec(
    "training time",
    "Step whose samples are shown; right click follows the newest",
    0.0,
    1.0,
    1.0,
    digits=0,
    label_width=96,
)


class SamplesPanel(MouseTarget):
    """One grid, and a slider through the steps; created in the current container.

    A click shows one sample of the grid alone, the next click the grid again.
    """

    def __init__(self, ui: Ui, training: Training, texture: PictureTexture) -> None:
        self._ui, self._training, self._texture = ui, training, texture
        self._sample: Sample | None = None
        self._size = (1, 1)
        self._has_log = True
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            ui.caption("Samples", _CAPTION)
            self._space = dpg.add_spacer(width=1)
            width = ui.px(68)
            self._images = ui.button(
                "images",
                lambda: self._choose(thumb=False),
                "The images of the whole model, full size",
                width=width,
            )
            self._renders = ui.button(
                "renders",
                lambda: self._choose(thumb=True),
                "The volume renders before the decoder",
                width=width,
            )
            show_log = partial(self._show_log, shown=True)
            self._log = ui.button("log", show_log, "Events and output of the run", width=width)
        self._canvas = Canvas(1, 1)
        self.item = self._canvas.item
        ui.pointer.add(self)
        ui.tooltip(
            self.item,
            "The same latents, one a row, from the same eight sides at every step: "
            "the averaged generator at ψ = 0.7.  Click: enlarge a sample, or go back",
        )
        actions = SliderActions(self._slide, lambda: None, self._follow)
        self._slider = SliderRow(ui, _TIME, actions, ui.px(200))

    def resize(self, width: int, height: int, *, has_log: bool) -> None:
        """Fill a rectangle.

        Args:
            has_log: whether the log stands beside the samples, rather than in their place.
        """
        px = self._ui.px
        self._has_log = has_log
        dpg.configure_item(self._log, show=not has_log)
        self._size = (width, max(px(40), height - px(HEAD + _SLIDER + 8)))
        self._canvas.resize(*self._size)
        buttons = 2 if has_log else 3
        dpg.configure_item(
            self._space, width=max(1, width - px(_CAPTION) - buttons * px(70) - px(6))
        )
        self._slider.resize(width)

    def sync(self) -> None:
        """Show the chosen grid."""
        training = self._training
        sample = training.sample
        if sample is not None and sample is not self._sample:
            self._texture.show(sample.pixels)
        self._sample = sample
        shows_log = training.shows_log and not self._has_log
        self._ui.select(self._images, not training.sample_thumb and not shows_log)
        self._ui.select(self._renders, training.sample_thumb and not shows_log)
        self._ui.select(self._log, shows_log)
        for item in (self._canvas.item, self._slider.item):
            dpg.configure_item(item, show=not shows_log)
        text = _DAMAGED if training.is_sample_damaged else _EMPTY
        if self._canvas.wants(sample, text, self._texture.tag, self._size):
            self._draw(text)
        steps = training.report.samples if training.report is not None else ()
        low, high = (steps[0], max(steps[-1], steps[0] + 1)) if steps else (0, 1)
        apart = max(1, (high - low) // max(1, len(steps) - 1))
        spec = self._slider.spec
        if (spec.low, spec.high) != (low, high):
            self._slider.spec = replace(spec, low=low, high=high, step=apart, origin=low)
        is_chosen = training.sample_step is not None
        self._slider.show(float(training.shown_sample or 0), edited=is_chosen)

    def press(self, press: Press) -> bool:
        """Enlarge the sample under the mouse, or show the grid again."""
        if press.button == LEFT and self._sample is not None:
            is_alone = self._training.sample_cell is not None
            self._training.sample_cell = None if is_alone else self._cell(press.x, press.y)
        return False

    def key(self, code: int) -> bool:
        """Show the grid again with Enter and Space."""
        if code in ACT_KEYS:
            self._training.sample_cell = None
        return code in ACT_KEYS

    def _cell(self, x: float, y: float) -> tuple[int, int] | None:
        """Row and column of the sample at a place; None beside the grid."""
        sample = self._sample
        if sample is None or sample.request.cell is not None:
            return None
        high, wide = sample.pixels.shape[:2]
        factor = min(self._size[0] / wide, self._size[1] / high)
        row, column = int(y * sample.rows / (high * factor)), int(x * COLUMNS / (wide * factor))
        return (row, column) if row < sample.rows and column < COLUMNS else None

    def _draw(self, text: str) -> None:
        px, (width, height) = self._ui.px, self._size
        if self._sample is None or not self._texture.tag:
            self._canvas.rectangle(0, 0, width, height, theme.PANEL, px(4))
            size = px(fonts.SMALL)
            x = (width - fonts.text_width(text, size)) / 2
            self._canvas.text(x, (height - size) / 2, text, size, theme.FAINT)
            return
        high, wide = self._sample.pixels.shape[:2]
        factor = min(width / wide, height / high)
        self._canvas.picture(self._texture, wide * factor, high * factor)

    def _choose(self, *, thumb: bool) -> None:
        self._training.sample_thumb = thumb
        self._show_log(shown=False)

    def _show_log(self, *, shown: bool) -> None:
        self._training.shows_log = shown

    def _slide(self, step: float) -> None:
        self._training.sample_step = round(step)

    def _follow(self) -> None:
        self._training.sample_step = None
