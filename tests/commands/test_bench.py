"""`bench` from the request to its files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from stylesdf_core.commands.bench import Bench
from stylesdf_core.errors import InputError
from stylesdf_core.progress import Progress, drain


def test_bench_writes_figures_and_a_profile(tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    request = Bench(
        only=("heads.volume64",),
        quick=True,
        threads=1,
        json=tmp_path / "bench.json",
        profile=tmp_path / "profile.txt",
        device="cpu",
    )
    operation = request.run()
    parts: list[Progress] = []
    while True:
        try:
            parts.append(next(operation))
        except StopIteration as end:
            report = end.value
            break
    assert any("heads.volume64" in part.message for part in parts)
    assert torch.get_num_threads() == threads
    data = json.loads((tmp_path / "bench.json").read_text(encoding="utf-8"))
    assert data == report.to_json()
    assert data["machine"]["threads"] == 1
    (row,) = data["results"]
    assert row["name"] == "heads.volume64"
    assert row["psnr_db"] > 40.0
    profile = (tmp_path / "profile.txt").read_text(encoding="utf-8")
    assert "heads.volume64, engine" in profile
    assert "aten::" in profile


def test_mistakes_are_named_at_once() -> None:
    mistakes = {
        "--repeats": Bench(repeats=0),
        "--threads": Bench(threads=0),
        "--only body matches no row": Bench(only=("body",)),
        "no device": Bench(device="tpu"),
    }
    for message, request in mistakes.items():
        with pytest.raises(InputError, match=message):
            drain(request.run())
