"""Classify images with the network that retrain.py exported, or with any other frozen classifier.

    python label_image.py --graph /tmp/output_graph.pb --labels /tmp/output_labels.txt --image photo.jpg

Prints `label score` lines, best first; with several images, each image's path in front of its lines.
"""

from __future__ import annotations

import logging
import sys

from retraining.cli import console
from retraining.data import dataset
from retraining.errors import BadRequest, WorkFailed
from retraining.settings.options import LabelImageOptions, parse_label_image

log = logging.getLogger("retraining")


def label_image(options: LabelImageOptions) -> None:
    """Do all that the command line asks for."""
    console.configure_logging("INFO")
    for flag, path in (("--graph", options.graph), ("--labels", options.labels)):
        if not path.is_file():
            found = "is no file" if path.exists() else "does not exist"
            raise BadRequest(f"{flag} '{path}' {found}. retrain.py writes graph and labels.")

    files = dataset.image_files(options.image)
    if not files:
        raise BadRequest("--image names folders without any file. Name an image, or a folder with some.")

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.inference import image_classifier

    classifier = image_classifier.load(options)
    failed = 0
    for labelled in classifier.classify(files, best=options.num_top_predictions):
        if labelled.reason:
            failed += 1
            log.warning("%s: %s.", labelled.path, labelled.reason)
            continue
        if len(files) > 1:
            console.say(str(labelled.path))
        for prediction in labelled.predictions:
            console.say(f"{prediction.label} {prediction.score:.5f}")
    if failed:
        raise WorkFailed(f"{failed} of {len(files)} images could not be labelled, see above.")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(label_image, parse=parse_label_image, argv=argv, name="label_image")


if __name__ == "__main__":
    sys.exit(main())
