"""Small pictures: which ones of a request that was replaced still count."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from app.workers.thumbnails import Thumbnail, ThumbnailRequest, Thumbnails
from stylesdf_core.engine import passes
from stylesdf_core.engine.engine import Engine
from stylesdf_core.engine.passes import RenderPass
from stylesdf_core.scene.scene import Scene, View
from tests.models import tiny_model


def test_a_pass_that_ends_after_its_request_was_replaced_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Another view of the same scene would be shown as the view that was asked for."""
    begun, may_end, news = threading.Event(), threading.Event(), threading.Event()
    real = passes.passes

    def slow(engine: Engine, scene: Scene, view: View) -> Iterator[RenderPass]:
        for made in real(engine, scene, view):
            if view == "image" and made.final:
                begun.set()
                assert may_end.wait(10.0)
            yield made

    monkeypatch.setattr(passes, "passes", slow)
    request = ThumbnailRequest(tiny_model(), "cpu", "image", 32, (), (Scene(),))
    thumbnails = Thumbnails(news, lambda: True)
    thumbnails.submit(request)
    assert begun.wait(10.0)
    thumbnails.submit(replace(request, view="depth"))
    may_end.set()
    (made,) = finished(thumbnails, news)
    thumbnails.close()
    other = Thumbnails(news, lambda: True)
    other.submit(replace(request, view="depth"))
    (expected,) = finished(other, news)
    other.close()
    assert made.pixels is not None
    assert expected.pixels is not None
    np.testing.assert_array_equal(made.pixels, expected.pixels)


def finished(thumbnails: Thumbnails, news: threading.Event) -> list[Thumbnail]:
    done: list[Thumbnail] = []
    while not done:
        assert news.wait(10.0)
        news.clear()
        done = thumbnails.poll()
    return done
