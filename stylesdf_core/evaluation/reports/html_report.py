"""A report as one HTML file that needs no other, and its figures as JSON beside it.

Measured figures stand in one table, published ones in another: the protocols differ.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from html import escape
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from stylesdf_core.evaluation.metrics.flicker import ARC
from stylesdf_core.evaluation.reports.grids import grid
from stylesdf_core.evaluation.reports.published import PROTOCOL, PUBLISHED
from stylesdf_core.evaluation.reports.report import QualityReport, Table
from stylesdf_core.files import write_json, write_text

FloatArray = npt.NDArray[np.float32]

HTML, JSON = "report.html", "report.json"
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
       color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .25rem .9rem .25rem 0; border-bottom: 1px solid #ddd;
         vertical-align: top }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap }
img { max-width: 100% } .warning { color: #8a4b00 } .quiet { color: #666 }
"""
#: Curves: width and height in pixels, and the margin that holds the labels.
_WIDTH, _HEIGHT, _MARGIN = 640, 220, 40


def write_report(
    folder: Path, report: QualityReport, grids: Mapping[str, Sequence[Sequence[FloatArray]]]
) -> Path:
    """Write ``report.html`` and ``report.json`` into a folder; returns the HTML file's path.

    Args:
        grids: rows of pictures (H, W, 3) in [0, 1], by their titles.

    Raises:
        OutputError: a file cannot be written.
    """
    published = {"protocol": PROTOCOL, "rows": [asdict(row) for row in PUBLISHED]}
    write_json(folder / JSON, {**report.to_json(), "published": published})
    path = folder / HTML
    write_text(path, _page(report, grids))
    return path


def _page(report: QualityReport, grids: Mapping[str, Sequence[Sequence[FloatArray]]]) -> str:
    name = escape(report.model)
    measured = [("", "measured here", "")]
    measured += [(figure.title, figure.value_text, figure.detail) for figure in report.figures]
    parts = [
        f"<h1>{name}</h1><p>{escape(report.protocol)}</p>",
        *(f'<p class="warning">{escape(warning)}</p>' for warning in report.warnings),
        f"<h2>Measured here</h2>{_table(measured)}",
        f"<h2>Published</h2><p class='quiet'>Lower is better. {PROTOCOL}: rows to know the scale, "
        f"not to be ranked with the table above.</p>{_table(_published())}",
    ]
    curves = {
        f"seed {orbit['seed']}": orbit["curve"]
        for orbit in report.scores.get("orbits", ())
        if "curve" in orbit
    }
    if curves:
        parts.append(
            "<h2>Flicker</h2><p class='quiet'>Change from each frame of the arc to the next, "
            "beyond the motion itself, grey levels of 255; a line for each head.</p>"
            f"{_curves(curves)}"
        )
    for title, rows in grids.items():
        parts.append(f"<h2>{escape(title.capitalize())}</h2>{_picture(title, rows)}")
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{name}: evaluation'
        f"</title><style>{_STYLE}</style></head><body>{''.join(parts)}</body></html>\n"
    )


def _published() -> Table:
    head = ("", "FID FFHQ", "FID AFHQ", "KID·10³ FFHQ", "KID·10³ AFHQ", "depth FFHQ", "depth AFHQ")
    rows = []
    for row in PUBLISHED:
        depth = row.depth or (None, None)
        figures = ("–" if v is None else f"{v:g}" for v in (*row.fid, *row.kid, *depth))
        rows.append((row.method, *figures))
    return [head, *rows]


def _table(rows: Table) -> str:
    head, *body = rows
    lines = ["".join(f"<th>{escape(cell)}</th>" for cell in head)]
    for first, *cells in body:
        numbers = "".join(f'<td class="number">{escape(cell)}</td>' for cell in cells[:-1])
        last = f"<td>{escape(cells[-1])}</td>"
        lines.append(f"<td>{escape(first)}</td>{numbers}{last}")
    return "<table>" + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _curves(curves: Mapping[str, Sequence[float]]) -> str:
    """Lines over the arc's azimuths as SVG."""
    highest = max((v for curve in curves.values() for v in curve if np.isfinite(v)), default=0.0)
    top = max(highest, 1e-6)
    middles = [0.5 * (a + b) for a, b in pairwise(ARC)]
    inner, tall = _WIDTH - 2 * _MARGIN, _HEIGHT - 2 * _MARGIN
    lines = []
    for index, (label, curve) in enumerate(curves.items()):
        points = " ".join(
            f"{_MARGIN + inner * (a - ARC[0]) / (ARC[-1] - ARC[0]):.1f},"
            f"{_HEIGHT - _MARGIN - tall * v / top:.1f}"
            for a, v in zip(middles, curve, strict=True)
            if np.isfinite(v)
        )
        colour = f"hsl({360 * index / len(curves):.0f} 60% 45%)"
        lines.append(
            f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5">'
            f"<title>{escape(label)}</title></polyline>"
        )
    low, right = _HEIGHT - _MARGIN, _WIDTH - _MARGIN
    axes = (
        f'<path d="M{_MARGIN} {_MARGIN}V{low}H{right}" fill="none" stroke="#999"/>'
        f'<text x="{_MARGIN - 6}" y="{_MARGIN + 4}" text-anchor="end">{top:.2f}</text>'
        f'<text x="{_MARGIN - 6}" y="{low + 4}" text-anchor="end">0</text>'
        f'<text x="{_MARGIN}" y="{low + 18}">{ARC[0]:+.2f} rad</text>'
        f'<text x="{right}" y="{low + 18}" text-anchor="end">{ARC[-1]:+.2f} rad</text>'
    )
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" font-size="12" fill="#666">'
        f"{axes}{''.join(lines)}</svg>"
    )


def _picture(title: str, rows: Sequence[Sequence[FloatArray]]) -> str:
    stream = io.BytesIO()
    Image.fromarray(grid(rows)).save(stream, "WEBP", quality=90)
    content = base64.b64encode(stream.getvalue()).decode()
    return f'<img alt="{escape(title)}" src="data:image/webp;base64,{content}">'
