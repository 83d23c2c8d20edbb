"""The level of pictures during a motion, and the end of a motion."""

from __future__ import annotations

import itertools
import random

import pytest

from app.workers.concurrency.schedule import RestDetector
from app.workers.pass_planner import MovingBudget, PassPlanner, WhileMoving
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
    assert planner_after(1.6, 10) == [L64] * 3 + [L48] * 7  # 48² costs 0.9
    assert planner_after(50.0, 10) == [L64, L48] + [L32] * 8


def test_a_level_that_was_left_is_tried_again_less_and_less_often() -> None:
    chosen = planner_after(1.6, 500)
    tries = [i for i in range(1, 500) if chosen[i] == L64 and chosen[i - 1] != L64]
    gaps = [later - earlier for earlier, later in itertools.pairwise(tries)]
    assert gaps == sorted(gaps)
    assert tries[0] < 40
    assert gaps[-1] > 120
    assert chosen.count(L64) < 20


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


def test_a_trial_is_decided_by_several_passes() -> None:
    """One slow pass of a level that there is time for must not end its trial."""
    planner = PassPlanner(VOLUMES)
    chosen = planner_after(1.6, 10, planner)
    chosen += planner_after(0.8, 30, planner)[:20]
    assert chosen[-1] == L48
    while planner.level(1.0) != L64:
        planner.measured(L48, 0.6)
    for seconds in (1.4, 0.8, 0.8, 1.4, 0.8):
        planner.measured(L64, seconds)
        assert planner.level(1.0) == L64


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


def test_where_decoding_is_slow_at_rest_half_of_it_is_not_tried_in_motion() -> None:
    """As on a processor that has no fast 16-bit products: a trial would be a stumble."""
    planner = PassPlanner(shipped_levels())
    planner.measured(WHOLE, 110.0)
    chosen = []
    for _ in range(400):
        chosen.append(planner.level(26.0))
        planner.measured(chosen[-1], {L64: 18.0, HALF: 90.0}[chosen[-1]])
    assert set(chosen) == {L64}


def test_a_new_planner_begins_with_another_s_times_of_decoding() -> None:
    first, second = PassPlanner((*VOLUMES, WHOLE)), PassPlanner(shipped_levels())
    for milliseconds in (100.0, 110.0, 900.0):
        first.measured(WHOLE, milliseconds)
    first.measured(L64, 500.0)  # of a face whose field had to be folded first
    second.expect(first)
    assert second.seconds_of(WHOLE, unknown=0.0) == 110.0
    assert second.seconds_of(HALF, unknown=7.0) == 7.0
    assert second.level(26.0) == L64


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


#: Milliseconds on the bench's machine at rest: drawing a frame, and computing the levels.
DRAWING, AT_REST = 13.0, {L32: 9.5, L48: 15.0, L64: 20.0, HALF: 33.0, WHOLE: 47.0}
#: Frames a second below which the window no longer waits for pictures.
LEAST_FPS = 20


def drag(slower: float, pictures: int = 190, pace: WhileMoving = "balanced") -> list[Level]:
    """Levels of a drag; times scatter, and now and then another process takes a core.

    A picture that takes longer than frames can wait is computed while a frame is drawn, and the
    worker then has a newer request as soon as the picture is done.
    """
    draw = random.Random(1)
    planner, budget = PassPlanner(shipped_levels()), MovingBudget()
    chosen = []
    for _ in range(pictures):
        level = planner.level(budget.seconds(pace))
        pure, drawing = (
            1e-3 * slower * seconds * draw.lognormvariate(0.0, 0.1) * draw.choice((1,) * 12 + (2,))
            for seconds in (AT_REST[level], DRAWING)
        )
        takes_turns = pure + drawing < 1.0 / LEAST_FPS
        budget.drawn(drawing)
        budget.waited(drawing if takes_turns else 0.1 * drawing)
        planner.measured(level, pure if takes_turns else pure + 0.7 * drawing)
        chosen.append(level)
    return chosen


@pytest.mark.parametrize(
    ("slower", "pace", "expected"),
    [
        (1.1, "balanced", L64),
        (1.2, "balanced", L64),
        (3.0, "balanced", L32),
        (1.0, "sharp", WHOLE),
        (0.5, "balanced", WHOLE),
    ],
)
def test_a_drag_shows_one_level_steadily(slower: float, pace: WhileMoving, expected: Level) -> None:
    chosen = drag(slower, 220, pace)[30:]
    assert chosen.count(expected) > 0.9 * len(chosen)
    assert sum(level.pixels < expected.pixels for level in chosen) <= 5


def test_the_budget_is_what_drawing_leaves_of_the_wanted_rate() -> None:
    budget = MovingBudget()
    assert budget.seconds("balanced") == pytest.approx(1 / 22)
    for _ in range(20):
        budget.drawn(0.01)
        budget.waited(0.02)  # for the mouse too, which is nothing that drawing takes
    paces = ("fluid", "balanced", "sharp")
    assert [budget.seconds(pace) for pace in paces] == pytest.approx(  # type: ignore[arg-type]
        [1 / 40 - 0.01, 1 / 22 - 0.01, 0.09]
    )
    budget.speed = 4.0
    assert budget.seconds("balanced") == pytest.approx(4 * (1 / 22 - 0.01))
    for _ in range(20):
        budget.drawn(1.0)
        budget.waited(1.0)
    assert budget.seconds("sharp") == pytest.approx(4 * 0.05)  # drawing never takes all


def test_what_is_drawn_while_a_picture_is_computed_is_not_counted_twice() -> None:
    budget = MovingBudget()
    for _ in range(20):
        budget.drawn(0.02)
        budget.waited(0.001)
    assert budget.seconds("balanced") == pytest.approx(1 / 22 - 0.001)


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
