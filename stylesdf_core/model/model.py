"""Model: weights, mean latents and directions, loaded once per process, ready to render.

:mod:`.model_zoo` finds the weights file of a name, :mod:`.checkpoints` reads the file, this module
adds the means and directions, and the engine draws the Model.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import torch

from stylesdf_core.errors import InputError, StyleSDFError
from stylesdf_core.model import model_zoo
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.landmarks import Landmarks, load_landmarks
from stylesdf_core.model.latents.direction_files import read_directions
from stylesdf_core.model.latents.latents import LatentDirection, load_directions
from stylesdf_core.model.latents.mean_latents import MeanLatents, mean_latents
from stylesdf_core.model.latents.principal_directions import find_directions
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import FFHQ_POSES, Poses
from stylesdf_core.model.tuning import load_tuned
from stylesdf_core.progress import drain
from stylesdf_core.resources import shipped

_KEPT = 2


@dataclass(frozen=True)
class Model:
    """A loaded model; shared between threads and never written to.

    Attributes:
        name: the model's name in the zoo, or the stem of its file.
        path: the weights file.
        generator: float32, on the CPU.
        means: on the CPU.
        named: the directions that the model's file, or a file beside it, names; often none.
        poses: cameras of its training; the paper's for FFHQ where they are not known.
        landmarks: where the heads' landmarks are, where that is known.
        digest: of the weights file, see ``weights_digest`` in ``checkpoints/digests.py``.
        shape_digest: of the weights that make the shapes: of a tuning (:mod:`.tuning`)
            the digest of the model that it tunes; of other models the same as ``digest``.

    Raises:
        InputError: a direction's coordinate lies beyond the model's z.
    """

    name: str
    path: Path
    generator: Generator
    means: MeanLatents
    named: tuple[LatentDirection, ...] = field(compare=False)
    poses: Poses = FFHQ_POSES
    digest: str = ""
    shape_digest: str = ""
    landmarks: Landmarks | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        z_dim = self.generator.config.z_dim
        if far := [each for each in self.named if each.dimensions.stop > z_dim]:
            raise InputError(
                f"The direction {far[0].name} is of number {far[0].dimensions.stop - 1} of z, "
                f"counted from 0; the z of the model {self.name} has {z_dim} numbers."
            )

    @cached_property
    def directions(self) -> tuple[LatentDirection, ...]:
        """Axes of the latents, for sliders: the named ones; without, the principal directions.

        The first access to a model without names takes a moment, see
        :func:`~.latents.principal_directions.find_directions`.
        """
        means = self.means
        return self.named or drain(find_directions(self.generator, means.renderer, means.decoder))


_cache: OrderedDict[tuple[Path, int], Model] = OrderedDict()
_lock = threading.Lock()


def load_model(reference: str) -> Model:
    """The model that a reference names; callers that ask for the same file share its weights.

    Args:
        reference: a name of the model zoo, a weights file or a run folder.

    Raises:
        ModelNotFoundError: the reference names no model, file or run folder.
        CheckpointError: the weights file is damaged or holds another model.
        InputError: the file of directions beside it is damaged or fits another model.
    """
    entry = model_zoo.resolve(reference)
    key = (entry.path.resolve(), entry.path.stat().st_mtime_ns)
    with _lock:
        if key in _cache:
            _cache.move_to_end(key)
            known = _cache[key]
            saved = read_directions(known.path, known.digest)
            if saved is not None and saved != known.named:
                _cache[key] = replace(known, named=saved)
            return _cache[key]
        loaded, base = load_tuned(entry.path)
        digest = weights_digest(entry.path)
        saved = read_directions(entry.path, digest)
        if saved is None and base is not None:
            saved = read_directions(base.path, base.digest)
        latents = loaded.metadata.get("directions", "")
        directions, landmarks = (_shipped(kind, latents) for kind in ("directions", "landmarks"))
        if saved is None:
            saved = load_directions(directions) if directions is not None else ()
        named = entry.kind in (model_zoo.ModelKind.SHIPPED, model_zoo.ModelKind.PUBLISHED)
        name = entry.name if named else model_zoo.short_name(entry.name)
        model = Model(
            name=name,
            path=entry.path,
            generator=loaded.generator,
            means=loaded.means or mean_latents(loaded.generator),
            named=saved,
            poses=entry.poses or loaded.poses or FFHQ_POSES,
            digest=digest,
            shape_digest=digest if base is None else base.digest,
            landmarks=None if landmarks is None else load_landmarks(landmarks),
        )
        _cache[key] = model
        while len(_cache) > _KEPT:
            _cache.popitem(last=False)
        return model


def _shipped(kind: str, name: str) -> Path | None:
    """The shipped file on the latents that a weights file names in its metadata."""
    if not name or "/" in name or "\\" in name:
        return None
    try:
        return shipped(f"assets/{kind}/{name}.json")
    except StyleSDFError:
        return None


def select_device(name: str) -> torch.device:
    """``auto`` (CUDA, else MPS, else CPU), ``cpu``, ``cuda`` or ``mps``.

    Raises:
        InputError: the device is unknown, or this machine does not have it.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(device for device, there in available.items() if there))
    if name not in available:
        raise InputError(f"There is no device {name!r}; choose auto, cpu, cuda or mps.")
    if not available[name]:
        raise InputError(f"This machine has no {name} device that torch can use; try cpu.")
    return torch.device(name)
