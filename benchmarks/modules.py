"""Retrain on a folder with each of several modules, and label its test images with what was exported.

A handle of a frozen graph may be followed by `@OP`, the op to take for the feature vector. Every
exported graph is used by label_image.py without a size or layer flag; its accuracy on the test images
must be the one that retrain.py printed.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import http.server
import logging
import re
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

from benchmarks import commands
from benchmarks.arguments import ModulesSettings
from benchmarks.commands import Paths
from benchmarks.figures import print_table
from retraining.data import dataset
from retraining.data.split import Split
from retraining.settings.data import DataSettings

COLUMNS = ("module", "size and features", "test accuracy", "the same by label_image.py")

log = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class Retrained:
    """A module and its results; accuracies are in percent."""

    name: str
    description: str
    test_accuracy: float
    labelled_accuracy: float


def run(settings: ModulesSettings) -> None:
    """Retrain with every module and print the table."""
    print_table(COLUMNS, map(_cells, _results(settings)))


def _results(settings: ModulesSettings) -> Iterator[Retrained]:
    with (
        tempfile.TemporaryDirectory(prefix="bench_") as scratch,
        _served(settings.serve, Path(scratch)) as web,
    ):
        for number, handle in enumerate((*settings.handles, *web)):
            yield retrained(handle, Paths(settings.folder, Path(scratch) / str(number)))


def _cells(result: Retrained) -> tuple[str, ...]:
    accuracies = f"{result.test_accuracy:.1f}%", f"{result.labelled_accuracy:.1f}%"
    return result.name, result.description, *accuracies


def retrained(handle: str, paths: Paths, *flags: str) -> Retrained:
    """Run retrain.py with a module and further flags, and label_image.py with what it exported."""
    log.info("retraining with %s", handle)
    module, _, tensor = handle.partition("@")
    named = [f"--bottleneck_tensor_name={tensor}"] if tensor else []
    printed = commands.run(
        [*paths.retrain(module), f"--model_dir={paths.outputs / 'modules'}", *named, *flags]
    ).output
    description = re.findall(r"^Module \S+: (.*), computed by .*\.$", printed, re.MULTILINE)[0]
    accuracy = float(re.findall(r"^Final test accuracy = ([\d.]+)%", printed, re.MULTILINE)[0])
    shown = re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1", "/".join(handle.split("/")[-2:]))
    return Retrained(shown, description, accuracy, _labelled_accuracy(paths))


def _labelled_accuracy(paths: Paths) -> float:
    """Return the share of test images, in percent, that label_image.py labels right."""
    scanned = dataset.scan(DataSettings(paths.image_dir))
    testing = [image for image in scanned.images if image.split is Split.TESTING]
    files = [image.path for image in testing]
    lines = commands.run([*paths.label_image(files), "--num_top_predictions=1"]).output.splitlines()
    labels = [line.rpartition(" ")[0] for line in lines[1::2]]
    right = sum(label == scanned.labels[image.label] for label, image in zip(labels, testing, strict=True))
    return 100 * right / len(testing)


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
