"""The wheel, installed into an environment of its own and used from an empty folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

TIMEOUT = 240  # seconds; a cold import of torch on a busy machine takes its time


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=repository, check=True, capture_output=True, timeout=TIMEOUT)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script of an environment that has the wheel, and our dependencies through a .pth.

    Path files are not followed from a path file, so this checkout's editable install is not seen.
    """
    root = tmp_path_factory.mktemp("installed") / "venv"
    venv.create(root, with_pip=False, symlinks=True)
    variables = {"base": str(root), "platbase": str(root)}
    scheme = sysconfig.get_preferred_scheme("prefix")
    packages = Path(sysconfig.get_path("purelib", scheme, variables))
    dependencies = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (packages / "dependencies.pth").write_text("\n".join(sorted(dependencies)))
    scripts = Path(sysconfig.get_path("scripts", scheme, variables))
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    command += ["--python", str(scripts / "python")]
    command += ["install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT)
    return scripts / "stylesdf-studio"


def run(command: Sequence[str | Path], folder: Path, *, bare: bool = False) -> str:
    environment = {
        key: value
        for key, value in os.environ.items()
        if key not in ("PYTHONPATH", "DISPLAY", "WAYLAND_DISPLAY") and not bare
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_wheel_carries_what_ships(wheel: Path, repository: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        inside = set(archive.namelist())
    shipped = [
        path
        for folder in ("assets", "pretrained")
        for path in (repository / folder).rglob("*")
        if path.is_file() and path.parent.name != "readme"  # the README's pictures stay at home
    ]
    assert any(path.suffix == ".safetensors" for path in shipped)
    for path in shipped:
        assert f"stylesdf_core/_shipped/{path.relative_to(repository).as_posix()}" in inside
    assert not [name for name in inside if name.startswith("tests/")]


def test_it_works_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    python = installed.with_name("python")
    where = run([python, "-c", "import stylesdf_core; print(stylesdf_core.__file__)"], tmp_path)
    assert Path(where.strip()).is_relative_to(installed.parent.parent)
    assert "heads" in run([installed, "info"], tmp_path)
    run([installed, "render", "--seed", "3", "--quiet", "--out", "face.png"], tmp_path)
    assert (tmp_path / "face.png").read_bytes().startswith(b"\x89PNG")


def test_it_renders_for_a_user_without_a_name_a_home_or_a_writable_folder(
    installed: Path, tmp_path: Path
) -> None:
    """As in a container: nothing but the folder of the results can be written."""
    foreign = ["unshare", "--user", "--map-user=54321"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*foreign, "true"], check=False).returncode
    ):
        pytest.skip("this system makes no user namespaces")
    packages = next(installed.parent.parent.rglob("stylesdf_core"))
    folders = [packages, *(path for path in packages.rglob("*") if path.is_dir())]
    for folder in folders:
        folder.chmod(0o555)
    try:
        about = run([*foreign, installed, "info"], tmp_path, bare=True)
        assert "compiled anew" in about or "not installed" in about
        plain = [*foreign, "env", "STYLESDF_COMPILED=0", installed]  # else it compiles once more
        run([*plain, "render", "--view", "volume", "--out", "face.png"], tmp_path, bare=True)
    finally:
        for folder in folders:
            folder.chmod(0o755)
    assert [path.name for path in tmp_path.iterdir()] == ["face.png"]
