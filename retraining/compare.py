"""Train several models on the same split of the same images, and say which one to use.

    python -m retraining.compare --image_dir ~/flower_photos --models builtin,googlenet,resnet50

A model is a pretrained module that gets a new layer, or a network that is trained from scratch. The results
are learning curves on shared axes, a table, TensorBoard runs side by side, the weights of each network, and
the best model, exported in the same way as by retrain.py. The same command continues an interrupted run.
"""

from __future__ import annotations

import functools
import sys

from retraining.cli import console, logs, programs
from retraining.data import dataset, needed_files
from retraining.data.dataset import Dataset
from retraining.data.split import Split
from retraining.errors import BadRequest, Message
from retraining.settings.compare import CompareSettings
from retraining.settings.output import REPORT_FILE


def compare(settings: CompareSettings) -> None:
    """Run the command, model by model."""
    logs.configure_logging("INFO")
    scanned = dataset.scan(settings.data, settings.outputs())
    _check_held_out(scanned)
    needed_files.check(scanned, settings.comparison)

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.cli import log_lines, run_facts
    from retraining.comparison import comparison, duplicates
    from retraining.export import exporter
    from retraining.networks import image_batches
    from retraining.report import making

    log_lines.found(scanned)
    # All of them now: a module that does not exist is reported before anything is trained.
    modules = comparison.load_modules(settings, scanned)
    grouped, near = duplicates.reported(scanned, settings, modules)
    if grouped.images != scanned.images:
        _check_held_out(grouped)
        dataset.check(grouped)
    images = image_batches.usable_images(grouped, strict=settings.data.strict)
    on_epoch = functools.partial(log_lines.epoch_done, epochs=settings.comparison.epochs)
    result = comparison.compare_models(
        images, settings, modules, near, on_epoch=on_epoch, on_row=log_lines.compared
    )
    written = comparison.write(result, settings.comparison.output_dir)
    log_lines.compared_all(result, written)
    formats, graph = settings.export.formats, written.outputs.output_graph
    judgements = exporter.write_formats(
        result.winner.model, result.graph, formats, graph, seed=settings.comparison.seed
    )
    log_lines.exported(judgements)
    folder = settings.comparison.output_dir
    run = run_facts.of(programs.COMPARE, settings, folder, judgements=judgements)
    subjects = result.report_on(run)
    places = making.Places(folder / REPORT_FILE, folder, settings.data)
    log_lines.reported(subjects[0].findings, making.make(subjects, places))
    log_lines.check_exported(judgements, formats)


def _check_held_out(scanned: Dataset) -> None:
    """Raise BadRequest if all images are in the training set."""
    if all(image.split is Split.TRAINING for image in scanned.images):
        raised = Message("Raise {validation_percentage} or {testing_percentage}, or add images.")
        raise BadRequest(
            "a comparison needs images that no model is trained on, but none are held out. {remedy}",
            remedy="Add validation or test images." if scanned.has_given_sets else raised,
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(compare, programs.COMPARE, argv)


if __name__ == "__main__":
    sys.exit(main())
