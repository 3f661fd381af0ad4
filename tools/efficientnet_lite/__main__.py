"""Convert the weights of EfficientNet-Lite0 to the network that ships as `builtin`.

python -m tools.efficientnet_lite new_folder
"""

from __future__ import annotations

import sys

from retraining.cli import console
from retraining.cli.parser import Program
from tools.efficientnet_lite.conversion import ConversionSettings, convert

PROGRAM = Program(
    name="python -m tools.efficientnet_lite",
    description="Convert the weights of EfficientNet-Lite0 to the network that ships as `builtin`.",
    settings=ConversionSettings,
    example="new_folder",
    positional={"folder": "FOLDER"},
)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the arguments `argv` (default: this process's arguments)."""
    return console.run(convert, PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
