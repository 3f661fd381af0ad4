"""The bottleneck stage alone, for a module and a precision: a part of bench's table in minutes.

python -m benchmarks.stage FOLDER HANDLE [--precision bfloat16] [--repeat N]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks import bottleneck_stage, photographs, table
from retraining.features import extractor
from retraining.settings.module import FLOAT32, PRECISIONS, ModuleSettings

REPEAT = 5


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.stage")
    parser.add_argument("folder", type=Path)
    parser.add_argument("handle")
    parser.add_argument("--precision", choices=PRECISIONS, default=FLOAT32)
    parser.add_argument("--repeat", type=int, default=REPEAT)
    given = parser.parse_args()
    images = photographs.usable(given.folder, at_least=bottleneck_stage.LARGE_BATCH)
    network = extractor.load(ModuleSettings(given.handle, precision=given.precision))
    rounds = bottleneck_stage.measure(images, network, repeat=given.repeat)
    print(f"{table.machine()}\n{len(images.images):,} images; module {network.name}; {network.precision}\n")
    print(table.markdown(table.stage_rows(rounds)))


if __name__ == "__main__":
    main()
