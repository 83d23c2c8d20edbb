"""What a second identity gives to the first: groups, field layers, decoder layers."""

from __future__ import annotations

import json

import pytest

from stylesdf_core.errors import InputError
from stylesdf_core.scene.scene import Mixing, Scene


def test_crossover_counts_only_alone() -> None:
    assert Mixing(1, 2).layer_strengths(4) == (0, 0, 1, 1)
    assert Mixing(1, 2, groups=(("hair", 1.0),)).layer_strengths(4) == (0, 0, 0, 0)
    assert Mixing(1, 2, field_strengths=(0.0, 1.0)).layer_strengths(4) == (0, 0, 0, 0)
    assert Mixing(1, strengths=(0.5, 1), groups=(("hair", 1.0),)).layer_strengths(2) == (0.5, 1)


def test_field_strengths_must_fit_the_model() -> None:
    assert Mixing(1).film_strengths(3) == (0, 0, 0)
    assert Mixing(None, field_strengths=(1.0,)).film_strengths(3) == (0, 0, 0)
    assert Mixing(1, field_strengths=(0.0, 0.5, 1.0)).film_strengths(3) == (0, 0.5, 1)
    with pytest.raises(InputError, match="2 field strengths; this model's field has 3"):
        Mixing(1, field_strengths=(0.0, 1.0)).film_strengths(3)
    for wrong in ({"groups": (("hair", 1.5),)}, {"field_strengths": (-0.1,)}):
        with pytest.raises(InputError, match="strength"):
            Mixing(1, **wrong)  # type: ignore[arg-type]


def test_the_field_depends_on_its_own_part_only() -> None:
    assert Mixing(3, 0).of_field == Mixing(4, 2, (1.0,)).of_field == Mixing()
    hair = Mixing(3, 1, (0.5,), (("hair", 1.0),))
    assert hair.of_field == Mixing(3, groups=(("hair", 1.0),)) != Mixing(4).of_field
    color = Mixing(3, field_strengths=(0.0, 0.0, 1.0))
    assert color.of_field != Mixing()


def test_sessions_keep_groups_and_sessions_of_before_still_open() -> None:
    mixing = Mixing(9, 1, (0.0, 1.0), (("skin", 0.5), ("hair", 1.0)), (0.0, 0.25, 1.0))
    scene = Scene(mixing=mixing)
    assert Scene.from_json(scene.to_json()) == scene
    assert scene.mixing.groups[0][0] == "hair", "sorted"
    before = json.loads(Scene().to_json())
    before["mixing"] = {"seed": 2, "crossover": 1, "strengths": []}
    assert Scene.from_document(before).mixing == Mixing(2, 1)
