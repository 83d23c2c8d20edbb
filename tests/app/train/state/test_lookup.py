"""A look-up asks its question again when the question changes or is due."""

from __future__ import annotations

from collections.abc import Iterator

from app.train.state.lookup import Lookup
from tests.waiting import wait_until


def test_a_question_is_answered_once_and_again_when_it_is_due() -> None:
    asked: list[str] = []

    def work(question: str) -> Iterator[str]:
        asked.append(question)
        if question == "bad":
            raise ValueError("no answer")
        yield f"{question}!"

    lookup: Lookup[str, str] = Lookup("questions", work)

    def tick(question: str) -> None:
        wait_until(lambda: lookup.tick(question))

    try:
        tick("a")
        assert lookup.answer == "a!"
        assert not lookup.tick("a")
        assert lookup.tick("b") or lookup.answer in ("a!", "b!"), "an old answer until the new one"
        tick("bad")
        assert lookup.answer is None
        assert isinstance(lookup.error, ValueError)
        if not lookup.tick("a"):
            assert lookup.error is None, "the error of an earlier question"
        lookup.tick(None)
        assert (lookup.answer, lookup.error) == (None, None)
        tick("c")
        count = len(asked)
        if not lookup.tick("c", again=True):
            tick("c")
        assert len(asked) == count + 1
    finally:
        lookup.close()


def test_a_question_that_is_always_due_is_asked_again() -> None:
    count = 0

    def work(question: str) -> Iterator[int]:
        nonlocal count
        count += 1
        yield count

    lookup: Lookup[str, int] = Lookup("counter", work, every=0.0)
    try:
        wait_until(lambda: (lookup.answer or 0) >= 3, lambda: lookup.tick("how many?"))
    finally:
        lookup.close()
