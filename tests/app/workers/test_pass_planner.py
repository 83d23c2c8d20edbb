"""The level of pictures during a motion, and the end of a motion."""

from __future__ import annotations

import itertools

import pytest

from app.workers.pass_planner import MovingBudget, PassPlanner
from app.workers.schedule import RestDetector
from stylesdf_core.engine.levels import Level, levels, volume_level
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.model import load_model

VOLUMES = tuple(map(volume_level, (32, 48, 64)))
L32, L48, L64 = VOLUMES
HALF, WHOLE, AREA = Level(64, 128), Level(64, 256), Level(128, 256)
#: Milliseconds of the shipped model's passes in motion on two cores, see SPEED.md.
SHIPPED = {L32: 8.0, L48: 13.0, L64: 20.0, HALF: 33.0, WHOLE: 45.0, AREA: 120.0}


def planner_after(
    cost_of_64: float, passes: int, planner: PassPlanner | None = None
) -> list[Level]:
    """The volume renders chosen while a pass costs by its pixels."""
    planner = planner or PassPlanner(VOLUMES)
    chosen = []
    for _ in range(passes):
        chosen.append(planner.level(1.0))
        planner.measured(chosen[-1], cost_of_64 * (chosen[-1].rays / 64) ** 2)
    return chosen


def test_the_finest_volume_render_comes_first_and_stays_within_the_budget() -> None:
    assert planner_after(0.8, 10) == [L64] * 10
    assert planner_after(1.2, 10) == [L64] * 10  # a little over is no reason to change


def test_too_costly_levels_are_left() -> None:
    assert planner_after(1.6, 10) == [L64] + [L48] * 9  # 48² costs 0.9
    assert planner_after(50.0, 10) == [L64, L48] + [L32] * 8


def test_a_level_that_was_left_is_tried_again_less_and_less_often() -> None:
    tries = [index for index, level in enumerate(planner_after(1.6, 200)) if level == L64]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert tries[0] == 0
    assert gaps == sorted(gaps)
    assert gaps[0] < 25
    assert gaps[-1] > 60


def test_a_slow_first_pass_does_not_rule_out_a_level() -> None:
    planner = PassPlanner(VOLUMES)
    planner.level(1.0)
    planner.measured(L64, 20.0)
    assert planner_after(0.8, 60, planner)[-20:] == [L64] * 20


def test_a_level_comes_back_once_it_is_cheap() -> None:
    planner = PassPlanner(VOLUMES)
    assert planner_after(1.6, 4, planner)[-1] == L48
    for _ in range(20):  # measured where a motion has rested
        planner.measured(L64, 0.5)
    assert planner.level(1.0) == L64


def test_between_the_bounds_the_level_does_not_flicker() -> None:
    planner = PassPlanner(VOLUMES)
    for noisy in (0.85, 1.2) * 20:
        assert planner.level(1.0) == L64
        planner.measured(L64, noisy)
    for _ in range(20):
        planner.measured(L64, 1.5)
    assert planner.level(1.0) == L48
    for noisy in (0.95, 1.2) * 4:
        planner.measured(L48, noisy)
        assert planner.level(1.0) == L48


def test_times_of_other_levels_are_ignored() -> None:
    planner = PassPlanner(VOLUMES)
    planner.measured(WHOLE, 9.0)
    assert planner.level(1.0) == L64


def shipped_levels(device: str = "cpu") -> tuple[Level, ...]:
    return levels(load_model("heads").generator.config, "image", device)


def motion(planner: PassPlanner, speed: float, pictures: int, budget: float = 30.0) -> list[Level]:
    """Levels of a motion on a machine ``speed`` times as fast as the one measured."""
    chosen = []
    for _ in range(pictures):
        chosen.append(planner.level(budget))
        planner.measured(chosen[-1], SHIPPED[chosen[-1]] / speed)
    return chosen


def rest(planner: PassPlanner, speed: float) -> None:
    """The passes of a picture at rest after a volume render of 64²."""
    planner.measured(WHOLE, SHIPPED[WHOLE] / speed)


@pytest.mark.parametrize(
    ("speed", "device", "expected"),
    [
        (0.25, "cpu", L32),
        (0.5, "cpu", L48),
        (1, "cpu", L64),
        (1.4, "cpu", HALF),
        (2, "cpu", WHOLE),
        (4, "cpu", WHOLE),
        (4, "cuda", WHOLE),
        (8, "cuda", AREA),
    ],
)
def test_a_faster_machine_shows_a_finer_level(speed: float, device: str, expected: Level) -> None:
    planner = PassPlanner(shipped_levels(device))
    motion(planner, speed, 30)
    rest(planner, speed)
    chosen = motion(planner, speed, 100)
    assert chosen.count(expected) >= 90
    changes = sum(one != other for one, other in itertools.pairwise(chosen))
    assert changes <= 10  # a trial of the next level is two


def test_a_fast_machine_decodes_from_the_first_motion_on() -> None:
    assert motion(PassPlanner(shipped_levels()), 4, 20)[3:] == [WHOLE] * 17


def test_a_hopeless_level_is_not_tried_again_and_again() -> None:
    """A decoder to 1024² that takes a third of a second would stop the motion for as long."""
    full = levels(GeneratorConfig(), "image", "cpu")
    planner = PassPlanner(full)
    costs = dict(zip(full, (24.0, 30.0, 34.0, 210.0, 400.0), strict=True))
    chosen = []
    for _ in range(400):
        chosen.append(planner.level(30.0))
        planner.measured(chosen[-1], costs[chosen[-1]])
    assert sum(level.image > 0 for level in chosen) <= 2


def test_levels_are_those_of_model_view_and_device() -> None:
    config = load_model("heads").generator.config
    assert shipped_levels() == (*VOLUMES, HALF, WHOLE)
    assert shipped_levels("cuda") == (*VOLUMES, HALF, WHOLE, AREA)
    assert levels(config, "depth", "cuda") == VOLUMES
    small = GeneratorConfig(thumb_size=32, output_size=64)
    assert levels(small, "image", "cpu") == (L32, Level(32, 64))
    assert levels(GeneratorConfig(thumb_size=64, output_size=64), "image", "cpu") == VOLUMES
    work = [level.work for level in shipped_levels("cuda")]
    assert work == sorted(work)


def test_the_budget_is_what_drawing_leaves_of_the_wanted_rate() -> None:
    budget = MovingBudget()
    assert budget.seconds("balanced") == pytest.approx(1 / 24)
    for _ in range(200):
        budget.drawn(0.01)
    paces = ("fluid", "balanced", "sharp")
    assert [budget.seconds(pace) for pace in paces] == pytest.approx(  # type: ignore[arg-type]
        [1 / 40 - 0.01, 1 / 24 - 0.01, 0.09], abs=1e-6
    )
    budget.speed = 4.0
    assert budget.seconds("balanced") == pytest.approx(4 * (1 / 24 - 0.01), abs=1e-6)
    for _ in range(200):
        budget.drawn(1.0)
    assert budget.seconds("sharp") == pytest.approx(4 * 0.05)  # drawing never takes all


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
