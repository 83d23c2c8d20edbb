"""The alarm: news and input end the main loop's sleep at once."""

from __future__ import annotations

import os
import threading
import time

import pytest

from app.workers.concurrency import alarm
from app.workers.concurrency.alarm import Alarm


def test_without_news_and_input_the_time_is_slept() -> None:
    start = time.monotonic()
    assert not Alarm().wait(0.03)
    assert time.monotonic() - start >= 0.03


def test_news_of_another_thread_ends_the_sleep() -> None:
    news = Alarm()
    threading.Timer(0.01, news.set).start()
    for _ in range(100):
        news.wait(10.0)
        if news.is_set():
            return
    raise AssertionError("the news have not come")


def test_cleared_news_do_not_end_the_next_sleep() -> None:
    news = Alarm()
    for _ in range(100_000):  # more than a socket holds
        news.set()
    news.clear()
    start = time.monotonic()
    news.wait(0.03)
    assert time.monotonic() - start >= 0.03


def test_input_ends_the_sleep_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    display, server = os.pipe()
    monkeypatch.setattr(alarm.sys, "platform", "linux")
    monkeypatch.setattr(alarm, "_display_sockets", lambda: [display])
    news = Alarm()
    news.watch_display()
    os.write(server, b"motion")
    start = time.monotonic()
    assert news.wait(10.0)
    assert time.monotonic() - start < 5.0
    assert not news.wait(0.01, for_input=False), "while the mouse moves, pictures set the pace"
    os.close(display)
    os.close(server)
