"""The house stays as it is drawn: imports run one way, files are short, and the page of the tree is true."""

from __future__ import annotations

import ast
import functools
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import PROJECT

PACKAGE = PROJECT / "retraining"
PAGE = PROJECT / "docs" / "architecture.md"
SCRIPTS = (PROJECT / "retrain.py", PROJECT / "label_image.py")

# Rooms, and files that stand alone, from the ground up: each may import what is on a floor below its own.
FLOORS = (
    ("errors", "arrays", "printable", "progress", "suggestions", "keywords", "descriptors"),
    ("native_output", "process"),
    ("settings", "optional_packages"),
    ("storage",),
    ("data", "graphs"),
    ("modules", "runtimes", "sorting"),
    ("engines",),
    ("inference", "features"),
    ("training",),
    ("fine_tuning", "assessment"),
    ("networks", "export"),
    ("report",),
    ("model",),
    ("comparison", "visualization", "server", "distribution"),
    ("api",),
    ("cli",),
    (
        "compare",
        "deep_dream",
        "distribute",
        "export.__main__",
        "feature_maps",
        "oxford_flowers17",
        "relabel",
        "report.__main__",
        "sample_photos",
        "serve",
    ),
)
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
DOORS = FLOORS[-1]

KNOW_TENSORFLOW = {
    "graphs",
    "modules",
    "engines",
    "networks",
    "features",
    "fine_tuning",
    "export",
    "inference",
    "visualization",
}

LONGEST_FILE = 400  # lines
LONGEST_FUNCTION = 50  # with its docstring
MEDIAN_FUNCTION = 10


def files() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def room_of(path: Path) -> str:
    """Return the room of a file, or the file's own name if it stands alone, as the door of a room does."""
    room = path.relative_to(PACKAGE).parts[0].removesuffix(".py")
    return f"{room}.__main__" if path.name == "__main__.py" else room


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def imports(path: Path) -> Iterator[str]:
    """Yield the dotted name of every module that a file imports, within functions too."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            assert node.module
            modules = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from (module if is_module(module) else node.module for module in modules)


def is_module(name: str) -> bool:
    path = PROJECT.joinpath(*name.split("."))
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def rooms_imported(path: Path) -> set[str]:
    parts = (name.split(".") for name in imports(path))
    return {part[1] for part in parts if part[0] == "retraining" and len(part) > 1}


@pytest.mark.parametrize("path", [path for path in files() if path != PACKAGE / "__init__.py"], ids=name_of)
def test_a_file_imports_only_what_is_below_it(path: Path) -> None:
    room = room_of(path)
    above = {other for other in rooms_imported(path) - {room} if FLOOR_OF[other] >= FLOOR_OF[room]}
    assert above == set()


def test_every_room_has_its_floor() -> None:
    rooms = {room_of(path) for path in files()} - {"__init__"}
    assert rooms == set(FLOOR_OF)


def test_errors_and_arrays_know_nobody_and_settings_only_errors() -> None:
    known: dict[str, set[str]] = {}
    for path in files():
        known.setdefault(room_of(path), set()).update(rooms_imported(path) - {room_of(path)})
    assert known["errors"] == known["arrays"] == known["printable"] == known["suggestions"] == set()
    assert known["settings"] == {"errors", "suggestions"}


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = {name_of(path): {name for name in imports(path) if is_module(name)} for path in files()}
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, " -> ".join((*above, name))
        if name not in done:
            for other in graph.get(name, ()):
                visit(other, (*above, name))
            done.add(name)

    for name in graph:
        if name != "retraining":  # whose names are imported from where they are when they are used
            visit(name, ())


def test_only_rooms_that_compute_import_tensorflow() -> None:
    for path in files():
        names = {
            name
            for name in imports(path)
            if re.match(r"tensorflow|keras|tf_keras|retraining\.graphs\.quiet", name)
        }
        assert not names or room_of(path) in KNOW_TENSORFLOW, f"{path} imports {names}"
        noisy = {name for name in names if not name.startswith("retraining.")}
        assert not noisy or path.name in ("quiet_tensorflow.py", "local_files.py"), f"{path} imports {noisy}"


def test_only_the_command_line_knows_argparse() -> None:
    assert {room_of(path) for path in files() if "argparse" in imports(path)} == {"cli"}


@pytest.mark.parametrize("path", [path for path in files() if room_of(path) != "cli"], ids=name_of)
def test_only_the_command_line_knows_a_dash(path: Path) -> None:
    module = parsed(path)
    usage = ast.get_docstring(module, clean=False) if room_of(path) in DOORS else None
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value != usage:
            assert not re.search(r"(?<![\w-])--[a-z]", node.value), f"{path}:{node.lineno}: {node.value}"


def test_files_and_functions_are_short() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in files()}
    assert {str(path): count for path, count in lines.items() if count >= LONGEST_FILE} == {}
    lengths = {}
    for path in (*files(), *SCRIPTS):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.FunctionDef):
                assert node.end_lineno is not None
                lengths[f"{path}:{node.name}"] = node.end_lineno - node.lineno + 1
    assert {name: length for name, length in lengths.items() if length > LONGEST_FUNCTION} == {}
    assert statistics.median(lengths.values()) < MEDIAN_FUNCTION


def tree(folder: Path, indent: str = "  ") -> Iterator[tuple[str, str]]:
    """Yield the name, indented, and the first docstring line of each room and file below a folder."""
    entries = [path for path in folder.iterdir() if path.suffix == ".py" or (path / "__init__.py").exists()]
    for path in sorted(entries, key=lambda path: (path.is_file(), path.name)):
        if path.is_dir():
            yield f"{indent}{path.name}/", first_line(path / "__init__.py")
            yield from tree(path, indent + "  ")
        elif path.name != "__init__.py":
            yield f"{indent}{path.name}", first_line(path)


def first_line(path: Path) -> str:
    docstring = ast.get_docstring(parsed(path))
    assert docstring, f"{path} has no docstring"
    return docstring.split("\n\n")[0].replace("\n", " ")


def test_page_shows_the_tree_with_a_line_for_each_room_and_file() -> None:
    rows = [(path.name, first_line(path)) for path in SCRIPTS]
    rows += [("retraining/", first_line(PACKAGE / "__init__.py")), *tree(PACKAGE)]
    wide = max(len(name) for name, _ in rows) + 2
    drawn = "\n".join(f"{name:{wide}}{line}" for name, line in rows)
    assert f"\n{drawn}\n" in PAGE.read_text(encoding="utf-8"), f"put this into docs/architecture.md:\n{drawn}"


def test_page_names_the_floors_from_the_top_down() -> None:
    shown = re.search(r"```text\n(cli.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert shown is not None
    floors = [tuple(re.findall(r"\w+", line)) for line in shown[1].splitlines()]
    assert floors == [tuple(floor) for floor in reversed(FLOORS[:-1])]
