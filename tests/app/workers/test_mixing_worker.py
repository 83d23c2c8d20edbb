"""The measurement of style mixing's effects: an error is said, and gone with another model."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from app.workers.mixing_worker import MixingMeter, MixingRequest
from tests.models import tiny_model
from tests.waiting import wait_until


def test_effects_that_cannot_be_measured_have_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError("too large")

    monkeypatch.setattr("stylesdf_core.engine.mixing_effects.measure_mixing", fail)
    meter = MixingMeter(threading.Event(), lambda: False)
    request = MixingRequest(tiny_model(), "cpu")
    wait_until(lambda: meter.error is not None, lambda: meter.tick(request, wanted=True))
    assert meter.effects is None
    meter.tick(MixingRequest(replace(request.model), "cpu"), wanted=False)
    assert meter.error is None
    meter.close()
