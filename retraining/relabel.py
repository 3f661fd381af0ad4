"""Move photos with a wrong label into the folder of another class, as marked in a list.

python -m retraining.relabel /tmp/retrain_logs/suspected_labels.csv
"""

from __future__ import annotations

import sys

from retraining.cli import console, programs
from retraining.settings.relabel import RelabelSettings


def relabel(settings: RelabelSettings) -> None:
    """Run the command."""
    # Imported here, so that help is quick.
    from retraining.cli import logs, relabelling

    logs.configure_logging("INFO")
    relabelling.relabel(settings)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(relabel, programs.RELABEL, argv)


if __name__ == "__main__":
    sys.exit(main())
