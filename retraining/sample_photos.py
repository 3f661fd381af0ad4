"""Draw photos of five kinds of flower, to try the program on without a download.

python -m retraining.sample_photos DIR --per_class 60 --seed 0
"""

from __future__ import annotations

import sys

from retraining.cli import console, programs
from retraining.settings.samples import SamplePhotosSettings


def sample_photos(settings: SamplePhotosSettings) -> None:
    """Run the command."""
    # Imported here, so that help is quick.
    from retraining.data.sample_photos import KINDS, write

    write(settings.folder, per_class=settings.per_class, seed=settings.seed)
    total = settings.per_class * len(KINDS)
    print(f"{total} photos in {len(KINDS)} folders under {settings.folder}")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(sample_photos, programs.SAMPLE_PHOTOS, argv)


if __name__ == "__main__":
    sys.exit(main())
