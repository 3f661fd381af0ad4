"""Draw photos of five kinds of flower, to try the program on without a download.

python -m retraining.sample_photos DIR --per_class 60 --seed 0
"""

from __future__ import annotations

import sys

from retraining.cli import console
from retraining.data.sample_photos import KINDS, write
from retraining.settings.options import SamplePhotosOptions, parse_sample_photos


def sample_photos(options: SamplePhotosOptions) -> None:
    """Run the command."""
    write(options.folder, per_class=options.per_class, seed=options.seed)
    total = options.per_class * len(KINDS)
    print(f"{total} photographs in {len(KINDS)} folders below {options.folder}")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(sample_photos, parse=parse_sample_photos, argv=argv, name="sample_photos")


if __name__ == "__main__":
    sys.exit(main())
