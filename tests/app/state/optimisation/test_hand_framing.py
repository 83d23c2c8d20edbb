"""Framing by hand: clicks, drags and the photograph under the outline."""

from __future__ import annotations

import math

import numpy as np
import pytest

from app.state.optimisation.hand_framing import HandFraming
from stylesdf_core.data.frame_presets import FramePreset
from stylesdf_core.errors import InputError
from stylesdf_core.judges.face import FoundFace, usual_marks

SIZE = (400, 300)


def framing() -> HandFraming:
    return HandFraming(SIZE, "heads")


def test_a_photograph_without_face_begins_with_the_largest_square_in_its_middle() -> None:
    frame = framing().frame
    np.testing.assert_allclose(frame.middle, (200.0, 150.0), atol=1e-6)
    np.testing.assert_allclose(frame.right, (150.0, 0.0), atol=1e-6)


def test_clicked_marks_stay_on_the_photograph_when_it_is_scaled_between_clicks() -> None:
    own = framing()
    own.begin_clicks()
    points = [(150, 140), (180, 140), (165, 170)]
    for number, point in enumerate(points):
        x, y = own.frame.inside(np.array(point, float))
        own.click(complex(x, y))
        if number < 2:
            own.scale(1.5)
            own.turn(0.1)
    np.testing.assert_allclose(own.marks, points, atol=1e-6)


@pytest.mark.parametrize("preset", ["heads", "ffhq"])
def test_marks_where_the_mean_heads_are_give_back_the_frame(preset: FramePreset) -> None:
    own = HandFraming(SIZE, preset)
    places = own.frame.inside(own.marks)
    np.testing.assert_allclose(places, usual_marks(preset), atol=1e-6)
    assert FoundFace.of_marks(own.marks).frame(preset).edge == pytest.approx(own.frame.edge)


def test_the_photograph_moves_turns_and_grows_under_the_outline() -> None:
    own = framing()
    own.scale(2.0)
    assert own.frame.edge == pytest.approx(150.0)
    own.move(0.2 + 0.1j)  # to the right and down: the frame goes to the left and up
    np.testing.assert_allclose(own.frame.middle, (200.0 - 15.0, 150.0 - 7.5), atol=1e-6)
    own.turn(math.pi / 2)
    assert own.frame.roll == pytest.approx(-math.pi / 2)
    np.testing.assert_allclose(own.frame.middle, (185.0, 142.5), atol=1e-6)


def test_the_marks_stay_in_the_photograph() -> None:
    own = framing()
    before = own.marks
    own.move(5.0)
    np.testing.assert_array_equal(own.marks, before)


def test_three_clicks_frame_the_photograph() -> None:
    own = framing()
    own.begin_clicks()
    frame = own.frame
    for number, point in enumerate([(180, 140), (150, 140), (165, 170)]):  # eyes in any order
        assert own.next_mark == number
        x, y = frame.inside(np.array(point, float))
        own.click(complex(x, y))
    assert own.next_mark is None
    np.testing.assert_allclose(own.marks, [(150, 140), (180, 140), (165, 170)], atol=1e-6)
    assert own.frame.edge < frame.edge


def test_clicks_on_a_line_are_refused_and_change_nothing() -> None:
    own = framing()
    before = own.marks
    own.begin_clicks()
    own.click(-0.1)
    own.click(0.0)
    with pytest.raises(InputError, match="on one line"):
        own.click(0.1)
    np.testing.assert_array_equal(own.marks, before)
    assert own.next_mark is None


def test_a_dragged_mark_frames_the_photograph_when_it_is_dropped() -> None:
    own = framing()
    place, frame = own.shown[0], own.frame
    assert not own.grab(0.9 + 0.9j, 0.05)
    assert own.grab(place + 0.01, 0.05)
    own.drag(place - 0.1)
    assert own.shown[0] == place - 0.1
    assert own.frame == frame
    own.drop()
    assert own.frame != frame
    assert own.marks[0][0] == pytest.approx(frame.point(place.real - 0.1, place.imag)[0])
