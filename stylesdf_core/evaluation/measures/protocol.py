"""What `evaluate` measures, of which pictures and heads, and where the rows lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.measures.picture_sets import Extractor
from stylesdf_core.evaluation.measures.rows import Part
from stylesdf_core.files import json_line
from stylesdf_core.model.config import NoiseMode
from stylesdf_core.model.poses import Poses

Metric = Literal[
    "fid", "kid", "frechet", "foreground", "shapes", "depth-consistency", "identity", "pose",
    "flicker",
]  # fmt: skip
METRICS: tuple[Metric, ...] = get_args(Metric)
#: Metrics that need a data set.
WITH_DATA: frozenset[Metric] = frozenset({"fid", "kid", "frechet", "foreground", "shapes"})
#: Metrics that compare generated pictures with a data set's; the pose does so where there is one.
WITH_PICTURES: frozenset[Metric] = frozenset({"fid", "kid", "frechet", "pose"})
#: Metrics on the features of the Inception network.
ON_INCEPTION: frozenset[Metric] = frozenset({"fid", "kid"})
#: Metrics by dlib's landmarks and embeddings.
JUDGED: frozenset[Metric] = frozenset({"identity", "pose"})


@dataclass(frozen=True)
class ImageProtocol:
    """What is measured, of which pictures and heads.

    Attributes:
        metrics: what is measured.
        count: number of generated pictures, and of true pictures if there are so many.
        identities: heads whose views are compared.
        seed_start: seed of the first generated head; each picture shows the next seed's head.
        pose_seed: seed of the cameras.
        orbits: heads that are orbited for their flicker.
        noise, rays: of their pictures, see :class:`~.orbits.OrbitFlicker`.
    """

    metrics: frozenset[Metric] = frozenset({"frechet", "flicker"})
    count: int = 2000
    identities: int = 100
    seed_start: int = 0
    pose_seed: int = 7
    orbits: int = 8
    noise: NoiseMode = "fixed"
    rays: int = 1
    poses: Poses = field(default_factory=Poses)

    @property
    def seeds(self) -> range:
        """Seeds of the generated pictures."""
        return range(self.seed_start, self.seed_start + self.count)


@dataclass(frozen=True)
class Workplace:
    """Where rows lie, and which process this is.

    Attributes:
        folder: rows of interrupted evaluations, and of data sets, are found here again.
        inception: features for FID and KID.
        part: this process among those that measure together.
    """

    folder: Path
    inception: Extractor | None = None
    part: Part = field(default_factory=Part)

    def rows(self, kind: str, known: Mapping[str, Any]) -> Path:
        """The folder of rows of one kind that depend on ``known`` and on nothing else."""
        digest = hashlib.sha256(json_line(known).encode()).hexdigest()[:16]
        return self.folder / f"{kind}-{digest}"

    def model_rows(self, kind: str, engine: Engine, protocol: ImageProtocol, **known: Any) -> Path:
        """The folder of rows of one kind that depend on model, seeds, cameras and ``known``."""
        known |= {
            "model": engine.model.digest or engine.model.name,
            "device": engine.device.type,
            "seed_start": protocol.seed_start,
            "pose_seed": protocol.pose_seed,
            "poses": asdict(protocol.poses),
        }
        return self.rows(kind, known)
