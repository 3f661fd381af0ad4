from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from retraining.cli import commands
from retraining.cli.commands import Start


def shell(folder: str, *files: str, slash: str = "/") -> Callable[[str], str | None]:
    """Return what finds commands as a shell does: those without a folder in `folder`, the others where they are."""

    def find(command: str) -> str | None:
        path = command if slash in command or "/" in command else f"{folder}{slash}{command}"
        return path if path in files else None

    return find


# `python retrain.py` in the folder of the project, with the environment activated.
IN_A_CHECKOUT = Start(
    script="retrain.py",
    python="python",
    executable="/venv/bin/python",
    commands="/venv/bin",
    project="/home/ann/retrainer",
    folder="/home/ann/retrainer",
    find=shell("/venv/bin", "/venv/bin/python", "/venv/bin/tensorboard"),
    os_name="posix",
)
NOT_ACTIVATED = shell(
    "/usr/bin", "/usr/bin/python", ".venv/bin/python", ".venv/bin/tensorboard", ".venv/bin/label_image"
)
INSTALLED: dict[str, Any] = {"project": "/venv/lib/python3.12/site-packages", "folder": "/home/ann"}
COMMANDS = tuple(f"/venv/bin/{name}" for name in ("python", "retrain", "label_image", "tensorboard"))
WINDOWS: dict[str, Any] = {
    "executable": r"C:\venv\Scripts\python.exe",
    "commands": r"C:\venv\Scripts",
    "project": r"C:\retrainer",
    "folder": r"C:\retrainer",
    "os_name": "nt",
}


def started(**changes: Any) -> Start:
    return dataclasses.replace(IN_A_CHECKOUT, **changes)


STARTS = {  # how the process was started, and how label_image and TensorBoard are then started
    "in a checkout": (IN_A_CHECKOUT, "python label_image.py", "tensorboard"),
    "from the folder above": (
        started(script="retrainer/retrain.py", folder="/home/ann"),
        "python retrainer/label_image.py",
        "tensorboard",
    ),
    "from another folder": (
        started(script="/home/ann/retrainer/retrain.py", folder="/data"),
        "python /home/ann/retrainer/label_image.py",
        "tensorboard",
    ),
    "in a folder that was removed": (
        started(folder=""),
        "python /home/ann/retrainer/label_image.py",
        "tensorboard",
    ),
    "in an environment that is not activated": (
        started(
            python=".venv/bin/python", executable="/home/ann/retrainer/.venv/bin/python", find=NOT_ACTIVATED
        ),
        ".venv/bin/python label_image.py",
        ".venv/bin/tensorboard",
    ),
    "without TensorBoard's command": (
        started(find=shell("/venv/bin", "/venv/bin/python")),
        "python label_image.py",
        "python -m tensorboard.main",
    ),
    "while the shell finds the TensorBoard of another Python": (
        started(python="/venv/bin/python", find=shell("/usr/bin", "/usr/bin/tensorboard", *COMMANDS)),
        "/venv/bin/python label_image.py",
        "/venv/bin/tensorboard",
    ),
    "while the shell finds another Python": (
        started(find=shell("/usr/bin", "/usr/bin/python", *COMMANDS)),
        "/venv/bin/python label_image.py",
        "/venv/bin/tensorboard",
    ),
    "as a module in a checkout": (
        started(script="/home/ann/retrainer/retraining/compare.py"),
        "python label_image.py",
        "tensorboard",
    ),
    "as the installed command": (
        started(
            script="/venv/bin/retrain",
            python="/venv/bin/python",
            find=shell("/venv/bin", *COMMANDS),
            **INSTALLED,
        ),
        "label_image",
        "tensorboard",
    ),
    "as the installed command, by its path": (
        started(
            script=".venv/bin/retrain", python="/home/ann/.venv/bin/python", find=NOT_ACTIVATED, **INSTALLED
        ),
        ".venv/bin/label_image",
        ".venv/bin/tensorboard",
    ),
    "as the command of a checkout that is installed as it is": (
        started(script="/venv/bin/retrain", find=shell("/venv/bin", *COMMANDS)),
        "label_image",
        "tensorboard",
    ),
    "as an installed module": (
        started(
            script=f"{INSTALLED['project']}/retraining/compare.py",
            find=shell("/venv/bin", *COMMANDS),
            **INSTALLED,
        ),
        "label_image",
        "tensorboard",
    ),
    "as an installed module without commands": (
        started(script=f"{INSTALLED['project']}/retraining/compare.py", **INSTALLED),
        "python -m label_image",
        "tensorboard",
    ),
    "by another program": (
        started(script="/venv/bin/pytest", folder="/data"),
        "python /home/ann/retrainer/label_image.py",
        "tensorboard",
    ),
    "by a program that is no Python": (
        started(script="", python="", executable="", folder="/data", find=shell("/usr/bin")),
        "python /home/ann/retrainer/label_image.py",
        "python -m tensorboard.main",
    ),
    "on Windows": (
        started(find={"python": r"C:\venv\Scripts\python.EXE"}.get, **WINDOWS),
        "python label_image.py",
        "python -m tensorboard.main",
    ),
    "on Windows as the installed command": (
        started(
            script=r"C:\my venv\Scripts\retrain.exe",
            find={r"C:\my venv\Scripts\label_image": r"C:\my venv\Scripts\label_image.EXE"}.get,
            **WINDOWS,
        ),
        r'"C:\my venv\Scripts\label_image.EXE"',
        r"C:\venv\Scripts\python.exe -m tensorboard.main",
    ),
}


@pytest.mark.parametrize("how", STARTS)
def test_printed_commands_are_those_of_how_the_run_was_started(how: str) -> None:
    start, label_image, tensorboard = STARTS[how]
    line = commands.classify(start, graph=Path("out.pb"), labels=Path("labels.txt"), image=Path("a.jpg"))
    assert line == f"{label_image} --graph out.pb --labels labels.txt --image a.jpg"
    assert commands.show_training(start, Path("logs")) == f"{tensorboard} --logdir logs"


def test_other_programs_are_modules() -> None:
    assert commands.program("compare", IN_A_CHECKOUT) == ["python", "-m", "retraining.compare"]


NAMES = [
    "plain",
    "two words",
    "it's",
    'say "hi"',
    "$HOME",
    "a;b&c",
    "*",
    "-x",
    "--graph",
    "🌷 Blüte",
    "~",
    "a\\b",
]
UNPRINTABLE = ["line\nend", "tab\tit's\\", "\x1b[31m", "\x85", "\u202egnp", os.fsdecode(b"caf\xe9")]


@pytest.mark.parametrize("name", [*NAMES, *UNPRINTABLE])
def test_shell_gives_a_program_the_path_that_was_meant(name: str, tmp_path: Path) -> None:
    start = dataclasses.replace(IN_A_CHECKOUT, executable=sys.executable, find=lambda _: None)
    line = commands.classify(start, graph=Path(name), labels=Path("labels"), image=tmp_path / name)
    assert line.isprintable()
    echo = "import os, sys; sys.stdout.buffer.write(b'\\0'.join(map(os.fsencode, sys.argv)))"
    (tmp_path / "echo.py").write_text(echo, encoding="utf-8")
    line = line.replace("label_image.py", "echo.py")
    printed = subprocess.check_output(["bash", "-c", line], cwd=tmp_path).split(b"\0")
    graph = os.fsencode(f"./{name}" if name.startswith("-") else name)
    image = os.fsencode(tmp_path / name)
    assert printed == [b"echo.py", b"--graph", graph, b"--labels", b"labels", b"--image", image]


def test_windows_quotes_as_its_programs_read() -> None:
    words = ["python", "label_image.py", "--graph", r"C:\my photos\graph.pb"]
    assert commands.shell_line(words, "nt") == r'python label_image.py --graph "C:\my photos\graph.pb"'
