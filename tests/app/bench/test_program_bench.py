"""`bench` puts the window's rows after the engine's rows, without measuring any here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.bench import command as bench
from app.bench import studio_bench
from app.bench.command import ProgramBench
from app.bench.studio_bench import chosen_names
from app.program import _parse as parse
from stylesdf_core.errors import GraphicsError, InputError
from stylesdf_core.evaluation.bench import rows
from stylesdf_core.evaluation.bench.machine import Machine
from stylesdf_core.evaluation.bench.speed_report import SHORT, SpeedReport
from stylesdf_core.evaluation.reports.report import Figure, card_marks
from stylesdf_core.progress import Progress, drain

MACHINE = Machine("A processor", 2, 2, "AVX2", "2.6.0", "cpu", "float32", "float32", False, 0.1)
ENGINE = Figure("heads.first_pass", "first pass", 12.0, "ms", high=15.0)
WINDOW = Figure("studio.memory", "memory", 400.0, "MiB")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """A display, and both parts replaced; gathers what each was asked for."""
    calls: list[tuple[Any, ...]] = []

    def engine(only: tuple[str, ...], *_: Any) -> Iterator[Progress]:
        yield Progress(0, 1, "engine")
        if not rows.chosen_rows(only):
            return SpeedReport(MACHINE, (), ())
        calls.append(("engine", only))
        return SpeedReport(MACHINE, (), (ENGINE,))

    def window(only: tuple[str, ...], **options: Any) -> Iterator[Progress]:
        calls.append(("window", only, options))
        yield Progress(0, 1, "window")
        return (WINDOW,)

    monkeypatch.setattr(rows, "run_bench", engine)
    monkeypatch.setattr(studio_bench, "studio_figures", window)
    monkeypatch.setattr(bench, "has_display", lambda: True)
    return calls


def test_both_parts_come_in_one_report(asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    begin, end = card_marks("bench")
    card, out = tmp_path / "README.md", tmp_path / "bench.json"
    card.write_text(f"{begin}\nold\n{end}\n", encoding="utf-8")
    short = tmp_path / "short.md"
    short.write_text("{}\nold\n{}\n".format(*card_marks("bench", short=True)), encoding="utf-8")
    report = drain(ProgramBench(quick=True, device="cpu", json=out, card=(card, short)).run())
    assert report.figures == (ENGINE, WINDOW)
    assert report.notes == ()
    options = {"quick": True, "device": "cpu", "while_moving": "balanced"}
    assert asked == [("engine", ()), ("window", chosen_names(), options)]
    data = json.loads(out.read_text(encoding="utf-8"))
    assert [row["name"] for row in data["results"]] == ["heads.first_pass", "studio.memory"]
    text = card.read_text(encoding="utf-8")
    assert "| studio.memory | memory | 400.00 MiB |" in text
    assert "old" not in text
    text = short.read_text(encoding="utf-8")
    assert "| first pass (`heads.first_pass`) |  | 12.00 ms |  | ≤ 15 ms |" in text
    assert "studio.memory" not in text
    assert "old" not in text


def test_rows_of_either_part_can_be_chosen(asked: list[tuple[Any, ...]]) -> None:
    chosen: tuple[tuple[str, ...], ...] = (("full.", "studio.orbit"), ("heads",), ("studio",))
    keys = [[f.key for f in drain(ProgramBench(only=only).run()).figures] for only in chosen]
    assert [call[:2] for call in asked] == [
        ("engine", ("full.", "studio.orbit")),
        ("window", chosen_names(("studio.orbit",))),
        ("engine", ("heads",)),
        ("window", chosen_names()),
    ]
    assert keys == [[ENGINE.key, WINDOW.key], [ENGINE.key], [WINDOW.key]]


def test_without_a_display_a_note_says_so(
    asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench, "has_display", lambda: False)
    report = drain(ProgramBench().run())
    assert report.figures == (ENGINE,)
    assert "run bench under xvfb-run or a desktop" in str(report)
    assert drain(ProgramBench(only=("heads",)).run()).notes == ()
    with pytest.raises(GraphicsError, match="No display"):
        drain(ProgramBench(only=("studio",)).run())
    assert {call[0] for call in asked} == {"engine"}


def test_a_window_that_fails_does_not_cost_the_engines_rows(
    asked: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Iterator[Progress]:
        yield Progress(0, 1, "window")
        raise GraphicsError("The studio could not be measured: it died")

    monkeypatch.setattr(studio_bench, "studio_figures", broken)
    report = drain(ProgramBench().run())
    assert (report.figures, report.notes) == (
        (ENGINE,),
        ("The studio could not be measured: it died",),
    )
    assert len(asked) == 1


def test_mistakes_are_named_before_anything_is_measured(
    asked: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    mistakes = {
        r"body matches no row.*heads\.volume64.*studio\.memory": ProgramBench(
            only=("heads", "body")
        ),
        "--profile": ProgramBench(only=("studio",), profile=tmp_path / "profile.txt"),
        "--repeats": ProgramBench(only=("studio",), repeats=0),
        r"card\.md": ProgramBench(card=(tmp_path / "card.md",)),
    }
    for message, request in mistakes.items():
        with pytest.raises(InputError, match=message):
            drain(request.run())
    assert asked == []


def test_the_short_tables_rows_exist() -> None:
    assert set(SHORT) <= set(ProgramBench().row_names())


def test_the_command_line_fills_this_request() -> None:
    command = parse(["bench", "--only", "studio.orbit", "full.", "--quick"])
    assert command == ProgramBench(only=("studio.orbit", "full."), quick=True)
