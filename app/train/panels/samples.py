"""The run's sample grids: the same faces from the same sides through all of training."""

from __future__ import annotations

from functools import partial

import dearpygui.dearpygui as dpg

from app.train.samples import Sample
from app.train.training import Training
from app.widgets import fonts, theme
from app.widgets.slider import SliderActions, SliderRow, SliderSpec
from app.widgets.texture import PictureTexture
from app.widgets.ui import Ui

_HEAD, _SLIDER, _CAPTION = 28, 24, 80
_EMPTY = "No samples yet."


class SamplesPanel:
    """One grid, and a slider through the steps."""

    def __init__(self, ui: Ui, training: Training, texture: PictureTexture) -> None:
        self._ui, self._training, self._texture = ui, training, texture
        self._canvas: int | str = 0
        self._looks: dict[bool, int | str] = {}
        self._slider: SliderRow | None = None
        self._shown: Sample | None = None
        self._drawn: tuple[object, ...] = ()
        self._size = (1, 1)

    def build(self) -> None:
        """Create the widgets in the current container."""
        ui = self._ui
        with dpg.group(horizontal=True, horizontal_spacing=ui.px(2)):
            ui.caption("Samples", _CAPTION)
            self._space = dpg.add_spacer(width=1)
            for thumb, label, tip in (
                (False, "images", "What the whole model makes, full size"),
                (True, "renders", "The volume renders before the decoder"),
            ):
                act = partial(self._choose, thumb)
                self._looks[thumb] = ui.button(label, act, tip, width=ui.px(68))
        with dpg.group() as group:
            self._canvas = dpg.add_drawlist(1, 1)
        ui.tooltip(
            group,
            "The same latents, one a row, from the same eight sides at every step: "
            "the averaged generator at ψ = 0.7",
        )
        self._slider = SliderRow(
            ui,
            SliderSpec(
                "training time",
                "Step whose samples are shown; right click follows the newest",
                0.0,
                1.0,
                1.0,
                digits=0,
                label_width=96,
            ),
            SliderActions(self._slide, lambda: None, self._follow),
            ui.px(200),
        )

    def resize(self, width: int, height: int) -> None:
        """Fill a rectangle."""
        px = self._ui.px
        high = max(px(40), height - px(_HEAD + _SLIDER + 8))
        self._size = (width, high)
        dpg.configure_item(self._space, width=max(1, width - px(_CAPTION) - 2 * px(70) - px(6)))
        dpg.configure_item(self._canvas, width=width, height=high)
        if self._slider is not None:
            self._slider.resize(width)

    def sync(self) -> None:
        """Show the chosen grid."""
        training = self._training
        sample = training.sample
        if sample is not None and sample is not self._shown:
            self._texture.show(sample.pixels)
        self._shown = sample
        key = (sample, self._texture.tag, self._size, training.sample_thumb)
        if key != self._drawn:
            self._drawn = key
            self._draw()
        steps = training.report.samples if training.report is not None else ()
        if self._slider is not None:
            low, high = (steps[0], steps[-1]) if steps else (0, 1)
            apart = max(1, (high - low) // max(1, len(steps) - 1))
            spec = self._slider.spec
            if (spec.low, spec.high) != (float(low), float(max(high, low + 1))):
                self._slider.spec = SliderSpec(
                    spec.label, spec.tooltip, float(low), float(max(high, low + 1)), float(apart),
                    digits=0, origin=float(low), label_width=spec.label_width,
                )  # fmt: skip
            chosen = training.sample_step is not None
            self._slider.show(float(training.shown_sample or 0), edited=chosen)

    def _draw(self) -> None:
        px, sample = self._ui.px, self._shown
        for thumb, button in self._looks.items():
            on = thumb == self._training.sample_thumb
            dpg.bind_item_theme(button, self._ui.theme.selected if on else self._ui.theme.quiet)
        dpg.delete_item(self._canvas, children_only=True)
        width, height = self._size
        if sample is None or not self._texture.tag:
            dpg.draw_rectangle(
                (0, 0), (width, height), color=theme.CLEAR, fill=theme.PANEL, rounding=px(4),
                parent=self._canvas,
            )  # fmt: skip
            size = px(fonts.SMALL)
            x = (width - fonts.text_width(_EMPTY, size)) / 2
            dpg.draw_text(
                (x, (height - size) / 2), _EMPTY, size=size, color=theme.FAINT, parent=self._canvas
            )
            return
        high, wide = sample.pixels.shape[:2]
        factor = min(width / wide, height / high)
        corner = (wide * factor, high * factor)
        dpg.draw_image(
            self._texture.tag, (0, 0), corner, uv_min=self._texture.uv_min,
            uv_max=self._texture.uv_max, parent=self._canvas,
        )  # fmt: skip

    def _choose(self, thumb: bool) -> None:
        self._training.sample_thumb = thumb

    def _slide(self, step: float) -> None:
        self._training.sample_step = round(step)

    def _follow(self) -> None:
        self._training.sample_step = None
