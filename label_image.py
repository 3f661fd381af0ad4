"""Classify images with the graph that retrain.py exported, or with any other frozen classifier.

    python label_image.py --graph /tmp/output_graph.pb --image photo.jpg
    python label_image.py --image unsorted_photos --move_to sorted_photos

Prints `label score` lines, best first; with several images, the path of each before its lines.
"""

from __future__ import annotations

import sys

from retraining.cli import console
from retraining.cli.label_image_program import PROGRAM
from retraining.settings.label_image import TEXT, LabelImageSettings


def label_image(settings: LabelImageSettings) -> None:
    """Run the command."""
    # Imported here, since they take longer than a request for help or a mistyped flag should.
    from retraining.cli import logs
    from retraining.cli.labelling import Labelling, image_files
    from retraining.data.folder_watch import FolderWatch

    logs.configure_logging("INFO" if settings.output == TEXT else "WARN")
    watch = None if settings.watch is None else FolderWatch(settings.watch)
    files = image_files(settings)

    from retraining.inference import loading

    labelling = Labelling(loading.load(settings), settings, is_only_one=len(files) == 1 and watch is None)
    try:
        labelling.label(files)
        if watch is not None:
            watch.leave_out(files)
            for found in watch.new_files():
                labelling.label(found)
    finally:
        labelling.summarize()
    labelling.check()


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the arguments `argv` (default: this process's arguments)."""
    return console.run(label_image, PROGRAM, argv)


if __name__ == "__main__":
    sys.exit(main())
