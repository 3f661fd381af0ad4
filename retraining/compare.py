"""Train several models on the same split of a folder of photographs, and say which to use.

    python -m retraining.compare --image_dir ~/flower_photos --models builtin,googlenet,resnet50

A model is a pretrained module that gets a new layer, or a network that is trained from scratch. What
comes of it: learning curves on shared axes, a table, TensorBoard runs side by side, the weights of
each network, and the winner, exported as retrain.py exports. A run that was killed goes on where it
was when it is started again.
"""

from __future__ import annotations

import sys

from retraining import requirement
from retraining.cli import console
from retraining.data import dataset
from retraining.data.dataset import Dataset, Split
from retraining.errors import BadRequest
from retraining.settings.options import CompareOptions, parse_compare


def compare(options: CompareOptions) -> None:
    """Do all that the command line asks for, model by model."""
    console.configure_logging("INFO")
    requirement.check("matplotlib", purpose="the curves are drawn", extra="compare")
    found = dataset.scan(options.data, options.outputs())
    _check_held_out(found)

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.cli import log_lines
    from retraining.comparison import comparison
    from retraining.networks import image_batches

    log_lines.found(found)
    # All of them at once: a name that leads nowhere is told before anything is trained.
    modules = comparison.load_modules(options)
    images = image_batches.usable(found, strict=options.data.strict)
    result = comparison.run(images, options, modules)
    comparison.write(result, options.comparison.output_dir)


def _check_held_out(found: Dataset) -> None:
    if all(image.split is Split.TRAINING for image in found.images):
        raise BadRequest(
            "a comparison needs images that no model is trained on, and none is held out. Raise "
            "--validation_percentage and --testing_percentage, or add images."
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(compare, parse=parse_compare, argv=argv, name="compare")


if __name__ == "__main__":
    sys.exit(main())
