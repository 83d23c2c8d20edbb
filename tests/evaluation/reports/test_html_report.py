"""The report: one HTML file that needs no other, with published rows apart from measured ones."""

from __future__ import annotations

import json
import math
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from stylesdf_core.engine.engine import Engine
from stylesdf_core.evaluation.reports.gallery import AZIMUTHS, gallery
from stylesdf_core.evaluation.reports.html_report import write_report
from stylesdf_core.evaluation.reports.report import Figure, QualityReport
from stylesdf_core.progress import drain
from tests.models import tiny_model

REPORT = QualityReport(
    "own <model>",
    "12 pictures & heads.",
    (Figure("fid", "FID, 64²", 12.345, better="lower"), Figure("kid", "KID·10³", math.nan)),
    {"orbits": [{"seed": 4, "flicker": 1.0, "curve": [1.0, 2.0, math.nan] * 5}]},
    ("The backgrounds differ.",),
)


class Balanced(HTMLParser):
    """Refuses tags that are not closed in order, and addresses of other files."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            assert name != "href"
            assert name != "src" or str(value).startswith("data:image/")
        if tag not in {"meta", "img", "path"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag != "path":
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_report_is_one_file_and_figures_beside_it(tmp_path: Path) -> None:
    path = write_report(tmp_path / "out", REPORT, {"image": [[np.zeros((8, 8, 3), np.float32)]]})
    page = Balanced()
    page.feed(path.read_text(encoding="utf-8"))
    assert not page.open
    assert re.search(r"Measured here.*12\.3.*Published.*StyleSDF.*11\.5", page.text, re.DOTALL)
    assert "published, 256², their protocol" in page.text
    assert "own <model>" in page.text
    assert "not measured" in page.text
    assert "The backgrounds differ." in page.text
    assert sorted(file.name for file in path.parent.iterdir()) == ["report.html", "report.json"]
    written = json.loads((path.parent / "report.json").read_text(encoding="utf-8"))
    assert [figure["key"] for figure in written["figures"]] == ["fid", "kid"]
    assert written["published"]["rows"][-1]["depth"] == [0.4, 0.63]


def test_the_pictures_show_heads_from_five_sides() -> None:
    grids = drain(gallery(Engine(tiny_model(), "cpu"), (1, 2)))
    assert {"image", "normals"} <= set(grids)
    for rows in grids.values():
        assert {len(row) for row in rows} == {len(AZIMUTHS)}
        assert {picture.shape for row in rows for picture in row} == {(192, 192, 3)}
    (errors,) = (rows for title, rows in grids.items() if title.startswith("depth error"))
    front = errors[0][AZIMUTHS.index(0.0)]
    assert set(np.unique(front)) <= {0.0, 0.5}  # the front is nearest to itself
