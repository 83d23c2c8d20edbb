"""What a run says of itself, in figures and in words."""

from __future__ import annotations

import errno
import math
import threading
from pathlib import Path

import pytest
import torch
from tensorboard.summary.writer import event_file_writer

from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.model.poses import Poses
from stylesdf_core.training.adversarial.phases.snapshots import Snapshots, sliced_wasserstein
from stylesdf_core.training.runs.health import Health
from stylesdf_core.training.runs.monitor import Monitor
from stylesdf_core.training.runs.run_dir import RunDir

FINE = {"no_crossing": 0.5, "score_real": 1.0, "score_fake": -1.0, "g_adversarial": 1.0}


def advice(*records: dict[str, float | int | str]) -> str:
    health, said = Health(), ""
    for step, record in enumerate(records):
        said = health.see({"step": step, "phase": "renderer", **FINE, **record})
    return said


def test_a_healthy_run_is_left_in_peace() -> None:
    falling = [{"beta": 0.1 * 0.9**i, "images": 10_000 * i, "eikonal": 0.1} for i in range(20)]
    assert advice(*falling) == ""
    assert advice({"beta": 2e-3, "images": 0}, {"beta": 2e-3, "images": 90_000}) == ""


def test_a_beta_that_stays_is_named_with_its_remedy() -> None:
    stuck = [{"beta": 0.05, "images": 4_000 * i} for i in range(6)]
    assert "β has not fallen for 20k images" in advice(*stuck)
    assert "raise R1" in advice(*stuck)
    assert advice(*stuck[:5]) == ""
    figures = {"swd": 3.0}  # an evaluation between two records
    assert "β has not" in advice(*stuck, figures)


@pytest.mark.parametrize(
    ("record", "said"),
    [
        ({"no_crossing": 1.0}, "no zero crossing"),
        ({"score_real": 30.0, "score_fake": -20.0, "g_adversarial": 20.0}, "has won"),
        ({"image_score_real": 30.0, "image_score_fake": -20.0, "image_g_adversarial": 20.0}, "won"),
        ({"eikonal": 5.0}, "far from a distance"),
    ],
)
def test_what_is_wrong_is_said_once_it_lasts(
    record: dict[str, float | int | str], said: str
) -> None:
    assert advice(*[{}] * 9, record) == "", "one bad step is none"
    assert said in advice({}, *[record] * 15)


def test_a_new_phase_starts_afresh() -> None:
    health = Health()
    for step in range(5):
        said = health.see({"step": step, "phase": "renderer", "no_crossing": 1.0})
    assert said
    assert health.see({"step": 5, "phase": "decoder"}) == ""


def test_a_run_with_figures_that_could_not_be_measured_resumes(tmp_path: Path) -> None:
    """As a Fréchet distance to one picture, which is null in stats.jsonl."""
    run, cpu = RunDir(tmp_path), torch.device("cpu")
    for step in (1, 2):
        with Monitor(run, 100, step - 1, is_main=True, device=cpu) as monitor:
            monitor.begin("renderer", 8, step - 1, first=0)
            monitor.figures(step, {"swd": 3.0, "frechet": math.nan})
    assert [sorted(record) for record in run.read_stats()] == [["phase", "step", "swd"]] * 2
    health = Health()
    for _ in range(9):
        health.see({"step": 1, "phase": "renderer", "no_crossing": math.nan, "beta": "x"})
        said = health.see({"step": 1, "phase": "renderer", "no_crossing": 1.0})
    assert "surface is gone" in said, "a figure that is not finite spoils no mean"


def test_advice_is_recorded_when_it_changes(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with Monitor(run, 100, 3, is_main=True, device=torch.device("cpu")) as monitor:
        monitor.begin("renderer", 8, 3, first=2)  # two steps of a sphere came before
        for step in range(4, 10):
            monitor.losses(step, {"no_crossing": torch.tensor(1.0), "beta": torch.tensor(0.1)})
        assert "surface is gone" in monitor.headline("renderer")
    said = [record["health"] for record in run.read_stats() if "health" in record]
    assert len(said) == 1
    last = run.read_stats()[-1]
    assert last["images"] == 56
    assert last["images_per_second"] > 0
    assert last["peak_memory_gb"] > 0.01


def test_tensorboard_reads_the_same_figures(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for start in (0, 2):  # resumed from step 2: what came later is void
        with Monitor(
            RunDir(tmp_path), 9, start, is_main=True, device=torch.device("cpu")
        ) as monitor:
            monitor.begin("renderer", 8, start, first=0)
            for step in range(start + 1, start + 4):
                monitor.losses(step, {"beta": torch.tensor(float(10 * start + step))})
    events = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    found = [(event.step, event.value) for event in events.Scalars("renderer/beta")]
    assert found == [(1, 1.0), (2, 2.0), (3, 23.0), (4, 24.0), (5, 25.0)]
    assert [record["step"] for record in RunDir(tmp_path).read_stats()] == [1, 2, 3, 4, 5]


def test_a_field_without_surface_leaves_no_mesh(tmp_path: Path) -> None:
    torch.manual_seed(0)
    generator = Generator(
        GeneratorConfig(z_dim=8, width=8, depth=1, thumb_size=8, output_size=8, samples=4)
    )
    generator.field.scalar_head.weight.data.zero_()
    generator.field.scalar_head.bias.data.fill_(0.05)
    snapshots = Snapshots(Poses(), 0, rows=1)
    assert snapshots.write(generator, tmp_path / "a.png") == {"mesh_triangles": 0.0}
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a-thumb.png", "a.png"]


def test_sliced_wasserstein_is_nought_for_the_same_and_grows_with_blur() -> None:
    random = torch.Generator().manual_seed(0)
    real = torch.randn(16, 3, 16, 16, generator=random)
    distances = [
        sliced_wasserstein(real, (1.0 - share) * real, torch.Generator().manual_seed(1))
        for share in (0.0, 0.3, 0.6)
    ]
    assert distances[0] == 0.0
    assert distances[1] == pytest.approx(0.5 * distances[2], rel=1e-3)


def test_a_full_disk_under_tensorboard_is_raised_and_not_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its thread would print a traceback of its own beside the run's sentence."""

    def full(_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    run = RunDir(tmp_path)
    printed: list[object] = []
    monkeypatch.setattr(threading, "excepthook", printed.append)

    def record() -> None:
        with Monitor(run, 9, 0, is_main=True, device=torch.device("cpu")) as monitor:
            for step in range(1000):
                monitor.figures(step, {"swd": 1.0})

    monkeypatch.setattr(event_file_writer._AsyncWriterThread, "_run", full)
    with pytest.raises(OSError, match="No space left"):
        record()
    assert printed == []
    assert threading.excepthook == printed.append
