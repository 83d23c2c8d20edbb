"""The resolution of pictures during a motion, and the end of a motion."""

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


def test_the_finest_edge_comes_first_and_stays_within_the_budget() -> None:
    assert planner_after(0.8, 10) == [64] * 10
    assert planner_after(1.2, 10) == [64] * 10  # a little over is no reason to change


def test_too_costly_edges_are_left() -> None:
    assert planner_after(1.6, 10) == [64] + [48] * 9  # 48² costs 0.9
    assert planner_after(50.0, 10) == [64, 48] + [32] * 8


def test_an_edge_that_was_left_is_tried_again_less_and_less_often() -> None:
    tries = [index for index, edge in enumerate(planner_after(1.6, 200)) if edge == 64]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert tries[0] == 0
    assert gaps == sorted(gaps)
    assert gaps[0] < 25
    assert gaps[-1] > 60


def test_a_slow_first_pass_does_not_rule_out_an_edge() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    planner.edge()
    planner.measured(64, 20.0)
    assert planner_after(0.8, 60, planner)[-20:] == [64] * 20


def test_an_edge_comes_back_once_it_is_cheap() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    assert planner_after(1.6, 4, planner)[-1] == 48
    for _ in range(20):  # measured where a motion has rested
        planner.measured(64, 0.5)
    assert planner.edge() == 64


def test_between_the_bounds_the_edge_does_not_flicker() -> None:
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


def test_times_of_other_edges_are_ignored() -> None:
    planner = PassPlanner(EDGES, budget=1.0)
    planner.measured(256, 9.0)
    assert planner.edge() == 64


def rests(changes: str) -> str:
    """One mark a frame: x where something changes; the answer marks the frames at rest."""
    rest = RestDetector()
    return "".join("r" if rest.frame(changed=mark == "x") else "-" for mark in changes)


def test_a_quick_motion_ends_with_the_first_still_frame() -> None:
    assert rests("..xxxx..") == "rr----rr"


def test_a_slow_motion_is_not_taken_for_many_motions() -> None:
    assert rests("x..x..x..x....") == "-rr-" + "-" * 8 + "rr"
    assert rests("x.x.x.x...") == "-r-----" + "-rr"


def test_a_very_slow_motion_is_a_row_of_rests() -> None:
    assert rests("x......x......x..") == "-rrrrrr-rrrrrr-rr"
