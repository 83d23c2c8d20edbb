"""The published implementation's numbers, and generators that hold its weights.

``tests/data/golden.npz`` is a thinned copy; where the full file is at hand (``STYLESDF_REFERENCE``
or ../shared/reference), tests compare with that as well.
"""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from stylesdf_core.model.checkpoints.published import discriminator_from_published, from_published
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.discriminators import StyleDiscriminator, VolumeDiscriminator
from stylesdf_core.model.networks.generator import Generator

DATA = Path(__file__).parent / "data"
_FULL = Path(
    os.environ.get("STYLESDF_REFERENCE", Path(__file__).parents[2] / "shared" / "reference")
)

_EVERY = slice(None)
_THIN: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(
        (
            "thumb",
            "mask",
            "xyz",
            "thumb_psi05",
            "thumb_density",
            "thumb_clear_background",
            "thumb_clear_nobackground",
            "thumb_world_viewdirs",
            "train_thumb",
        ),
        (..., slice(None, None, 3), slice(None, None, 3)),
    ),
    **dict.fromkeys(
        ("image_256", "image_256_psi05", "image_256_mix3", "image_1024_sub"),
        (..., slice(None, None, 9), slice(None, None, 9)),
    ),
    "features_sub": (_EVERY, *(slice(None, None, 2),) * 3),
    "sdf_sub": (_EVERY, slice(None, None, 3), slice(None, None, 3)),
    "mesh_sdf_sub": (slice(None, None, 2),) * 3,
    "mesh_vertices": (slice(None, None, 4),),
}

Array = np.ndarray[Any, np.dtype[np.float32]]


def assert_golden(
    name: str, ours: torch.Tensor | Array, tolerance: float = 5e-4, *, relative: float = 0.0
) -> None:
    """Compare the full-size result ``ours`` with the stored numbers."""
    value = np.asarray(ours, dtype=np.float32)
    thinned = value[_THIN.get(name, ())]
    stored = golden(name)
    assert thinned.shape == stored.shape, f"{name}: {thinned.shape} against {stored.shape}"
    np.testing.assert_allclose(thinned, stored, rtol=relative, atol=tolerance, err_msg=name)
    if (_FULL / "golden.npz").exists():
        with np.load(_FULL / "golden.npz") as full:
            np.testing.assert_allclose(
                value, full[name], rtol=relative, atol=tolerance, err_msg=name
            )


def golden(name: str) -> Array:
    """The thinned array of that name."""
    with np.load(DATA / "golden.npz") as stored:
        array: Array = stored[name]
        return array


def layout(name: str) -> dict[str, list[Any]]:
    """``layout_g_256``, ``layout_d_volume`` …: published key -> [shape, mean, std] or blur."""
    entries: dict[str, list[Any]] = json.loads((DATA / f"{name}.json").read_text())
    return entries


def published_state(
    name: str, replaced: Mapping[str, list[Any]] | None = None
) -> dict[str, torch.Tensor]:
    """The reference weights, generated key by key."""
    return {key: _tensor(key, entry) for key, entry in {**layout(name), **(replaced or {})}.items()}


def _tensor(key: str, entry: list[Any]) -> torch.Tensor:
    if entry[1] == "blur":
        taps = np.array([1.0, 3.0, 3.0, 1.0])
        # In the generator it follows an insertion of zeros, hence the gain.
        gain = 4 if key.startswith("decoder.") else 1
        return torch.tensor(np.outer(taps, taps) / 64 * gain, dtype=torch.float32)
    shape, mean, std = entry
    source = np.random.default_rng(zlib.crc32(key.encode()))
    return torch.tensor((mean + std * source.standard_normal(shape)).astype(np.float32))


def reference_generator(
    output_size: int, *, replaced: Mapping[str, list[Any]] | None = None, field: Any = "sdf"
) -> Generator:
    """The published architecture with the reference weights."""
    config = GeneratorConfig(output_size=output_size, field=field)
    generator = Generator(config)
    state = published_state(f"layout_g_{output_size}", replaced)
    generator.load_state_dict(from_published(state, config))
    return generator.eval().requires_grad_(False)


def reference_discriminator(name: str) -> VolumeDiscriminator | StyleDiscriminator:
    """``layout_d_volume`` or ``layout_d_256`` with the reference weights."""
    return discriminator_from_published(published_state(name), Path(name)).requires_grad_(False)


def reference_z(seed: int, count: int, dim: int = 256) -> torch.Tensor:
    """``default_rng(seed).standard_normal((count, dim))`` as float32."""
    values = np.random.default_rng(seed).standard_normal((count, dim))
    return torch.tensor(values, dtype=torch.float32)
