"""Report on a graph that an earlier run wrote, without training again.

    python -m retraining.report --graph output_graph.pb --image_dir ~/flower_photos

The feature vectors of the images are computed by the network in the graph, once, and kept. The images must be
those of the run, split in the same way: the test images are those that the graph was not trained on.
"""

from __future__ import annotations

import sys

from retraining.cli import console, logs, programs
from retraining.data import dataset
from retraining.settings.report import ReportOnGraphSettings


def report(settings: ReportOnGraphSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")
    images = dataset.scan(settings.data, settings.outputs())

    # Imported here, since TensorFlow takes seconds to load: a mistake above is reported at once.
    from retraining.cli import log_lines, run_facts
    from retraining.report import earlier_run, making
    from retraining.report.subject import Subject

    log_lines.found(images)
    found = earlier_run.find(images, settings)
    page = settings.report.report
    run = run_facts.of(programs.REPORT, settings, page.parent)
    places = making.Places(page, page.parent, settings.data)
    log_lines.reported(found, making.make([Subject(found.network, found, run)], places))


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(report, programs.REPORT, argv)


if __name__ == "__main__":
    sys.exit(main())
