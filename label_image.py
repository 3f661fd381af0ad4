"""Classify images with the graph that retrain.py exported, or with any other frozen classifier.

    python label_image.py --graph /tmp/output_graph.pb --labels /tmp/output_labels.txt --image photo.jpg

Prints `label score` lines, best first; with several images, the path of each before its lines.
"""

from __future__ import annotations

import logging
import sys

from retraining.cli import console, logs, programs
from retraining.data import dataset
from retraining.errors import BadRequest, WorkFailed
from retraining.settings.label_image import LabelImageSettings

log = logging.getLogger("retraining")


def label_image(settings: LabelImageSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")
    files = dataset.image_files(settings.image)
    if not files:
        raise BadRequest("{image} names only folders without files. Name an image, or a folder of images.")

    # Imported here, since TensorFlow takes seconds to load: a mistake above is reported at once.
    from retraining.inference import loading

    classifier = loading.load(settings)
    failed = 0
    for classified in classifier.classify(files, best=settings.num_top_predictions):
        if classified.reason:
            failed += 1
            log.warning("%s: %s.", classified.source, classified.reason)
            continue
        if len(files) > 1:
            logs.say(str(classified.source))
        for prediction in classified.predictions:
            logs.say(f"{prediction.label} {prediction.score:.5f}")
    if failed:
        raise WorkFailed(
            "{failed} of {count} images could not be labelled, see above.", failed=failed, count=len(files)
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the arguments `argv` (default: this process's arguments)."""
    return console.run(label_image, programs.LABEL_IMAGE, argv)


if __name__ == "__main__":
    sys.exit(main())
