"""Turn a folder of photographs, one sub-folder per class, into an image classifier.

    python retrain.py --image_dir ~/flower_photos
    python label_image.py --image photo.jpg
    tensorboard --logdir /tmp/retrain_logs

Each image goes once through a pretrained network; its feature vector (the "bottleneck") is kept on
disk. A new softmax layer is trained on the vectors, and both are written as one frozen graph.
"""

from __future__ import annotations

import sys

from retraining.cli import console
from retraining.data import dataset
from retraining.settings.options import RetrainOptions, parse_retrain


def retrain(options: RetrainOptions) -> None:
    """Do all that the command line asks for, stage by stage."""
    console.configure_logging(options.output.logging_verbosity)
    images = dataset.scan(options.data, options.outputs())

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.cli import log_lines
    from retraining.export import writer
    from retraining.features import bottlenecks, extractor, problem_files
    from retraining.features.cache import BottleneckCache
    from retraining.training import evaluation, softmax_layer, tensorboard
    from retraining.training.fresh_batches import FreshViews

    log_lines.found(images)
    network = extractor.load(options.module)
    log_lines.loaded(network)

    cache = BottleneckCache(options.module.bottleneck_dir, network)
    views = bottlenecks.Views(options.distortions, options.training.seed)
    vectors = bottlenecks.compute(images, network, cache, views)
    problem_files.report(vectors, options.output.summaries_dir, strict=options.data.strict)
    if vectors.skipped:
        dataset.check(vectors.dataset)

    with tensorboard.SummaryWriter(options.output.summaries_dir) as summaries:

        def report(state: softmax_layer.Report) -> None:
            log_lines.report(state)
            summaries.add_report(state)

        store = writer.IntermediateGraphs(network, options.output)
        fresh = FreshViews(vectors.training, network, options=options.distortions, settings=options.training)
        batches = fresh.batches() if options.distortions.are_fresh() else None
        layer = softmax_layer.train(vectors, options.training, batches=batches, store=store, on_report=report)
        result = evaluation.evaluate(layer, vectors, options.training)
        log_lines.evaluated(result, list_misclassified=options.output.print_misclassified_test_images)

        graph = writer.build(network, layer, options.output.final_tensor_name)
        summaries.add_graph(graph.graph_def)

    agreed = writer.write_all(graph, options.output, layer=layer, bottlenecks=vectors, extractor=network)
    log_lines.finished(options.output, vectors, checked_images=agreed)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(retrain, parse=parse_retrain, argv=argv, name="retrain")


if __name__ == "__main__":
    sys.exit(main())
