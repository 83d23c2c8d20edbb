"""The command line as a whole: messages that belong to no single command."""

from __future__ import annotations

from pathlib import Path

import pytest

from app import program
from app.state.settings import SettingsStore
from app.studio import Studio, run
from stylesdf_core.progress import Operation, Progress
from stylesdf_core.scene.animation import Animation
from stylesdf_core.scene.scene import Identity, Scene


def test_without_a_display_the_message_lists_the_commands(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "has_display", lambda: False)
    assert program.main([]) == program.FAILED
    message = capsys.readouterr().err
    assert "the commands render, mesh, turntable" in message
    for name in ("models", "dataset", "train", "recipe"):
        assert f", {name}" in message
    assert "open, " not in message


def test_a_cancelled_command_promises_no_more_than_it_keeps(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_run", interrupted)
    assert program.main(["models", "list"]) == program.INTERRUPTED
    assert "no incomplete file has its final name" in capsys.readouterr().err


def test_a_command_that_runs_out_of_memory_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def short_of_memory(*_: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(program, "_run", short_of_memory)
    assert program.main(["models", "list"]) == program.FAILED
    assert capsys.readouterr().err.count("\n") == 1


def _steps() -> Operation[str]:
    yield Progress(1, 4, "sdf: renderer")
    yield Progress(2, 4, "sdf: renderer")
    yield Progress(4, 4)
    return "table"


@pytest.mark.parametrize("quiet", [False, True])
def test_progress_in_a_log_is_lines_unless_asked_to_be_quiet(
    quiet: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "_LOG_EVERY", 0.0)
    assert program._run(_steps(), quiet) == "table"
    lines = capsys.readouterr().err.splitlines()
    assert lines == ([] if quiet else [" 25% sdf: renderer", " 50% sdf: renderer"])


@pytest.mark.parametrize("signalled", [False, True])
def test_the_window_ends_the_process_even_after_a_signal(
    signalled: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []

    def run(*_: object) -> int:
        if signalled:
            raise KeyboardInterrupt
        return program.DONE

    monkeypatch.setattr(program, "has_display", lambda: True)
    monkeypatch.setattr("app.studio.run", run)
    monkeypatch.setattr(program, "end_if_busy", ended.append)
    expected = program.INTERRUPTED if signalled else program.DONE
    assert program.main([]) == expected
    assert ended == [expected]


def test_the_window_remembers_the_last_failures_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    studio = Studio(SettingsStore(tmp_path))

    def fail() -> None:
        raise ValueError("unforeseen")

    for _ in range(50):
        studio._guarded(fail)
    assert len(studio.workbench.messages.failures) == 20
    assert capsys.readouterr().err.count("ValueError: unforeseen") == 50
    studio.close()


def test_a_model_on_the_command_line_leaves_the_last_session_to_undo(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = SettingsStore(tmp_path)
    store.save_autosave(Scene(identity=Identity(9)), Animation())
    seen = []

    def step(studio: Studio) -> bool:
        document = studio.workbench.document
        seen.append(document.scene)
        document.undo()
        seen.append(document.scene)
        return False

    monkeypatch.setattr("app.studio.SettingsStore", lambda: store)
    monkeypatch.setattr(Studio, "open", lambda self: None)
    monkeypatch.setattr(Studio, "step", step)
    run("heads-gan", None)
    assert seen == [Scene(model="heads-gan"), Scene(identity=Identity(9))]


@pytest.mark.parametrize(
    "words",
    [
        "render --out {out} --model {long}",
        "render --out {out} --scene {long}",
        "render --out {out} --latent {long}",
        "render --out {long}.png",
        "mesh --out {out} --model {long}/x.pt",
        "dataset check --data {long}",
        "evaluate --model heads --data . --json {folder}",
        "bench --json {folder}",
        "bench --profile {folder}",
        "open {long}",
    ],
)
def test_paths_that_cannot_be_are_refused_at_once(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "has_display", lambda: True)
    names = {"long": "m" * 5000, "out": tmp_path / "a.glb", "folder": tmp_path}
    if words.startswith("render"):
        names["out"] = tmp_path / "a.png"
    assert program.main(words.format(**names).split()) == program.USER_MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert len(line) < 500


@pytest.mark.parametrize("words", ["models export {} --out a.pt --half", "models fetch {}",
                                   "models directions {} --rename w1=age w2=hair"])  # fmt: skip
def test_a_model_is_named_by_its_flag_or_at_once(words: str) -> None:
    request, flag = (program._parse(words.format(x).split()) for x in ("heads", "--model heads"))
    assert request == flag
    assert request.model == "heads"


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("render", "trained from -2.5 to 2.5, at most -3.5 to 3.5."),  # of a function's argument
        ("render", "both are NaN beside the head)."),  # of a dataclass's field
        ("render", "edge is 0.24): 0 is the skin"),
        ("invert", "or marked by --eyes and --mouth."),  # of a description
        ("train renderer --preset tiny", "equal to `thumb_size` for a model"),
    ],
)
def test_help_has_the_lines_of_the_terminal_not_of_the_source(
    words: str, sentence: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "1000")
    with pytest.raises(SystemExit):
        program.main([*words.split(), "--help"])
    assert sentence in capsys.readouterr().out
