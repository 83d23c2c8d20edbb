from __future__ import annotations

import json
import math
from dataclasses import dataclass, field
from typing import Any, Literal

import pytest

from stylesdf_core.dataclass_json import check_finite, from_json, to_json
from stylesdf_core.errors import InputError


@dataclass(frozen=True)
class Lens:
    fov: float = 6.0
    kind: Literal["pinhole", "fisheye"] = "pinhole"


@dataclass(frozen=True)
class Shot:
    name: str
    lens: Lens = field(default_factory=Lens)
    count: int = 1
    offsets: tuple[float, ...] = ()
    label: str | None = None


WHOLE: dict[str, Any] = to_json(Shot("a", Lens(7.0), 2, (0.5,), "b"))


def test_a_dataclass_comes_back_equal() -> None:
    assert from_json(Shot, json.loads(json.dumps(WHOLE))) == Shot("a", Lens(7.0), 2, (0.5,), "b")
    assert from_json(Shot, {"name": "a", "count": 3.0}) == Shot("a", count=3)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "shot.json: a required field is missing: name"),
        ({"name": "a", "size": 1}, "shot.json: unknown field 'size'; known: name, lens"),
        ({"name": 1}, r"shot.json\.name: expected str, found 1"),
        ({"name": "a", "count": True}, r"shot.json\.count: expected int, found True"),
        ({"name": "a", "count": 1.5}, r"shot.json\.count: expected int, found 1.5"),
        ({"name": "a", "lens": {"kind": "wide"}}, r"lens\.kind: 'wide' is none of pinhole"),
        ({"name": "a", "lens": {"fov": "1"}}, r"lens\.fov: expected float, found '1'"),
        ({"name": "a", "offsets": [0, math.nan]}, r"offsets\[1\]: nan is not a finite number"),
        ({"name": "a", "lens": {"fov": 10**400}}, "not a finite number"),
        ([], "expected an object with fields, found list"),
    ],
)
def test_a_wrong_document_is_refused_by_its_field(data: Any, message: str) -> None:
    with pytest.raises(InputError, match=message):
        from_json(Shot, data, "shot.json")


def test_a_complete_document_may_lack_no_field_at_any_depth() -> None:
    assert from_json(Shot, WHOLE, complete=True).count == 2
    with pytest.raises(InputError, match=r"count, label.*by default, today: count 1, label None"):
        from_json(Shot, {k: WHOLE[k] for k in ("name", "lens", "offsets")}, "run", complete=True)
    with pytest.raises(InputError, match=r"run\.lens: a required field is missing: kind"):
        from_json(Shot, {**WHOLE, "lens": {"fov": 6.0}}, "run", complete=True)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_numbers_that_are_not_finite_are_refused_by_their_field(value: float) -> None:
    check_finite(Lens(1.0))
    with pytest.raises(InputError, match="fov must be a finite number"):
        check_finite(Lens(value))
    with pytest.raises(InputError, match="offsets must be a finite number"):
        check_finite(Shot("a", offsets=(0.0, value)))
    with pytest.raises(InputError, match="fov must be a finite number"):
        check_finite(Shot("a", lens=Lens(value)))
