"""What retrain.py takes per image, in time and memory, for folders of more and more images.

    python -m benchmarks.large_folders [HANDLE]

The images are small photographs under many names, told apart by what follows their end.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks import commands
from benchmarks.commands import Paths
from retraining.data import sample_photos
from retraining.features import extractor
from retraining.settings.module import BUILTIN, ModuleSettings

COUNTS = (500, 5_000, 50_000)
SOURCES = 10  # photographs of each kind
_MB = 2**20


def write(folder: Path, count: int) -> None:
    """Write `count` images, as many of each kind of flower."""
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        sample_photos.write(Path(scratch), per_class=SOURCES, seed=0)
        sources = sorted(path for path in Path(scratch).rglob("*") if path.is_file())
        for number in range(count):
            source = sources[number % len(sources)]
            path = folder / source.parent.name / f"{number}{source.suffix}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(source.read_bytes() + number.to_bytes(4, "big"))


def main(handle: str) -> None:
    """Measure and print a table."""
    features = extractor.load(ModuleSettings(handle)).feature_size
    print("| images | first run | per image | peak memory | of it, the matrix of vectors | second run |")
    print("|---|---|---|---|---|---|")
    for count in COUNTS:
        with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
            paths = Paths(Path(scratch) / "photographs", Path(scratch) / "outputs")
            write(paths.image_dir, count)
            first, second = (commands.run(paths.retrain(handle)) for _ in range(2))
        matrix = count * features * 4 / _MB
        print(
            f"| {count:,} | {first.seconds:.1f} s | {1000 * first.seconds / count:.2f} ms "
            f"| {first.peak_bytes / _MB:,.0f} MB | {matrix:,.0f} MB | {second.seconds:.1f} s |",
            flush=True,
        )


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else BUILTIN)
