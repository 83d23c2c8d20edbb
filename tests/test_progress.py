"""Long work made of parts and steps."""

from __future__ import annotations

import pytest

from stylesdf_core.progress import Operation, Progress, Step, drain, duration, part, run_steps


def work() -> Operation[str]:
    yield Progress(1, 4, "one")
    yield Progress(4, 4, "all")
    return "result"


def test_a_part_is_a_share_of_the_whole_and_keeps_its_result() -> None:
    operation = part(work(), 2, 4, 10, "row: ")
    assert next(operation) == Progress(2.5, 10, "row: one")
    assert next(operation) == Progress(4, 10, "row: all")
    assert drain(part(work(), 0, 1, 1)) == "result"


def test_steps_count_by_their_weights() -> None:
    steps = [Step("reading", 1, 2, iter("ab")), Step("drawing", 3, 1, iter("c"))]
    operation = run_steps(steps, after=5)
    found = [(progress.done, progress.message) for progress in operation]
    assert found == [(0, "reading"), (1, "reading"), (2, "reading"), (2, "drawing"), (5, "drawing")]
    assert drain(run_steps([], after=5)) == pytest.approx(5.0)


def test_a_duration_has_the_unit_that_reads_best() -> None:
    said = [duration(seconds) for seconds in (42.4, 1000.0, 9000.0, 216_000.0, 259_200.0)]
    assert said == ["42 s", "17 min", "2.5 h", "60.0 h", "3.0 days"]
