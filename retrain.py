"""Turn a folder of images, one sub-folder per class, into an image classifier.

    python retrain.py --image_dir ~/flower_photos
    python label_image.py --image photo.jpg
    tensorboard --logdir /tmp/retrain_logs

Each image goes through a pretrained network once; its feature vector (the "bottleneck") is kept on disk.
A new softmax layer is trained on the vectors, and network and layer are written as one frozen graph.
"""

from __future__ import annotations

import sys

from retraining.cli import console, logs, programs
from retraining.data import dataset
from retraining.settings.retrain import RetrainSettings


def retrain(settings: RetrainSettings) -> None:
    """Run the command, stage by stage."""
    logs.configure_logging(settings.output.logging_verbosity)
    scanned = dataset.scan(settings.data, settings.outputs())

    # Imported here, since TensorFlow takes seconds to load: a mistake above is reported at once.
    from retraining.cli import log_lines
    from retraining.export import classifier_graph, writer
    from retraining.features import bottlenecks, problem_files
    from retraining.features import extractor as feature_extractor
    from retraining.features.cache import BottleneckCache
    from retraining.features.views import Views
    from retraining.model import RetrainedModel
    from retraining.training.fresh_batches import fresh_batches
    from retraining.training.tensorboard import SummaryWriter
    from retraining.training.trainer import TrainingStep

    log_lines.found(scanned)
    extractor = feature_extractor.load_extractor(settings.module)
    log_lines.loaded(extractor)

    cache = BottleneckCache(settings.module.bottleneck_dir, extractor)
    vectors = bottlenecks.compute(
        scanned, extractor, cache, Views(settings.augmentation, settings.training.seed)
    )
    problem_files.report(vectors, settings.output.summaries_dir, strict=settings.data.strict)
    if vectors.skipped:
        dataset.check(vectors.dataset)

    with SummaryWriter(settings.output.summaries_dir) as tensorboard:

        def report(step: TrainingStep) -> None:
            log_lines.training_step(step)
            tensorboard.add_report(step)

        model = RetrainedModel.train(
            vectors,
            extractor,
            settings.training,
            batches=fresh_batches(
                vectors.training, extractor, augmentation=settings.augmentation, training=settings.training
            ),
            store=writer.IntermediateGraphs(extractor, settings.output),
            on_report=report,
        )
        log_lines.evaluated(
            model.evaluation, list_misclassified=settings.output.print_misclassified_test_images
        )
        graph = classifier_graph.build(extractor, model.layer, settings.output.final_tensor_name)
        tensorboard.add_graph(graph.graph_def)

    agreed = writer.write_all(graph, model, settings.output)
    log_lines.finished(settings.output, vectors, checked_images=agreed)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the arguments `argv` (default: this process's arguments)."""
    return console.run(retrain, programs.RETRAIN, argv)


if __name__ == "__main__":
    sys.exit(main())
