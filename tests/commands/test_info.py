"""``info``: facts about the installation, the machine and a model."""

from __future__ import annotations

import importlib.metadata

import pytest

from stylesdf_core.commands import info
from stylesdf_core.commands.info import Info
from stylesdf_core.progress import drain


def test_info_survives_without_opengl(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(info, "_PROBE", "raise SystemExit('no driver')")
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    told = drain(Info(model="heads-gan").run())
    expected = "normal, σ 0.3 and 0.15 rad; half field of view 6°; camera view directions"
    assert told.about["poses"] == expected
    assert "sdf, 3 layers of 48" in str(told)
    assert told.opengl == "none: no driver"
    assert "cpu" in told.devices
    text = str(told)
    assert importlib.metadata.version("torch") in text
    assert "headless commands only" in text
