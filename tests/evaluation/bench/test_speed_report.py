"""Figures of speed: medians, targets, table and JSON."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from stylesdf_core.engine.compiled import compiled_loops
from stylesdf_core.evaluation.bench.machine import Machine, describe_machine
from stylesdf_core.evaluation.bench.speed_report import (
    SHORT,
    SpeedReport,
    Speedup,
    time_text,
)
from stylesdf_core.evaluation.reports.report import Figure
from stylesdf_core.files import write_json
from stylesdf_core.model.model import select_device

MACHINE = Machine("A processor", 2, 2, "AVX2", "2.6.0", "cpu", "float32", "bfloat16", True, 0.1)
FAST = Speedup(
    "full.volume64",
    "64² volume render",
    (2000.0, 3000.0, 2500.0),
    (200.0, 250.0, 300.0),
    psnr=50.0,
    max_error=0.01,
    min_speedup=10.0,
    min_psnr=45.0,
)


def test_a_timing_is_its_median_and_spread() -> None:
    assert FAST.to_json()["reference_ms"] == pytest.approx(2500.0)
    assert time_text(FAST.reference) == "2500 ms (2000–3000)"
    assert time_text([12.34]) == "12.3 ms (once)"
    assert FAST.factor == pytest.approx(10.0)


def test_all_targets_of_a_row_count() -> None:
    assert FAST.reached is True
    assert replace(FAST, min_speedup=10.1).reached is False
    assert replace(FAST, min_psnr=50.1).reached is False
    assert replace(FAST, psnr=None).reached is False  # no PSNR is not reached
    assert replace(FAST, min_speedup=None, min_psnr=None).reached is None
    assert replace(FAST, psnr=None, min_psnr=None).reached is True
    assert FAST.target_text == "≥ 10×, ≥ 45 dB"


def report() -> SpeedReport:
    slow = replace(FAST, name="heads.image1024", min_speedup=20.0, note="enlarged")
    figures = (
        Figure("heads.first_pass", "first pass", 12.0, "ms", 1, high=15.0),
        Figure("app.launch", "launch", math.nan, "s", high=3.0, detail="no display"),
        Figure("full.orbit1024", "orbit", 1.5, "fps"),
    )
    return SpeedReport(MACHINE, (FAST, slow), figures)


def test_the_table_is_aligned_and_counts_what_is_reached() -> None:
    lines = str(report()).splitlines()
    assert lines[0] == (
        "Measured on A processor; 2 cores, 2 threads, AVX2, torch 2.6.0, float32; "
        "engine: decoder in bfloat16, with compiled loops."
    )
    assert lines[3].split()[0] == "full.volume64"
    assert lines[3].endswith("yes")
    assert lines[4].split()[-2:] == ["no", "enlarged"]
    starts = {line.index("2500 ms") for line in lines[3:5]}
    assert starts == {lines[2].index("plain path")}
    assert lines[-1] == "2 of 4 targets are reached."


def test_notes_stand_under_the_tables() -> None:
    noted = replace(report(), notes=("No display.",))
    assert str(noted).splitlines()[-3:-1] == ["No display.", ""]
    assert noted.to_json()["notes"] == ["No display."]


def test_a_card_gets_the_same_tables() -> None:
    text = replace(report(), notes=("No display.",)).markdown()
    assert text.startswith("Measured on A processor; 2 cores")
    assert "| full.volume64 | 2500 ms (2000–3000) | 250 ms (200–300) | 10.0× |" in text
    assert "| heads.first_pass | first pass | 12.0 ms | ≤ 15 ms | yes |" in text
    assert text.count("\n|---|") == 2
    assert text.endswith("No display.\n\n2 of 4 targets are reached.")


def test_the_short_table_has_ten_rows_in_words() -> None:
    assert len(SHORT) == 10
    lines = report().short_markdown().splitlines()
    assert lines[0].startswith("Measured on A processor; 2 cores")
    assert lines[2] == "|  | plain path | measured | faster | target |"
    assert lines[4] == (
        "| 64² volume render (`full.volume64`) | 2500 ms (2000–3000) | 250 ms (200–300) | 10.0× "
        "| ≥ 10×, ≥ 45 dB |"
    )
    assert lines[5:] == ["| first pass (`heads.first_pass`) |  | 12.0 ms |  | ≤ 15 ms |"]


def test_json_has_the_agreed_form(tmp_path: Path) -> None:
    write_json(tmp_path / "bench.json", report().to_json())
    data = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert data["machine"]["processor"] == "A processor"
    first, _, pass_row, launch, orbit = data["results"]
    agreed = {"name", "reference_ms", "engine_ms", "speedup", "psnr_db", "max_error"}
    assert agreed <= set(first)
    assert (first["name"], first["speedup"], first["psnr_db"]) == ("full.volume64", 10.0, 50.0)
    assert pass_row["value"] == 12.0
    assert pass_row["unit"] == "ms"
    assert pass_row["target"] == "≤ 15 ms"
    assert pass_row["reached"] is True
    assert (launch["value"], launch["reached"]) == (None, False)
    assert (orbit["target"], orbit["reached"]) == (None, None)


def test_a_busy_machine_is_named() -> None:
    busy = replace(MACHINE, load=1.1)
    assert busy.busy
    assert "busy (other programs used 1.1 cores)" in str(busy)
    assert not replace(MACHINE, load=1.0).busy


def test_this_machine_is_described() -> None:
    machine = describe_machine(select_device("cpu"))
    assert machine.processor
    assert machine.cores >= 1
    assert machine.threads >= 1
    assert (machine.device, machine.dtype) == ("cpu", "float32")
    assert machine.decoder_dtype in {"float32", "bfloat16"}
    assert machine.compiled is compiled_loops.usable()
