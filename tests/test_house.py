"""The house rules that no tool checks: light imports, the public names, scripts and pins."""

from __future__ import annotations

import importlib.metadata
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import stylesdf_core
from app.program import _parse as parse
from stylesdf_core.scene.scene import Scene
from stylesdf_core.scene.session_files import png_info


def imported_by(statement: str) -> set[str]:
    """Top-level modules in memory after ``statement`` ran in a fresh interpreter."""
    code = f"{statement}\nimport sys; print(*{{name.partition('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


PUBLIC = [
    "Animate",
    "Animation",
    "Batch",
    "Bench",
    "DatasetAlign",
    "DatasetCheck",
    "DatasetPack",
    "Demo",
    "DragFace",
    "Engine",
    "Evaluate",
    "ExportMesh",
    "Generator",
    "GeneratorConfig",
    "Identity",
    "Info",
    "InputError",
    "Invert",
    "Keyframe",
    "MakeHeads",
    "Measure",
    "MeasureDrag",
    "MeasureInvert",
    "Mixing",
    "ModelsDirections",
    "ModelsExport",
    "ModelsFetch",
    "ModelsList",
    "OrbitCamera",
    "Progress",
    "RecipeCompare",
    "RecipeHeads",
    "RenderComparison",
    "RenderImage",
    "RenderOptions",
    "RenderTurntable",
    "RenderSheet",
    "Scene",
    "StyleSDFError",
    "TrainDecoder",
    "TrainFit",
    "TrainJoint",
    "TrainRenderer",
    "TrainSphereInit",
    "drain",
    "extract_surface",
    "lerp",
    "list_models",
    "load_model",
    "read_scene",
    "seed_to_z",
    "slerp",
]


def test_the_public_names_are_these() -> None:
    assert sorted(stylesdf_core.__all__) == sorted(PUBLIC)
    for name in PUBLIC:
        value = getattr(stylesdf_core, name)
        assert value.__doc__, name
        assert name in dir(stylesdf_core)
    with pytest.raises(AttributeError, match="Train"):
        _ = stylesdf_core.Train


def test_importing_the_library_is_light() -> None:
    assert not imported_by("import stylesdf_core") & {"torch", "numpy", "dearpygui", "OpenGL"}


def test_the_command_line_explains_itself_without_torch_or_a_window() -> None:
    statement = "from app.program import main\ntry: main(['--help'])\nexcept SystemExit: pass"
    assert not imported_by(statement) & {"torch", "dearpygui", "OpenGL", "pyrender", "skimage"}


def test_a_wrong_command_line_waits_for_no_more_than_it_names() -> None:
    refused = "from app.program import main\nassert main({words}) == 2"
    for words in (["sing"], ["train", "sing"], ["--model", "heads"]):
        assert not imported_by(refused.format(words=words)) & {"numpy", "PIL", "filelock", "tqdm"}
    options = imported_by(refused.format(words=["render", "--sede", "4", "--out", "a.png"]))
    assert not options & {"torch", "tqdm", "filelock", "psutil", "lmdb"}


def test_the_version_is_stated_once() -> None:
    assert importlib.metadata.version("stylesdf-studio") == stylesdf_core.__version__


@pytest.mark.skipif(shutil.which("bash") is None, reason="the scripts are for bash")
def test_scripts_parse(repository: Path) -> None:
    files = [*(repository / "scripts").iterdir(), repository / ".ci" / "run"]
    scripts = [file for file in files if file.suffix != ".py"]
    assert len(scripts) > 3
    for script in scripts:
        subprocess.run(["bash", "-n", str(script)], check=True, timeout=20)


def test_every_direct_dependency_is_pinned(repository: Path) -> None:
    def normal(name: str) -> str:
        return re.sub(r"[-_.]+", "-", name).lower()

    pins = (repository / "constraints.txt").read_text(encoding="utf-8")
    pinned = {normal(name) for name in re.findall(r"^([\w.-]+)==", pins, re.MULTILINE)}
    requirements = importlib.metadata.requires("stylesdf-studio") or []
    needed = {normal(re.split(r"[^\w.-]", line, maxsplit=1)[0]) for line in requirements}
    assert not needed - pinned


def written(repository: Path) -> list[Path]:
    """The project's Markdown files."""
    rooms = ("app", "assets", "pretrained", "stylesdf_core", "tests")
    inside = [path for room in rooms for path in sorted((repository / room).rglob("*.md"))]
    return [*sorted(repository.glob("*.md")), *inside]


def anchors(text: str) -> set[str]:
    """The names by which links reach a document's headings, as GitHub makes them."""
    prose = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.+?) *$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_documents_commands_are_understood(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (4, 4)).save("face.png", pnginfo=png_info(Scene().to_json()))
    for name in ("me.json", "dragged.json"):
        Path(name).write_text(Scene().to_json(), encoding="utf-8")
    commands = [
        command
        for path in written(repository)
        for command in re.findall(
            r"^stylesdf-studio (.+)$",
            path.read_text(encoding="utf-8").replace("\\\n", ""),
            re.MULTILINE,
        )
    ]
    assert len(commands) > 50
    for command in commands:
        if words := shlex.split(command, comments=True):  # without words, the window opens
            parse(words)


def test_the_documents_links_lead_somewhere(repository: Path) -> None:
    links, lost = 0, []
    for path in written(repository):
        text = path.read_text(encoding="utf-8")
        for link in re.findall(r"\]\((?!https?:)([^) ]+)", text):
            file, _, anchor = link.partition("#")
            target, links = path.parent / file if file else path, links + 1
            is_there = target.exists()
            if is_there and anchor:
                is_there = anchor in anchors(target.read_text(encoding="utf-8"))
            lost += [] if is_there else [f"{path.name}: {link}"]
    assert links > 30
    assert not lost


def test_the_documents_name_files_that_exist(repository: Path) -> None:
    named, lost = 0, []
    for path in written(repository):
        text = path.read_text(encoding="utf-8")
        roots = (repository, repository / "stylesdf_core", repository / "app", path.parent)
        script, other = r"(?:scripts|\.ci)/\w+", r"(?:\w+/)+\w+\.(?:py|md|json)"
        for name in re.findall(rf"[`(]({script}|{other})[`)]", text):
            named += 1
            lost += [] if any((root / name).exists() for root in roots) else [name]
    assert named > 30
    assert not lost


def test_readme_and_cards_stay_short(repository: Path) -> None:
    longest = {"README.md": 220, "CONTRIBUTING.md": 120}
    longest |= {f"pretrained/{name}.md": 120 for name in ("heads", "heads-gan")}
    for name, most in longest.items():
        assert len((repository / name).read_text(encoding="utf-8").splitlines()) <= most, name


def test_only_the_known_rooms_are_tracked_at_the_root(repository: Path) -> None:
    if shutil.which("git") is None:
        pytest.skip("only git knows what is tracked")
    words = ["git", "-C", str(repository), "ls-files"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip("this is no git checkout")
    tracked = done.stdout.splitlines()
    rooms = {"app", "stylesdf_core", "assets", "tests", "pretrained", "scripts", ".ci"}
    files = {"README.md", "CONTRIBUTING.md", "LICENSE", "pyproject.toml", "constraints.txt"}
    assert {name.partition("/")[0] for name in tracked} == rooms | files | {".gitignore"}
