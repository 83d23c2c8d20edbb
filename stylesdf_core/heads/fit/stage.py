"""The supervised fit, assembled: points, renders, density, decoder, all of it, refinement."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from stylesdf_core.dataclass_json import from_json, to_json
from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.heads.fit.config import FitConfig
from stylesdf_core.heads.fit.data import USED_LATENTS, HeadBank, lacks_eyes, lacks_guidance
from stylesdf_core.heads.fit.decoder_phase import DecoderPhase
from stylesdf_core.heads.fit.density import DensityPhase
from stylesdf_core.heads.fit.end_to_end import EndToEndPhase
from stylesdf_core.heads.fit.init import initial_generator
from stylesdf_core.heads.fit.points import PointsPhase
from stylesdf_core.heads.fit.refine import RefinePhase, without_eyes
from stylesdf_core.heads.fit.render import RenderPhase
from stylesdf_core.heads.fit.supervision import unguided
from stylesdf_core.heads.latent import LATENT_DIM
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints import load_checkpoint
from stylesdf_core.model.model import select_device
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.progress import Operation
from stylesdf_core.training.loop import Cadence, Models, Phase, PhasePlan, TrainingResult, train
from stylesdf_core.training.run_dir import RunDir
from stylesdf_core.training.world import World

#: The models' latents are the heads', and so are their named directions (assets/directions).
METADATA = {"title": "Synthetic heads", "directions": "heads"}


def run_fit(run: RunDir) -> Operation[TrainingResult]:
    """Train in the folder by its config.json, from its newest checkpoint on.

    Heads that are to be prepared come first; yields heads, views and steps done.

    Raises:
        InputError: the config, the data folder or the initial weights are wrong.
        GraphicsError: heads cannot be rendered on this machine.
        StyleSDFError: a process that renders heads died.
        TrainingError: another process trains there, a loss is no longer finite, or the device has
            too little memory.
    """
    config = from_json(FitConfig, run.read_config(), str(run.path / "config.json"))
    with run.owned():
        device = _device(config)
        # Before hours of preparation: the initial weights may not be what the config asks for.
        models = Models.of(_first_generator(config, fresh=run.latest() is None).to(device))
        with closing(_prepared(config)) as preparing:
            for progress in preparing:
                yield progress
                if run.stop_requested():
                    return TrainingResult(run.saved_step(), False, run.latest("ema"))
        torch.set_num_threads(config.threads)
        bank = HeadBank(Path(config.data), device=device)
        plans = [
            PhasePlan(name, steps, _Begin(_PHASES[name], bank, config))
            for name, steps in config.phase_steps().items()
        ]
        cadence = Cadence(
            record=config.record_every,
            evaluate=config.evaluate_every,
            checkpoint=config.checkpoint_every,
            keep=config.keep,
            ema=config.ema,
        )
        data, world = to_json(config), World(0, 1, device)
        try:
            return (
                yield from train(run, models, plans, cadence, METADATA, config=data, world=world)
            )
        except torch.OutOfMemoryError as error:
            raise TrainingError(
                f"{run.path} needs more memory than {device} has: the heads in {config.data} are "
                "kept there too. Start another run with a smaller --batch-factor or fewer heads."
            ) from error


def _prepared(config: FitConfig) -> Operation[None]:
    """Make what the data folder lacks; whoever breaks off loses the shard it is at."""
    folder, heads = Path(config.data), config.heads
    if config.phase_steps()["refine"] and config.refine.eyes > 0.0 and lacks_eyes(folder):
        raise without_eyes(config.data)  # the last phase's would come hours later
    if heads is None:
        return
    if config.points.guide > 0.0 and lacks_guidance(folder):
        raise unguided(config.data)
    from stylesdf_core.heads.fit.view_cache import build_views
    from stylesdf_core.heads.supervision import build_cache

    facekit, seed, size = Path(heads.facekit), config.seed, config.output_size
    jobs = heads.jobs or os.cpu_count() or 1
    yield from build_cache(facekit, folder / "surface", count=heads.surfaces, seed=seed, jobs=jobs)
    yield from build_views(
        facekit, folder / "views", count=heads.views, seed=seed, size=size, jobs=jobs
    )


_PHASES: dict[str, Callable[[Models, HeadBank, FitConfig], Phase]] = {
    "points": PointsPhase,
    "render": RenderPhase,
    "density": DensityPhase,
    "decoder": DecoderPhase,
    "end-to-end": EndToEndPhase,
    "refine": RefinePhase,
}


@dataclass(frozen=True)
class _Begin:
    """Makes a phase once its turn has come."""

    phase: Callable[[Models, HeadBank, FitConfig], Phase]
    bank: HeadBank
    config: FitConfig

    def __call__(self, models: Models) -> Phase:
        return self.phase(models, self.bank, self.config)


def _device(config: FitConfig) -> torch.device:
    """CUDA or the CPU; MPS multiplies no matrices in the bfloat16 that the fit is tuned for."""
    if config.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return select_device(config.device)


def _first_generator(config: FitConfig, *, fresh: bool) -> Generator:
    """What a fresh run begins with; a resumed one finds all of it in its checkpoint."""
    architecture = config.generator(LATENT_DIM)
    if config.init is None or not fresh:
        return initial_generator(architecture, USED_LATENTS, config.seed)
    trained = load_checkpoint(model_zoo.resolve(config.init).path).generator
    if replace(trained.config, samples=config.samples) != architecture:
        raise InputError(
            f"{config.init} holds another architecture ({trained.config}) than the run's config "
            f"asks for ({architecture})."
        )
    if trained.config.samples != config.samples and not config.phase_steps()["density"]:
        raise InputError(
            f"{config.init} renders {trained.config.samples} samples a ray, and without points or "
            f"render steps its field will not suit {config.samples}: set samples to "
            f"{trained.config.samples}."
        )
    generator = Generator(architecture)
    generator.load_state_dict(trained.state_dict())
    return generator
