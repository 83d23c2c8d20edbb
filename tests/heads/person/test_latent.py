"""Latents of heads: their layout, the shipped sliders, and looks that stay in range."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from stylesdf_core.heads.person.appearance import appearance
from stylesdf_core.heads.person.latent import (
    ATTRIBUTES,
    DIMENSIONS,
    IDENTITY_MODES,
    LATENT_DIM,
    attribute_values,
    dataset_latent,
    identity_coefficients,
    write_directions,
)
from stylesdf_core.model.latents.latents import load_directions, seed_to_z


def test_attributes_follow_the_identity_modes() -> None:
    names = [attribute.name for attribute in ATTRIBUTES]
    assert len(set(names)) == len(names)
    assert IDENTITY_MODES + len(ATTRIBUTES) < LATENT_DIM
    z = np.arange(LATENT_DIM, dtype=np.float32)
    assert attribute_values(z)["smile"] == DIMENSIONS["smile"] == IDENTITY_MODES


def test_identity_is_scaled_and_bounded() -> None:
    z = np.full(LATENT_DIM, 10.0, np.float32)
    z[0], z[1] = 1.0, -10.0
    coefficients = identity_coefficients(z)
    assert coefficients.shape == (IDENTITY_MODES,)
    assert np.allclose(coefficients[:3], [0.9, -2.5, 2.5])


def test_a_data_set_never_holds_a_studio_seed() -> None:
    assert np.array_equal(dataset_latent(3, 5), dataset_latent(3, 5))
    taken = {dataset_latent(seed, index).tobytes() for seed in (0, 1) for index in range(50)}
    assert len(taken) == 100
    assert not taken & {seed_to_z(seed).tobytes() for seed in range(200)}


def test_shipped_directions_are_current(repository: Path, tmp_path: Path) -> None:
    shipped = repository / "assets" / "directions" / "heads.json"
    write_directions(tmp_path / "heads.json")
    assert json.loads(shipped.read_text()) == json.loads((tmp_path / "heads.json").read_text())
    by_name = {direction.name: direction for direction in load_directions(shipped)}
    assert by_name["smile"].dimension == DIMENSIONS["smile"]
    assert by_name["head_size"].dimension == 0


def test_extreme_attributes_stay_in_range() -> None:
    for value in (-8.0, -2.5, 0.0, 2.5, 8.0):
        look = appearance({attribute.name: value for attribute in ATTRIBUTES})
        assert all(0.0 <= weight <= 1.0 for weight in look.expressions.values())
        for name in ("skin", "lip_color", "hair_color", "hair_tip", "brow_color", "iris_color"):
            color = look.uniforms[name]
            assert isinstance(color, tuple)
            assert all(0.0 <= channel <= 1.0 for channel in color), name
        direction = look.uniforms["key_direction"]
        assert isinstance(direction, tuple)
        assert np.isclose(np.linalg.norm(direction), 1.0)
        assert 0.0 <= look.hair.length <= 3.0
