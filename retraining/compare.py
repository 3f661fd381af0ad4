"""Train several models on the same split of a folder of images, and say which one to use.

    python -m retraining.compare --image_dir ~/flower_photos --models builtin,googlenet,resnet50

A model is a pretrained module that gets a new layer, or a network that is trained from scratch. The result:
learning curves on shared axes, a table, TensorBoard runs side by side, the weights of each network, and the
winner, exported as retrain.py exports. An interrupted run continues where it stopped when started again.
"""

from __future__ import annotations

import functools
import sys

from retraining import optional_packages
from retraining.cli import console, logs, programs
from retraining.data import dataset
from retraining.data.dataset import Dataset
from retraining.data.split import Split
from retraining.errors import BadRequest
from retraining.settings.compare import CompareSettings


def compare(settings: CompareSettings) -> None:
    """Run the command, model by model."""
    logs.configure_logging("INFO")
    optional_packages.require("matplotlib", purpose="drawing the curves", extra="compare")
    found = dataset.scan(settings.data, settings.outputs())
    _check_held_out(found)

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.cli import log_lines
    from retraining.comparison import comparison
    from retraining.networks import image_batches

    log_lines.found(found)
    # All of them at once: a name that leads nowhere is reported before anything is trained.
    modules = comparison.load_modules(settings)
    images = image_batches.usable(found, strict=settings.data.strict)
    on_epoch = functools.partial(log_lines.epoch_done, epochs=settings.comparison.epochs)
    result = comparison.run(images, settings, modules, on_epoch=on_epoch, on_row=log_lines.compared)
    written = comparison.write(result, settings.comparison.output_dir)
    log_lines.compared_all(result, written)


def _check_held_out(found: Dataset) -> None:
    if all(image.split is Split.TRAINING for image in found.images):
        raise BadRequest(
            "a comparison needs images that no model is trained on, and none are held out. Raise "
            "{validation_percentage} and {testing_percentage}, or add images."
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(compare, programs.COMPARE, argv)


if __name__ == "__main__":
    sys.exit(main())
