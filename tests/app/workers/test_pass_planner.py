"""How fine a moving picture is, and when a motion is over."""

from __future__ import annotations

import itertools

from app.workers.schedule import PassPlanner, RestDetector

EDGES = (32, 48, 64)


def planner_after(cost_of_64: float, passes: int, planner: PassPlanner | None = None) -> list[int]:
    """The edges chosen while a pass costs by its pixels."""
    planner = planner or PassPlanner(EDGES, budget=1.0)
    chosen = []
    for _ in range(passes):
        chosen.append(planner.edge())
        planner.measured(chosen[-1], cost_of_64 * (chosen[-1] / 64) ** 2)
    return chosen


def test_the_finest_comes_first_and_stays_where_it_fits() -> None:
    assert planner_after(0.8, 10) == [64] * 10
    assert planner_after(1.2, 10) == [64] * 10  # a little over is no reason to change


def test_too_costly_levels_are_left() -> None:
    assert planner_after(1.6, 10) == [64] + [48] * 9  # 48² costs 0.9
    assert planner_after(50.0, 10) == [64, 48] + [32] * 8


def test_a_level_left_is_tried_again_ever_more_rarely() -> None:
    tries = [index for index, edge in enumerate(planner_after(1.6, 200)) if edge == 64]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert tries[0] == 0
    assert gaps == sorted(gaps)
    assert gaps[0] < 25
    assert gaps[-1] > 60


def test_the_cost_of_warming_up_is_not_held_against_a_level() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    planner.edge()
    planner.measured(64, 20.0)
    assert planner_after(0.8, 60, planner)[-20:] == [64] * 20


def test_a_level_comes_back_once_it_is_cheap() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    assert planner_after(1.6, 4, planner)[-1] == 48
    for _ in range(20):  # measured where a motion has rested
        planner.measured(64, 0.5)
    assert planner.edge() == 64


def test_between_the_bounds_nothing_flickers() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    for noisy in (0.85, 1.2) * 20:
        assert planner.edge() == 64
        planner.measured(64, noisy)
    for _ in range(20):
        planner.measured(64, 1.5)
    assert planner.edge() == 48
    for noisy in (0.95, 1.2) * 4:
        planner.measured(64, noisy)
        assert planner.edge() == 48


def test_other_edges_are_no_measure() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    planner.measured(256, 9.0)
    assert planner.edge() == 64


def rests(changes: str) -> str:
    """One mark a frame: x where something changes; the answer marks the frames at rest."""
    rest = RestDetector()
    return "".join("r" if rest.frame(changed=mark == "x") else "-" for mark in changes)


def test_a_quick_motion_ends_with_the_first_still_frame() -> None:
    assert rests("..xxxx..") == "rr----rr"


def test_a_slow_motion_is_not_taken_for_many() -> None:
    assert rests("x..x..x..x....") == "-rr-" + "-" * 8 + "rr"
    assert rests("x.x.x.x...") == "-r-----" + "-rr"


def test_a_very_slow_motion_is_a_row_of_rests() -> None:
    assert rests("x......x......x..") == "-rrrrrr-rrrrrr-rr"
