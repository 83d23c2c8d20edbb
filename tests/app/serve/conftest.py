"""A small model for the browser view's tests."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models import save_tiny


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(tmp_path_factory.mktemp("serve") / "tiny.safetensors")
