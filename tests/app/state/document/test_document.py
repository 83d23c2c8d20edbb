"""The document: gestures, undo, redo, and what counts as changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from app.state.document.document import Document
from stylesdf_core.scene.scene import Identity, Scene


def seed(number: int) -> Scene:
    return Scene(identity=Identity(number))


def test_a_gesture_is_one_undo_step() -> None:
    document = Document(seed(0))
    for psi in (0.1, 0.2, 0.3):
        document.update(replace(document.scene, truncation_psi=psi))
    document.commit()
    assert document.scene.truncation_psi == 0.3
    document.undo()
    assert document.scene == seed(0)
    assert not document.can_undo
    document.redo()
    assert document.scene.truncation_psi == 0.3
    assert not document.can_redo


def test_undo_in_the_middle_of_a_gesture_takes_it_back() -> None:
    document = Document(seed(0))
    document.apply(seed(1))
    document.update(seed(2))
    assert document.can_undo
    assert not document.can_redo
    document.undo()
    assert document.scene == seed(1)
    document.redo()
    assert document.scene == seed(2)


def test_a_new_change_empties_the_redo_history() -> None:
    document = Document(seed(0))
    document.apply(seed(1))
    document.undo()
    document.apply(seed(2))
    assert not document.can_redo
    document.redo()
    assert document.scene == seed(2)


def test_a_gesture_that_ends_where_it_began_is_no_step() -> None:
    document = Document(seed(0))
    document.update(seed(1))
    document.update(seed(0))
    document.commit()
    assert not document.can_undo
    document.undo()
    assert document.scene == seed(0)


def test_dirty_means_different_from_the_file() -> None:
    document = Document(seed(0))
    assert not document.dirty
    document.apply(seed(1))
    assert document.dirty
    document.saved(Path("face.json"))
    assert not document.dirty
    document.undo()
    assert document.dirty
    document.redo()
    assert not document.dirty


def test_opening_can_be_undone() -> None:
    document = Document(seed(0))
    document.opened(seed(5), Path("five.json"))
    assert document.path == Path("five.json")
    assert not document.dirty
    document.undo()
    assert document.scene == seed(0)
    assert document.path is None


def test_undo_over_an_opened_session_saves_into_the_file_of_the_session_before() -> None:
    document = Document(seed(0))
    document.apply(seed(1))
    document.saved(Path("one.json"))
    document.opened(seed(5), Path("five.json"))
    document.apply(seed(6))
    for _ in range(2):
        document.undo()
    assert (document.scene, document.path, document.dirty) == (seed(1), Path("one.json"), False)
    document.undo()
    assert (document.path, document.dirty) == (Path("one.json"), True)
    for _ in range(3):
        document.redo()
    assert (document.scene, document.path, document.dirty) == (seed(6), Path("five.json"), True)


def test_history_is_bounded() -> None:
    document = Document(seed(0))
    for number in range(1, 700):
        document.apply(seed(number))
    steps = 0
    while document.can_undo:
        document.undo()
        steps += 1
    assert steps == 500
