"""Wrong command lines: each is answered by one sentence that names the word and what to do."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from app import program
from app.command_line.parser_messages import empty_word, overwritten_input

_EMPTY = "stands an empty word, such as a shell makes of an unset variable."


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ("render --seed 1.5 --out a.png", "--seed takes a whole number, not '1.5'."),
        ("turntable --frames 1.5 --out a.gif", "--frames takes a whole number, not '1.5'."),
        ("render --psi x --out a.png", "--psi takes a number, not 'x'."),
        ("turntable --fps x --out a.gif", "--fps takes a number, not 'x'."),
        ("render --seed --out a.png", "--seed needs a value."),
        ("sheet --of x --out a.png", "--of takes seeds, edits, range, morph, not 'x'."),
        ("render --sede 4 --out a.png", "render has no option --sede; perhaps --seed."),
        ("render --base --out a.png", "render has no option --base; batch, mesh have it."),
        ("batch --sed 1 --out b --png", "batch has no option --sed."),
        ("batch --png", "batch needs --out, --seeds."),
        ("open", "open needs a name or path."),
        ("models fetch", "models fetch needs --model."),
        ("models export --out a.pt", "models export needs --model."),
        ("models export a --model b --out a.pt", "models export does not take the word 'a'."),
        ("models list heads", "models list does not take the word 'heads'."),
        ("batch --seeds 1 2 --out b", "batch does not take the word '2'."),
        ("models", "models needs the name of a command: list, fetch, export, directions."),
        ("models nope", "There is no command models nope; known: list, fetch, export, directions."),
        (
            "--model heads-gan",
            "Before --model belongs the name of a command: `stylesdf-studio open` opens the window "
            "on a model or a session.",
        ),
        ("demo --out ''", f"After --out {_EMPTY}"),
        ("demo --out=", f"After --out {_EMPTY}"),
    ],
)
def test_a_wrong_word_is_named_in_one_sentence(
    words: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(shlex.split(words)) == program.USER_MISTAKE
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"stylesdf-studio: {sentence}")
    assert not (rest := line.partition(sentence)[2]) or rest.endswith(" --help.")


def test_words_that_are_empty_in_part_only_are_left_alone() -> None:
    assert empty_word(["models", "directions", "heads", "--rename", "w1="]) is None
    assert empty_word(["render", "", "--out", "a.png"]) == f"On the command line {_EMPTY}"


@pytest.mark.parametrize(
    "words",
    [
        "render --background {file} --out {file}",
        "render --latent {file} --out={file}",
        "compare --other.latent={file} --out {file}",
        "invert --photo other.png {file} --out a.json --compare {folder}/../{name}/a.png",
    ],
)
def test_a_file_that_is_read_is_not_overwritten(
    words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(b"a photograph")
    filled = words.format(file=file, folder=tmp_path, name=tmp_path.name)
    assert program.main(filled.split()) == program.USER_MISTAKE
    assert "would be read and overwritten" in capsys.readouterr().err
    assert file.read_bytes() == b"a photograph"


def test_a_session_may_be_replaced_by_what_is_made_from_it(tmp_path: Path) -> None:
    file = tmp_path / "a.png"
    file.touch()
    assert overwritten_input(["render", "--scene", str(file), "--out", str(file)]) is None
    assert overwritten_input(["render", "--background", "none", "--out", str(file)]) is None
