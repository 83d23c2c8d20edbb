"""The rooms: a floor plan in each, one class of a name, files of a readable length."""

from __future__ import annotations

import ast
import re
from collections import Counter
from pathlib import Path


def sources(repository: Path) -> list[Path]:
    return [
        path
        for package in ("stylesdf_core", "app")
        for path in (repository / package).rglob("*.py")
    ]


def test_no_two_public_classes_have_one_name(repository: Path) -> None:
    homes: dict[str, list[str]] = {}
    for path in sources(repository):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(repository)))
    assert len(homes) > 100
    assert not {name: paths for name, paths in homes.items() if len(paths) > 1}


def test_no_source_file_has_more_than_400_lines(repository: Path) -> None:
    lengths = {
        str(path.relative_to(repository)): len(path.read_text(encoding="utf-8").splitlines())
        for path in sources(repository)
    }
    assert not {path: length for path, length in lengths.items() if length > 400}


def test_no_room_has_more_than_14_files(repository: Path) -> None:
    files = Counter(
        str(path.parent.relative_to(repository))
        for path in sources(repository)
        if path.name != "__init__.py"
    )
    assert not {room: count for room, count in files.items() if count > 14}


def test_the_floor_plan_of_every_room_names_its_files(repository: Path) -> None:
    """A room's ``__init__`` docstring has a line ``name  purpose`` for each file and sub-room."""
    rooms = [path for path in sources(repository) if path.name == "__init__.py"]
    wrong = {}
    for plan in rooms:
        room = plan.parent
        if room == repository / "stylesdf_core":
            continue  # its docstring is for users of the library; its rooms are in CONTRIBUTING.md
        docstring = ast.get_docstring(ast.parse(plan.read_text(encoding="utf-8"))) or ""
        named = set(re.findall(r"^(\w+/?)  +\S", docstring, re.MULTILINE))
        files = {path.stem for path in room.glob("*.py")} - {"__init__"}
        inner = {f"{path.parent.name}/" for path in room.glob("*/__init__.py")}
        if named != files | inner:
            wrong[str(room.relative_to(repository))] = sorted(named ^ (files | inner))
    assert not wrong
