"""The contact sheet's page: which faces are rendered, when, and what is kept."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from app.state.pictures import contact_sheet
from app.state.pictures.contact_sheet import ContactSheet
from stylesdf_core.scene.scene import Identity, Scene
from stylesdf_core.scene.sheet import Sheet
from tests.models import tiny_model
from tests.waiting import wait_until

MODEL = tiny_model()
FIRST = Scene(identity=Identity(10))


@pytest.fixture
def may_work() -> threading.Event:
    event = threading.Event()
    event.set()
    return event


@pytest.fixture
def sheet(may_work: threading.Event) -> Iterator[ContactSheet]:
    sheet = ContactSheet(threading.Event(), may_work.is_set)
    sheet.begin(FIRST)
    yield sheet
    sheet.close()


def run_until(sheet: ContactSheet, condition: Callable[[], bool]) -> None:
    wait_until(condition, lambda: sheet.tick("cpu"))


def test_the_visible_faces_fill_coarse_to_fine(sheet: ContactSheet) -> None:
    sheet.show(MODEL, Sheet(columns=2), "image", range(2, 6), 90)
    seen = []

    def is_filled() -> bool:
        cell = sheet.cell(2)
        if cell is not None and cell.thumbnail is not None:
            seen.append(cell.thumbnail.is_final)
        return sheet.progress == (4, 4)

    run_until(sheet, is_filled)
    assert not seen[0]
    cell = sheet.cell(3)
    assert cell is not None
    assert cell.thumbnail is not None
    assert cell.scene.identity.seed == 13
    assert cell.label == "13"
    assert cell.thumbnail.pixels is not None
    assert cell.thumbnail.pixels.shape == (96, 96, 3)


def test_nothing_is_rendered_while_something_moves(
    sheet: ContactSheet, may_work: threading.Event
) -> None:
    may_work.clear()
    sheet.show(MODEL, Sheet(), "image", range(4), 96)
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        sheet.tick("cpu")
    assert all((cell := sheet.cell(i)) and cell.thumbnail is None for i in range(4))
    may_work.set()
    run_until(sheet, lambda: sheet.progress[0] == 4)


def test_another_page_begins_anew(sheet: ContactSheet) -> None:
    sheet.show(MODEL, Sheet(), "image", range(2), 96)
    run_until(sheet, lambda: sheet.progress[0] == 2)
    sheet.begin(Scene(identity=Identity(50)))
    assert sheet.progress == (0, 2)
    run_until(sheet, lambda: sheet.progress[0] == 2)
    cell = sheet.cell(0)
    assert cell is not None
    assert cell.scene.identity.seed == 50


def test_a_page_that_cannot_be_made_says_why(sheet: ContactSheet) -> None:
    sheet.show(MODEL, Sheet("range", direction="nose"), "image", range(2), 96)
    assert sheet.cell(0) is None
    assert "no latent direction 'nose'" in sheet.problem
    sheet.show(MODEL, Sheet("seeds"), "image", range(2), 96)
    assert sheet.problem == ""
    assert sheet.cell(0) is not None


def test_pictures_far_from_the_visible_part_are_forgotten(
    sheet: ContactSheet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_sheet, "_KEPT", 40)
    for start in range(0, 400, 10):
        sheet.show(MODEL, Sheet(), "image", range(start, start + 10), 96)
        for index in range(start, start + 10):
            assert sheet.cell(index) is not None
    assert len(sheet._cells) <= 41


def test_cells_of_one_scene_share_its_picture(sheet: ContactSheet) -> None:
    sheet.show(MODEL, Sheet("morph", columns=2), "image", range(6), 96)
    run_until(sheet, lambda: sheet.progress == (6, 6))
    cells = [sheet.cell(index) for index in (0, 2, 4)]
    assert {cell.scene for cell in cells if cell} == {FIRST}, "each row begins with the same face"
    assert len({cell.thumbnail for cell in cells if cell}) == 1
