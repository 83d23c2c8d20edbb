"""Sentences of the core, as the window says them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from app.state.wording import face_name, in_window, is_showable
from stylesdf_core.scene.scene import Identity


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (
            "--size must lie between 16 and 2048 pixels, not 5.",
            "Size must lie between 16 and 2048 pixels, not 5.",
        ),
        ("Start with a smaller --batch-factor.", "Start with a smaller batch factor."),
        ("give --heads.facekit to prepare them.", "give facekit to prepare them."),
        (
            "ffhq1024 is not here; run `stylesdf-studio models fetch ffhq1024` first.",
            "ffhq1024 is not here; download ffhq1024 in the model's menu first.",
        ),
        ("It needs --out; see --help.", "It needs out."),
        ("A sentence – with dashes -- of its own.", "A sentence – with dashes -- of its own."),
    ],
)
def test_flags_and_commands_become_names_of_fields(said: str, shown: str) -> None:
    assert in_window(said) == shown


def test_a_face_that_no_seed_makes_is_not_called_by_one() -> None:
    assert face_name(Identity(seed=742)) == "000742"
    assert face_name(Identity(seed=742, z=(0.0,) * 4)) == "custom face"


def test_bytes_of_a_name_that_are_not_utf_8_are_replaced() -> None:
    """Dear PyGui ends with a segmentation fault where it is given such a text."""
    name = os.fsdecode(b"caf\xe9.png")
    assert not is_showable(Path("/photos") / name)
    assert is_showable("/photos/café.png")
    assert in_window(f"{name} is no picture.") == "caf?.png is no picture."
