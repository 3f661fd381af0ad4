"""Help and mistyped flags are answered at once: no slow package is imported for them."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from typing import Any

import pytest

from retraining.cli.parser import Program
from retraining.cli.programs import PROGRAMS
from tests.conftest import PROJECT

SLOW = {"tensorflow", "numpy", "PIL", "tqdm"}

SCRIPTS = {"retrain": ["retrain.py"], "label_image": ["label_image.py"]}


def script_of(program: Program[Any]) -> list[str]:
    """Return the words after `python` that start a program in the folder of the project."""
    return SCRIPTS.get(program.name, ["-m", f"retraining.{program.name}"])


def answered(program: Program[Any], flag: str) -> tuple[int, str, set[str]]:
    """Run a program with a flag; return its exit status, what it printed, and the modules it imported."""
    command = [sys.executable, "-X", "importtime", *script_of(program), flag]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    imported = set(re.findall(r"^import time:.*\| +(\S+)$", done.stderr, re.MULTILINE))
    assert program.settings.__module__ in imported  # imports really were listed
    printed = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    return done.returncode, "\n".join([done.stdout, *printed]), imported


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_help_imports_no_slow_package(program: Program[Any]) -> None:
    status, printed, imported = answered(program, "--help")
    assert status == 0
    assert printed.startswith("usage: ")
    example = shlex.join([sys.executable, *script_of(program)]) + program.example
    assert "Example:" + "".join(example.split()) in "".join(printed.split())
    assert not {name.split(".")[0] for name in imported} & SLOW


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda program: program.name)
def test_mistyped_flag_imports_no_slow_package(program: Program[Any]) -> None:
    status, printed, imported = answered(program, "--no_such_flag=1")
    assert status == 2
    assert f"{program.name}: error: " in printed
    # Flags that belong to Beam are known to Beam alone, which imports NumPy.
    slow = {"tensorflow"} if program.passes_on else SLOW
    assert not {name.split(".")[0] for name in imported} & slow
