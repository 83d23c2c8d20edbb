"""Mean latents that lie in a weights file."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint, save_safetensors
from stylesdf_core.model.checkpoints.digests import weights_digest
from stylesdf_core.model.latents.mean_latents import mean_latents
from stylesdf_core.model.model import load_model
from stylesdf_core.resources import shipped
from tests.models import tiny_generator


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_mean_latents_are_stored_beside_the_weights(dtype: torch.dtype, tmp_path: Path) -> None:
    """They are those that would be computed, and leave the digest of the weights as it is."""
    with_means, without = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    save_safetensors(tiny_generator(), with_means, dtype=dtype, means=True)
    save_safetensors(tiny_generator(), without, dtype=dtype)
    stored, computed = load_checkpoint(with_means).means, load_model(str(without)).means
    assert load_checkpoint(without).means is None
    assert stored is not None
    assert stored.decoder is not None
    assert computed.decoder is not None
    assert torch.equal(stored.renderer, computed.renderer)
    assert torch.equal(stored.decoder, computed.decoder)
    assert load_model(str(with_means)).means.renderer.dtype == torch.float32
    assert weights_digest(with_means) == weights_digest(without)


@pytest.mark.parametrize("name", ["heads", "heads-gan"])
def test_shipped_weights_hold_their_mean_latents(name: str) -> None:
    loaded = load_checkpoint(shipped(f"pretrained/{name}.safetensors"))
    assert loaded.means is not None
    expected = mean_latents(loaded.generator)
    torch.testing.assert_close(loaded.means.renderer, expected.renderer, rtol=0, atol=1e-5)
    torch.testing.assert_close(loaded.means.decoder, expected.decoder, rtol=0, atol=1e-5)


def test_mean_latents_of_another_model_are_not_used(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_safetensors(tiny_generator(), path, means=True)
    with safe_open(path, framework="pt") as file:
        metadata = {name: text for name, text in file.metadata().items() if "digest" not in name}
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
    for key, wrong in (
        ("means.renderer", torch.ones(1, 3)),
        ("means.decoder", torch.tensor([0.0])),
    ):
        save_file({**tensors, key: wrong}, path, metadata)
        assert load_checkpoint(path).means is None
    save_file({**tensors, "means.decoder": torch.full((1, 512), torch.nan)}, path, metadata)
    assert load_checkpoint(path).means is None
