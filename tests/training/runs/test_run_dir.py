from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch

from stylesdf_core.errors import InputError, TrainingError
from stylesdf_core.files import write_json
from stylesdf_core.model.checkpoints.checkpoints import load_checkpoint
from stylesdf_core.model.config import GeneratorConfig
from stylesdf_core.model.networks.generator import Generator
from stylesdf_core.training.runs import run_dir
from stylesdf_core.training.runs.run_dir import RunDir
from tests.waiting import wait_until

SMALL = GeneratorConfig(z_dim=8, width=8, depth=1, thumb_size=16, output_size=16)


def saved_run(folder: Path, config: object) -> RunDir:
    """A run that has a checkpoint."""
    run = RunDir(folder)
    run.write_config(config)
    run.save_checkpoint(1, {"step": 1}, Generator(SMALL), keep=1)
    return run


def test_the_config_of_a_run_with_a_checkpoint_never_changes(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    run.write_config({"width": 4})
    run.write_config({"width": 8})
    assert run.read_config() == {"width": 8}, "nothing was lost by that"
    run = saved_run(tmp_path / "saved", {"width": 8})
    run.write_config({"width": 8})
    with pytest.raises(InputError, match=r"a run with width 8 instead of 16"):
        run.write_config({"width": 16})


def test_settings_that_results_do_not_depend_on_may_change(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", {"steps": 5, "run": {"keep": 2, "seed": 1}})
    adjustable = {"steps", "run.keep"}
    run.write_config({"steps": 9, "run": {"keep": 2, "seed": 1}}, adjustable)
    assert run.read_config()["steps"] == 9
    with pytest.raises(InputError, match=r"a run with run\.seed 1 instead of 2;"):
        run.write_config({"steps": 5, "run": {"keep": 1, "seed": 2}}, adjustable)
    assert run.read_config()["run"] == {"keep": 2, "seed": 1}


def test_another_stage_is_named_alone(tmp_path: Path) -> None:
    run = saved_run(tmp_path / "run", {"stage": "renderer", "rays": 5})
    with pytest.raises(InputError, match=r"a run with stage 'renderer' instead of 'fit'; resume"):
        run.write_config({"stage": "fit", "heads": 5})


def test_a_folder_without_config_is_no_run(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no config\.json"):
        RunDir(tmp_path).read_config()
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(InputError, match="no JSON object"):
        RunDir(tmp_path).read_config()


def test_stats_survive_a_line_cut_short_and_are_trimmed(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in (1, 2, 3):
        run.append_stats({"step": step, "loss": 1.0 / step})
    with open(run.stats_file, "a", encoding="utf-8") as stream:
        stream.write('{"step": 4, "lo')
    assert [record["step"] for record in run.read_stats()] == [1, 2, 3]
    assert run.last_stats() == {"step": 3, "loss": 1.0 / 3}
    run.trim_stats(2)
    assert [record["step"] for record in run.read_stats()] == [1, 2]


def test_the_last_line_is_read_from_the_end_of_a_long_file(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert run.last_stats() is None
    for step in range(3000):
        run.append_stats({"step": step, "event": "a line of some length"})
    assert run.stats_file.stat().st_size > 2 * 65536
    assert run.last_stats() == run.read_stats()[-1]


def test_the_last_checkpoints_are_kept_and_loadable(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    assert run.load_checkpoint() is None
    assert run.latest("ema") is None
    generator = Generator(SMALL)
    for step in (10, 20, 30):
        run.save_checkpoint(step, {"step": step, "x": torch.ones(2)}, generator, keep=2)
    assert sorted(file.name for file in run.checkpoints.iterdir()) == [
        "ema-00000020.safetensors",
        "ema-00000030.safetensors",
        "latest.json",
        "step-00000020.pt",
        "step-00000030.pt",
    ]
    state = run.load_checkpoint()
    assert state is not None
    assert state["step"] == 30
    weights = run.latest("ema")
    assert weights is not None
    assert load_checkpoint(weights).generator.config == SMALL


def test_later_leftovers_do_not_push_out_what_is_saved_now(tmp_path: Path) -> None:
    """As after going back to an older checkpoint by hand, or a kill just before latest.json."""
    run = RunDir(tmp_path)
    generator = Generator(SMALL)
    for step in (10, 40, 20, 30):
        run.save_checkpoint(step, {"step": step}, generator, keep=1)
    state = run.load_checkpoint()
    assert state is not None
    assert state["step"] == 30
    weights = run.latest("ema")
    assert weights is not None
    assert weights.exists()
    assert not (run.checkpoints / "step-00000020.pt").exists()


def test_without_a_list_the_newest_whole_checkpoint_counts(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    for step in (10, 20, 30):
        run.save_checkpoint(step, {"step": step}, Generator(SMALL), keep=3)
    (run.checkpoints / "latest.json").unlink()
    average = run.checkpoints / "ema-00000030.safetensors"
    average.rename(run.checkpoints / "ema-00000030 (1).safetensors")
    state = run.load_checkpoint()
    assert state is not None
    assert state["step"] == run.saved_step() == 20
    assert run.latest("ema") == run.checkpoints / "ema-00000020.safetensors"


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.save_checkpoint(1, {"step": 1}, Generator(SMALL), keep=1)
    file = run.latest()
    assert file is not None
    file.write_bytes(file.read_bytes()[:100])
    with pytest.raises(TrainingError, match=r"step-00000001\.pt"):
        run.load_checkpoint()


def test_two_processes_do_not_share_a_run(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.request_stop()
    with run.owned():
        assert not run.stop_requested(), "an old request is forgotten"
        assert run.running_process() == os.getpid()
        with pytest.raises(TrainingError, match="is being trained"), run.owned():
            pass
    assert run.running_process() is None


def test_a_process_that_died_leaves_the_folder_free(tmp_path: Path) -> None:
    started = psutil.Process().create_time() - 1000.0
    (tmp_path / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "host": platform.node(), "started": started})
    )
    assert RunDir(tmp_path).running_process() is None


def test_of_many_that_start_at_once_one_gets_the_folder(tmp_path: Path) -> None:
    """Processes, since a run belongs to one; all begin at a signal of ours."""
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from stylesdf_core.errors import TrainingError\n"
        "from stylesdf_core.training.runs.run_dir import RunDir\n"
        "folder = Path(sys.argv[1])\n"
        "print('ready', flush=True)\n"
        "sys.stdin.readline()\n"
        "try:\n"
        "    with RunDir(folder).owned():\n"
        "        print('mine', flush=True)\n"
        "        sys.stdin.readline()\n"
        "except TrainingError:\n"
        "    print('taken', flush=True)\n"
    )
    # As after a kill: the hardest case, since all of them find a file and nobody behind it.
    (tmp_path / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "host": platform.node(), "started": 1.0})
    )
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(6)
    ]
    said = []
    for starter in starters:
        assert starter.stdout is not None
        assert starter.stdout.readline() == "ready\n"
    for starter in starters:
        assert starter.stdin is not None
        starter.stdin.write("go\n")
        starter.stdin.flush()
    for starter in starters:
        assert starter.stdout is not None
        said.append(starter.stdout.readline().strip())
    for starter in starters:
        starter.communicate("end\n", timeout=60)
    assert sorted(said) == ["mine", *["taken"] * 5]


def test_a_killed_process_is_told_from_one_that_ended(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    with run.owned():
        assert not run.was_killed
    assert not run.was_killed
    (tmp_path / "process.json").write_text(
        json.dumps({"pid": os.getpid(), "host": platform.node(), "started": 1.0})
    )
    assert run.was_killed


def test_run_folders_are_read_without_torch() -> None:
    """The studio looks at them before torch is there."""
    code = (
        "import sys, stylesdf_core.training.runs.run_summary, stylesdf_core.commands.train.stages\n"
        "print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_a_process_on_another_machine_lives_while_it_gives_signs_of_life(tmp_path: Path) -> None:
    run, file = RunDir(tmp_path), tmp_path / "process.json"
    write_json(file, {"pid": 1, "host": "elsewhere", "started": 0.0})
    assert run.running_process() == 1
    with pytest.raises(TrainingError, match=r"is being trained.*process\.json"), run.owned():
        pass
    os.utime(file, (time.time() - 3600,) * 2)
    assert run.was_killed
    with run.owned():
        assert run.running_process() == os.getpid()
        assert json.loads(file.read_text())["host"] == platform.node()


def test_the_owner_of_a_run_gives_signs_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_dir, "_BEAT", 0.005)
    file = tmp_path / "process.json"
    with RunDir(tmp_path).owned():
        os.utime(file, (0, 0))
        wait_until(lambda: file.stat().st_mtime > 0)


def test_figures_that_are_not_finite_are_null(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    run.append_stats({"step": 1, "swd": float("nan")})
    assert run.stats_file.read_text() == '{"step": 1, "swd": null}\n'


def test_lines_that_are_no_records_are_left_out(tmp_path: Path) -> None:
    run = RunDir(tmp_path)
    lines = ['{"step": 1, "swd": null, "x": [1]}', "7", "[]", '{"swd": 1}', '{"step": "a"}', '{"st']
    run.stats_file.write_text("\n".join(lines))
    assert run.read_stats() == [{"step": 1}]


def test_a_runs_history_is_kept(tmp_path: Path) -> None:
    run = RunDir(tmp_path / "run")
    for step in range(1, 8):
        run.save_checkpoint(step, {"step": step}, Generator(SMALL), keep=1, keep_every=3)
    assert sorted(run.averages()) == [3, 6, 7]
    assert [path.name for path in run.checkpoints.glob("step-*")] == ["step-00000007.pt"]
    other = RunDir(tmp_path / "other")
    for step in range(2, 16, 2):
        other.save_checkpoint(step, {"step": step}, Generator(SMALL), keep=1, keep_every=5)
    assert sorted(other.averages()) == [6, 10, 14], "no checkpoint at step 5"
