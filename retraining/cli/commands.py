"""Commands that are printed for a person to type: they work in the folder and the shell that shows them."""

from __future__ import annotations

import dataclasses
import ntpath
import os
import posixpath
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import ModuleType

import retraining
from retraining.printable import printable

SCRIPTS = ("retrain", "label_image")  # the programs with a script of their own, and a command once installed


@dataclasses.dataclass(frozen=True)
class Start:
    """How a process was started, and where.

    `find` returns the path of the file that the shell runs for a command, given by its name or path, or None.
    """

    script: str  # sys.argv[0]
    python: str  # sys.orig_argv[0], the interpreter as it was called
    executable: str  # sys.executable, its full path
    commands: str  # the folder of the commands that are installed with this interpreter
    project: str  # the folder that holds the package
    folder: str  # the present one, or "" if there is none
    find: Callable[[str], str | None]
    os_name: str  # os.name

    @property
    def path(self) -> ModuleType:
        """Return the functions for paths of this system."""
        return ntpath if self.os_name == "nt" else posixpath


def this_start() -> Start:
    """Return how this process was started."""
    return Start(
        script=next(iter(sys.argv), ""),  # an application that has Python within it may give none
        python=next(iter(sys.orig_argv), ""),
        executable=sys.executable or "",
        commands=sysconfig.get_path("scripts"),
        project=str(Path(retraining.__file__).absolute().parent.parent),
        folder=_present_folder(),
        find=shutil.which,
        os_name=os.name,
    )


def classify(start: Start, *, graph: Path, labels: Path, image: Path) -> str:
    """Return the command that classifies an image."""
    words = ["--graph", _argument(graph), "--labels", _argument(labels), "--image", _argument(image)]
    return shell_line([*program("label_image", start), *words], start.os_name)


def show_training(start: Start, summaries_dir: Path) -> str:
    """Return the command that shows a training in TensorBoard."""
    installed = _installed("tensorboard", start)
    words = [_python(start), "-m", "tensorboard.main"] if installed is None else [installed]
    return shell_line([*words, "--logdir", _argument(summaries_dir)], start.os_name)


def relabel(start: Start, csv: Path, *, apply: bool) -> str:
    """Return the command that moves the images that are marked in a list, or only says what it would do."""
    words = [*program("relabel", start), _argument(csv)]
    return shell_line([*words, "--apply"] if apply else words, start.os_name)


def program(name: str, start: Start) -> list[str]:
    """Return the words that start one of the programs, in the way in which this process was started."""
    if name not in SCRIPTS:
        return [_python(start), "-m", f"retraining.{name}"]
    stem, extension = start.path.splitext(start.path.basename(start.script))
    was_installed = start.path.basename(start.project).endswith("-packages")  # site-, or Debian's dist-
    if was_installed or (stem in SCRIPTS and extension != ".py"):
        installed = _installed(name, start)
        return [_python(start), "-m", name] if installed is None else [installed]
    return [_python(start), _source(name, start)]


def shell_line(words: Sequence[str], os_name: str) -> str:
    """Return the line that a person types for a command of these words."""
    return subprocess.list2cmdline(words) if os_name == "nt" else " ".join(map(_quoted, words))


def _quoted(word: str) -> str:
    """Return a word as a POSIX shell reads it."""
    if printable(word) == word:
        return shlex.quote(word)
    # It has characters that must not be printed, such as a line end: $'...' takes its bytes as numbers.
    plain = (
        chr(byte) if 32 <= byte < 127 and chr(byte) not in "'\\" else f"\\x{byte:02x}"
        for byte in os.fsencode(word)
    )
    return f"$'{''.join(plain)}'"


def _present_folder() -> str:
    try:
        return str(Path.cwd())
    except OSError:  # it has been removed
        return ""


def _argument(path: Path) -> str:
    """Return a path as the value of a flag: one that begins with a dash would be taken for a flag itself."""
    return f"{os.curdir}{os.sep}{path}" if str(path).startswith("-") else str(path)


def _python(start: Start) -> str:
    """Return the interpreter as it was called, if that is how a shell finds it."""
    found = start.find(start.python)
    was_called_by_path = start.path.dirname(start.python) != ""
    if found is not None and (was_called_by_path or _is_same(found, start.executable, start)):
        return start.python
    return start.executable or "python"


def _source(name: str, start: Start) -> str:
    """Return the path of a script, relative if it is below the present folder."""
    script: str = start.path.join(start.project, f"{name}.py")
    return script.removeprefix(start.path.join(start.folder, ""))


def _installed(command: str, start: Start) -> str | None:
    """Return a command that is installed with this interpreter: by its name if a shell finds it by that."""
    for folder in _command_folders(start):
        path = start.find(start.path.join(folder, command))
        if path is not None:
            found = start.find(command)
            return command if found is not None and _is_same(found, path, start) else path
    return None


def _is_same(path: str, other: str, start: Start) -> bool:
    one, two = (start.path.normcase(start.path.abspath(name)) for name in (path, other))
    return bool(one == two)


def _command_folders(start: Start) -> Iterator[str]:
    """Yield the folders in which commands of this interpreter may be: as they were called, if they were."""
    yield from filter(None, map(start.path.dirname, (start.script, start.python)))
    yield start.commands
