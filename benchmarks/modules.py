"""Retrain on a folder with each of several modules, label its test photographs, print one table.

    python -m benchmarks.modules FOLDER HANDLE [HANDLE ...] [--serve MODULE_FOLDER]

`--serve` packs a module's folder as .tar.gz and adds it as fetched from a web server on this machine.
A handle of a frozen graph may be followed by `@OP`, the op to take for the feature vector. Every
exported graph is used by label_image.py without a size or layer flag; its accuracy on the test
photographs must be the one that retrain.py printed.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import functools
import http.server
import re
import subprocess
import sys
import tarfile
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.commands import Paths
from retraining.cli import console
from retraining.data import dataset
from retraining.data.dataset import Split
from retraining.errors import WorkFailed
from retraining.settings.data import DataSettings


@dataclasses.dataclass(frozen=True)
class ModulesOptions:
    """What to retrain on, and with what."""

    folder: Path
    handles: tuple[str, ...]
    serve: Path | None


@dataclasses.dataclass(frozen=True)
class Row:
    """A module and what became of it; accuracies are in percent."""

    handle: str
    description: str
    test_accuracy: float
    labelled_accuracy: float


def modules(options: ModulesOptions) -> None:
    """Measure every module and print the table."""
    print("| module | size and features | test accuracy | the same by label_image.py |")
    print("|---|---|---|---|")
    with (
        tempfile.TemporaryDirectory(prefix="bench_") as scratch,
        _served(options.serve, Path(scratch)) as web,
    ):
        for number, handle in enumerate((*options.handles, *web)):
            row = retrained(handle, Paths(options.folder, Path(scratch) / str(number)))
            accuracies = f"{row.test_accuracy:.1f}% | {row.labelled_accuracy:.1f}%"
            print(f"| {row.handle} | {row.description} | {accuracies} |", flush=True)


def retrained(handle: str, paths: Paths, *flags: str) -> Row:
    """Run retrain.py with a module and further flags, and label_image.py with what it exported."""
    module, _, tensor = handle.partition("@")
    named = [f"--bottleneck_tensor_name={tensor}"] if tensor else []
    printed = _run([*paths.retrain(module), f"--model_dir={paths.outputs / 'modules'}", *named, *flags])
    description = re.findall(r"^Module \S+: (.*)\.$", printed, re.MULTILINE)[0]
    accuracy = float(re.findall(r"^Final test accuracy = ([\d.]+)%", printed, re.MULTILINE)[0])
    shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", "/".join(handle.split("/")[-2:]))
    return Row(shown, description, accuracy, _labelled_accuracy(paths))


def _labelled_accuracy(paths: Paths) -> float:
    """Return the share of test photographs, in percent, that label_image.py labels right."""
    scanned = dataset.scan(DataSettings(paths.image_dir))
    testing = [image for image in scanned.images if image.split is Split.TESTING]
    files = [image.path for image in testing]
    lines = _run([*paths.label_image(files), "--num_top_predictions=1"]).splitlines()
    labels = [line.rpartition(" ")[0] for line in lines[1::2]]
    right = sum(label == scanned.labels[image.label] for label, image in zip(labels, testing, strict=True))
    return 100 * right / len(testing)


def _run(words: Sequence[str]) -> str:
    finished = subprocess.run([sys.executable, *words], capture_output=True, text=True, check=False)
    if finished.returncode:
        raise WorkFailed(
            f"`{Path(words[0]).name}` ended with {finished.returncode}: {finished.stderr.strip()}"
        )
    return finished.stdout


@contextlib.contextmanager
def _served(module: Path | None, scratch: Path) -> Iterator[tuple[str, ...]]:
    """Serve a module's folder as .tar.gz on this machine and yield its address, or nothing."""
    if module is None:
        yield ()
        return
    folder = scratch / "web"
    folder.mkdir()
    with tarfile.open(folder / f"{module.name}.tar.gz", "w:gz") as tar:
        tar.add(module, ".")
    handler = functools.partial(_QuietHandler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield (f"http://127.0.0.1:{server.server_port}/{module.name}.tar.gz",)
        server.shutdown()


class _QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        pass


def _parse(argv: Sequence[str] | None) -> ModulesOptions:
    parser = argparse.ArgumentParser(
        prog="modules", description="Compare modules on a folder of photographs."
    )
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("handles", nargs="+", metavar="HANDLE")
    parser.add_argument("--serve", type=Path, metavar="MODULE_FOLDER")
    values = parser.parse_args(argv)
    return ModulesOptions(values.folder, tuple(values.handles), values.serve)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv`."""
    return console.run(modules, parse=_parse, argv=argv, name="modules")


if __name__ == "__main__":
    sys.exit(main())
