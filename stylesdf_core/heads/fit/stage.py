"""Runs the supervised fit in a run folder: prepares heads, then trains the phases.

The phases: points, renders, a search of the density, decoder, end to end, refinement.
:func:`stylesdf_core.training.loop.train` runs, saves and resumes them.
"""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from stylesdf_core.data.frame_presets import FRAME_PRESET
from stylesdf_core.dataclass_json import to_json
from stylesdf_core.errors import InputError, TrainingError, is_out_of_memory
from stylesdf_core.heads.fit.bank import HeadBank, check_folder, heads_in
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.decoder_phases import (
    EndToEndPhase,
    RefinePhase,
    SupervisedDecoderPhase,
)
from stylesdf_core.heads.fit.field_phases import DensityPhase, PointsPhase, RenderPhase
from stylesdf_core.heads.fit.initial import initial_generator
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.model import select_device
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation
from stylesdf_core.training.loop import TrainingResult, train
from stylesdf_core.training.phase import Loop, Models, PhasePlan, PreparedRun
from stylesdf_core.training.runs.run_data import check_and_record
from stylesdf_core.training.runs.run_dir import RunDir
from stylesdf_core.training.settings import by_path, differences
from stylesdf_core.training.world import World

#: A fitted model's latents mean the same as the heads', so its directions are those of
#: assets/directions/heads.json.
METADATA = {"title": "Synthetic heads", "directions": "heads", FRAME_PRESET: "heads"}
#: The phases by their names in :meth:`FitConfig.phase_steps`.
PHASES = {
    phase.name: phase
    for phase in (
        PointsPhase,
        RenderPhase,
        DensityPhase,
        SupervisedDecoderPhase,
        EndToEndPhase,
        RefinePhase,
    )
}


def run_fit(run: RunDir, config: FitConfig, loop: Loop = train) -> Operation[Any]:
    """Train in a run's folder by its settings, from its newest checkpoint on.

    Missing heads are prepared first; yields heads, views and steps done.

    Args:
        loop: runs the phases; its result is returned.

    Raises:
        InputError: the data folder or the initial weights are wrong.
        GraphicsError: heads cannot be rendered on this machine.
        StyleSDFError: a process that renders heads died.
        TrainingError: another process trains there, a loss is no longer finite, or the device has
            too little memory.
    """
    data = Path(config.data) if config.data else run.path / "heads"
    with run.owned():
        device = _device(config)
        # Check weights and heads before preparation, which may take hours.
        models = Models.of(_first_generator(config, fresh=run.latest() is None).to(device))
        check_folder(data, config.generator)
        with closing(_prepare(config, data)) as preparing:
            for progress in preparing:
                yield progress
                if run.stop_requested():
                    return TrainingResult(run.saved_step(), False, run.latest("ema"))
        check_and_record(run, data, heads_in(data))
        torch.set_num_threads(config.threads)
        bank = HeadBank(data, device=device)
        plans = [
            PhasePlan(name, steps, partial(PHASES[name], bank=bank, config=config))
            for name, steps in config.phase_steps().items()
        ]
        try:
            world, settings = World(0, 1, device), to_json(config)
            prepared = PreparedRun(run, models, plans, config, METADATA, settings, world)
            return (yield from loop(prepared))
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error):
                raise
            raise TrainingError(
                f"{run.path} needs more memory than {device} has: the heads in {data} are "
                "kept there too. Start another run with a smaller --batch-factor or fewer heads."
            ) from error


def _prepare(config: FitConfig, data: Path) -> Operation[None]:
    """Render heads that the data folder lacks; an interruption loses the shard in progress."""
    heads = config.heads
    if heads.facekit is None:
        return
    from stylesdf_core.heads.fit.views import build_views
    from stylesdf_core.heads.surfaces import build_cache

    facekit, seed, size = Path(heads.facekit), config.seed, config.generator.output_size
    jobs = heads.jobs or os.cpu_count() or 1
    yield from build_cache(facekit, data / "surface", count=heads.surfaces, seed=seed, jobs=jobs)
    yield from build_views(
        facekit, data / "views", count=heads.views, seed=seed, size=size, jobs=jobs
    )


def _device(config: FitConfig) -> torch.device:
    """CUDA or the CPU; MPS does not multiply matrices in bfloat16."""
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return select_device(config.device)


def _first_generator(config: FitConfig, *, fresh: bool) -> Generator:
    """Initial weights of a fresh run; in a resumed run, the checkpoint replaces these weights."""
    architecture = config.generator
    if config.init is None or not fresh:
        return initial_generator(architecture, config.seed)
    trained = load_checkpoint(model_zoo.resolve(config.init).path).generator
    if replace(trained.config, samples=architecture.samples) != architecture:
        different = differences(by_path(trained.config), by_path(architecture))
        raise InputError(f"{config.init} does not fit the settings `generator`: {different}.")
    if trained.config.samples != architecture.samples and not config.phase_steps()["density"]:
        raise InputError(
            f"{config.init} was trained with {trained.config.samples} samples per ray; only points "
            f"or render steps can adapt its field to {architecture.samples}. Add such steps, or "
            f"set generator.samples to {trained.config.samples}."
        )
    generator = Generator(architecture)
    generator.load_state_dict(trained.state_dict())
    for name, parameter in generator.named_parameters():
        if name.endswith("noise_strength"):  # a fit trains the decoder without noise
            nn.init.zeros_(parameter)
    return generator
