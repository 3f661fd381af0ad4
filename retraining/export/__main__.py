"""Export a graph that retrain.py wrote, or any other frozen classifier, to more formats.

    python -m retraining.export --graph output_graph.pb --labels output_labels.txt tflite onnx

The files go beside the graph, each with its labels inside. Each is read back and tried: on the test images
with --image_dir or --image_list, so that a table shows its accuracy, or else on images made up.
"""

from __future__ import annotations

import sys

from retraining.cli import console, logs, programs
from retraining.data import class_checks, dataset
from retraining.settings.conversion import ExportGraphSettings


def export(settings: ExportGraphSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")
    conversion, place = settings.conversion, settings.graph.graph
    images = None
    if conversion.data is not None:
        outputs = [format.path_beside(place) for format in conversion.chosen]
        images = dataset.scan(conversion.data, outputs)

    # Imported here, since TensorFlow takes seconds to load: a mistake above is reported at once.
    from retraining.cli import log_lines
    from retraining.export.classifier_graph import ClassifierGraph
    from retraining.export.exporter import Exporter
    from retraining.inference import graph_classifier

    classifier = ClassifierGraph.of_loaded(graph_classifier.load(settings.graph), place)
    if images is not None:
        class_checks.check_same(images.labels, classifier.labels, remedy=", or none")
    exporter = Exporter.of_graph(classifier, images, seed=conversion.seed)
    judgements = exporter.write_all(conversion.chosen, place)
    log_lines.exported(judgements)
    log_lines.check_exported(judgements, conversion.chosen)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(export, programs.EXPORT, argv)


if __name__ == "__main__":
    sys.exit(main())
