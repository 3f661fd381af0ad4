"""Compute the feature vectors of more images than one machine can, with Apache Beam.

python -m retraining.distribute --image_dir ~/flower_photos --bottleneck_dir /tmp/bottleneck
"""

from __future__ import annotations

import sys

from retraining.cli import console, programs
from retraining.settings.distribute import DistributeSettings


def distribute(settings: DistributeSettings) -> None:
    """Run the command."""
    # Imported here, so that help is quick.
    from retraining.cli import distributing, logs

    logs.configure_logging(settings.run.logging_verbosity)
    distributing.distribute(settings)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(distribute, programs.DISTRIBUTE, argv)


if __name__ == "__main__":
    sys.exit(main())
