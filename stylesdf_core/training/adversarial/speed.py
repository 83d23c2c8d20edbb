"""Images a second of stages 1 and 2, beside the same steps with the networks' own renders.

The plain loop differs in one thing: images that need no gradient are rendered by the networks'
modules instead of the engine. Both take the same steps in turns, on pictures of noise.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from PIL import Image

from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.model.checkpoints.checkpoints import save_safetensors
from stylesdf_core.model.model import select_device
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation, Progress, part
from stylesdf_core.training.adversarial.config.presets import preset
from stylesdf_core.training.adversarial.config.stages import (
    DecoderStageConfig,
    PresetName,
    RendererConfig,
)
from stylesdf_core.training.adversarial.stages import train_from_images
from stylesdf_core.training.adversarial.terms.volume import plain_fakes
from stylesdf_core.training.phase import PreparedRun
from stylesdf_core.training.runs.run_dir import RunDir

#: Rows by their names in the table, with the stage that each measures.
ROWS = {"training.stage1": "renderer", "training.stage2": "decoder"}
#: Turns of both loops; a turn is so many steps that every lazy term is in it, but at least so many.
_TURNS, _QUICK_TURNS = 2, 1
_STEPS = 4


@dataclass(frozen=True)
class _Times:
    """Seconds of each turn, of the loop and of the plain loop."""

    ours: list[float]
    plain: list[float]
    images: int


def chosen_rows(only: Sequence[str] = ()) -> tuple[str, ...]:
    """The rows whose names begin with an entry of ``only``; all rows if ``only`` is empty."""
    return tuple(name for name in ROWS if not only or name.startswith(tuple(only)))


def measure_training(
    rows: Sequence[str], device: str = "auto", *, quick: bool = False
) -> Operation[tuple[Figure, ...]]:
    """Measure rows: the preset ``tiny`` on a CPU, ``heads`` on a GPU.

    Raises:
        InputError: there is no such device.
        TrainingError: the device has too little memory.
    """
    where = select_device(device)
    name: PresetName = "tiny" if where.type == "cpu" else "heads"
    turns = _QUICK_TURNS if quick else _TURNS
    figures = []
    for index, row in enumerate(rows):
        measured = _figure(row, name, where, turns)
        figures.append((yield from part(measured, index, index + 1, len(rows), f"{row}: ")))
    return tuple(figures)


def _figure(row: str, name: PresetName, device: torch.device, turns: int) -> Operation[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        config = _config(ROWS[row], name, Path(folder), device)
        run = RunDir(Path(folder) / "run")
        timed = partial(_timed, turns=turns, device=device)
        try:
            times: _Times = yield from train_from_images(run, config, timed)
        except KeyboardInterrupt:  # whose words are of a run that goes on
            raise KeyboardInterrupt from None
    ours, plain = (times.images / median(seconds) for seconds in (times.ours, times.plain))
    spread = f"{times.images / max(times.ours):.2f}–{times.images / min(times.ours):.2f}"
    detail = f"{spread}; plain loop {plain:.2f}, {ours / plain:.2f}×; preset {name}"
    title = f"images a second, {ROWS[row]} stage"
    return Figure(row, title, ours, "/s", 2, detail=detail, better="higher")


def _config(
    stage: str, name: PresetName, folder: Path, device: torch.device
) -> RendererConfig | DecoderStageConfig:
    """A stage's settings, on pictures of noise and fresh weights."""
    renderer = preset(RendererConfig, name, data=str(folder / "images"))
    decoder = preset(
        DecoderStageConfig, name, data=renderer.data, init=str(folder / "renderer.safetensors")
    )
    config: Any = renderer if stage == "renderer" else decoder
    edge = renderer.generator.thumb_size if stage == "renderer" else decoder.output_size
    _write_pictures(folder / "images", edge, config.batch)
    if stage == "decoder":
        save_safetensors(Generator(renderer.generator), folder / "renderer.safetensors")
    images = replace(config.images, held_out=0.0, compare=8)
    return replace(config, images=images, run=replace(config.run, device=device.type))  # type: ignore[no-any-return]


def _write_pictures(folder: Path, edge: int, count: int) -> None:
    folder.mkdir()
    source = np.random.default_rng(0)
    for index in range(count):
        pixels = source.integers(0, 256, (edge, edge, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index}.png")


def _timed(prepared: PreparedRun, *, turns: int, device: torch.device) -> Operation[_Times]:
    """The last phase's steps, by both loops in turns; takes a loop's place."""
    phase = prepared.plans[-1].begin(prepared.models)
    every = max((*phase.lazy.values(), _STEPS))
    steps = iter(range(10**9))

    def turn(count: int) -> Iterator[None]:
        for _ in range(count):
            phase.step(next(steps))
            prepared.models.average(prepared.cadence.ema)
            yield

    times = _Times([], [], every * phase.batch)
    total, done = 2 * (turns * every + 1), 0
    for index in range(turns + 1):  # the first turn, of one step, warms up
        for plain in (False, True):
            start = time.perf_counter()
            with plain_fakes(plain):
                for _ in turn(every if index else 1):
                    if prepared.folder.stop_requested():  # by Ctrl+C, as in any training
                        raise KeyboardInterrupt
                    done += 1
                    yield Progress(done, total, f"step {done} of {total}")
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            if index:
                (times.plain if plain else times.ours).append(time.perf_counter() - start)
    return times
