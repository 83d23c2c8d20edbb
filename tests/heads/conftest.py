"""One renderer for all tests of the heads: its visibility is baked once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from stylesdf_core.errors import GraphicsError
from stylesdf_core.heads.person.face_model import MorphableModel
from stylesdf_core.heads.rasterizer.renderer import HeadRenderer


@pytest.fixture(scope="session")
def renderer(facekit_path: Path) -> Iterator[HeadRenderer]:
    try:
        made = HeadRenderer(MorphableModel.load(facekit_path))
    except GraphicsError as error:
        pytest.skip(str(error))
    yield made
    made.close()
