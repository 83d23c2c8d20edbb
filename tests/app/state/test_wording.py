"""Sentences of the core, as the window says them."""

from __future__ import annotations

import pytest

from app.state.wording import face_name, in_window, time_left
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


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.4, "0 s left"),
        (99.0, "99 s left"),
        (415.0, "7 min left"),
        (5900.0, "98 min left"),
        (7200.0, "2 h left"),
    ],
)
def test_a_time_left_is_told_in_a_unit_of_few(seconds: float, words: str) -> None:
    assert time_left(seconds) == words


def test_a_face_that_no_seed_makes_is_not_called_by_one() -> None:
    assert face_name(Identity(seed=742)) == "000742"
    assert face_name(Identity(seed=742, z=(0.0,) * 4)) == "custom face"
