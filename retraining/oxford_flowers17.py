"""Sort the photos of Oxford's 17 flowers, which come numbered in one folder, into one folder per class.

python -m retraining.oxford_flowers17 17flowers/jpg flowers17
"""

from __future__ import annotations

import sys

from retraining.cli import console, programs
from retraining.data.oxford_flowers17 import CLASSES, COUNT, PER_CLASS, write
from retraining.settings.samples import OxfordFlowersSettings


def oxford_flowers17(settings: OxfordFlowersSettings) -> None:
    """Run the command."""
    write(settings.source, settings.destination)
    print(f"{COUNT} photos in {len(CLASSES)} folders under {settings.destination}, {PER_CLASS} in each")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(oxford_flowers17, programs.OXFORD_FLOWERS17, argv)


if __name__ == "__main__":
    sys.exit(main())
