"""Turn a folder or a list of images into an image classifier.

    python retrain.py --image_dir ~/flower_photos
    python label_image.py --image photo.jpg
    tensorboard --logdir /tmp/retrain_logs

Each image goes through a pretrained network once; its feature vector (the "bottleneck") is kept on disk.
A new softmax layer is trained on the vectors; with --fine_tune, the last blocks of the network are trained
with it. Network and layer are written as one frozen graph.
"""

from __future__ import annotations

import functools
import sys
from typing import TYPE_CHECKING

from retraining.cli import console, logs, programs
from retraining.data import dataset, needed_files
from retraining.fine_tuning import validation_images
from retraining.settings.retrain import RetrainSettings

if TYPE_CHECKING:
    from collections.abc import Callable

    from retraining.data.dataset import Dataset
    from retraining.export.outputs import Outputs
    from retraining.features.bottleneck_sets import Bottlenecks
    from retraining.features.extractor import FeatureExtractor
    from retraining.features.near_duplicates import NearDuplicates
    from retraining.fine_tuning.learner import TrainedWeights
    from retraining.model import RetrainedModel
    from retraining.process import Work
    from retraining.report.making import Reporter
    from retraining.training.learning_curve import Epoch
    from retraining.training.tensorboard import SummaryWriter
    from retraining.training.trainer import TrainingStep


def retrain(settings: RetrainSettings) -> None:
    """Run the command, stage by stage."""
    logs.configure_logging(settings.output.logging_verbosity)
    exporting, reporter = prepare_export(settings), prepare_report(settings)
    images = dataset.scan(settings.data, settings.outputs())
    validation_images.check(images, settings.fine_tuning)
    needed_files.check(images, settings.data, settings.augmentation, settings.fine_tuning, settings.export)

    # Imported here, since TensorFlow takes seconds to load: a mistake above is reported at once.
    from retraining.assessment.assessment import try_to_assess
    from retraining.cli import log_lines, run_facts
    from retraining.features.extractor import load_extractor
    from retraining.fine_tuning import network_blocks
    from retraining.training import class_results
    from retraining.training.tensorboard import SummaryWriter

    log_lines.found(images)
    extractor = load_extractor(settings.module, images)
    log_lines.loaded(extractor, settings.module)
    network_blocks.check(extractor, settings.fine_tuning)
    bottlenecks, near = compute_bottlenecks(images, extractor, settings)

    with SummaryWriter(settings.output.summaries_dir) as tensorboard:
        model = train(bottlenecks, extractor, settings, tensorboard)
        model = fine_tune(model, settings)
        assessment = try_to_assess(model, settings.training, near, frozen=bottlenecks)
        model = model.with_assessment(assessment)
        class_results.write(model.class_results, settings.output.summaries_dir)
        log_lines.evaluated(model, settings.output)
        formats = settings.export.formats
        exporting.start(model.for_export(formats), settings.output, formats, seed=settings.training.seed)
        if reporter is not None:  # perhaps while another process writes the graph
            reporter.look_at(model, assessment)
        written = exporting.result()
        tensorboard.add_graph(written.graph)

    log_lines.finished(settings.output, bottlenecks, checked_images=written.checked_images)
    log_lines.exported(written.judgements)
    if reporter is not None:
        lists = settings.output.summaries_dir
        run = run_facts.of(
            programs.RETRAIN,
            settings,
            lists,
            judgements=written.judgements,
            curve=model.curve,
            curve_unit=model.curve_unit,
        )
        log_lines.reported(*reporter.make(run))
    log_lines.check_exported(written.judgements, formats)


def compute_bottlenecks(
    images: Dataset, extractor: FeatureExtractor, settings: RetrainSettings
) -> tuple[Bottlenecks, NearDuplicates]:
    """Return the feature vectors of all usable images, and groups of images that show nearly the same.

    Files that cannot be used are listed and warned of.
    """
    from retraining.features import grouping, lost_classes, problem_files
    from retraining.features.cache import BottleneckCache
    from retraining.features.views import Views

    cache = BottleneckCache(settings.module.bottleneck_dir, extractor)
    views = Views(settings.augmentation, settings.training.seed)
    computed, near = grouping.compute(
        images, extractor, cache, views, group=settings.data.group_near_duplicates
    )
    problem_files.report(computed, near, settings.output.summaries_dir, strict=settings.data.strict)
    lost_classes.check(images, computed.dataset, computed.skipped)
    return computed, near


def train(
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
    settings: RetrainSettings,
    tensorboard: SummaryWriter,
) -> RetrainedModel:
    """Return the trained model; its progress is printed, and written for TensorBoard."""
    from retraining.cli import log_lines
    from retraining.export import writer
    from retraining.model import RetrainedModel
    from retraining.training.fresh_batches import fresh_batches

    def report(step: TrainingStep) -> None:
        log_lines.training_step(step)
        tensorboard.add_report(step)

    return RetrainedModel.train(
        bottlenecks,
        extractor,
        settings.training,
        batches=fresh_batches(
            bottlenecks, extractor, augmentation=settings.augmentation, training=settings.training
        ),
        store=writer.IntermediateGraphs(extractor, settings.output, bottlenecks.dataset.significant_bits),
        on_report=report,
    )


def fine_tune(model: RetrainedModel, settings: RetrainSettings) -> RetrainedModel:
    """Return the model with its network's last blocks trained too, if that is asked for and better."""
    if not settings.fine_tuning.fine_tune:
        return model

    from retraining.cli import log_lines
    from retraining.fine_tuning.tuner import Tuner
    from retraining.training.tensorboard import SummaryWriter
    from retraining.training.trainer import TrainingStep

    tuner = Tuner(
        model,
        settings.fine_tuning,
        augmentation=settings.augmentation,
        training=settings.training,
        bottleneck_dir=settings.module.bottleneck_dir,
    )
    log_lines.fine_tuning(tuner)
    with SummaryWriter(settings.output.summaries_dir / "fine_tuning") as tensorboard:
        epochs: list[Epoch] = []

        def report(number: int, epoch: Epoch, trained: TrainedWeights) -> None:
            epochs.append(epoch)
            log_lines.epoch_done("Fine-tuning", number, epoch, epochs=tuner.epochs)
            tensorboard.add_report(TrainingStep(number, trained.layer, epoch.training, epoch.validation))

        tuned = tuner.run(report)
    log_lines.fine_tuned(tuned)
    return tuned.model.with_epochs(epochs) if tuned.is_used else tuned.model


def prepare_export(settings: RetrainSettings) -> Work[Outputs]:
    """Return what writes the graph, and what goes with it.

    Where an earlier run has kept a network, this one may need TensorFlow for nothing else. It is imported in
    a process of its own then, while this one computes vectors and trains.
    """
    from retraining.export import outputs
    from retraining.graphs import quiet_tensorflow
    from retraining.process import HereAndNow, WorkProcess

    is_first = not settings.module.networks_dir.is_dir()
    if is_first or quiet_tensorflow.is_loaded() or settings.fine_tuning.fine_tune:
        return HereAndNow(outputs.write)
    prepare = functools.partial(begin_process, settings.output.logging_verbosity, quiet_tensorflow.load)
    return WorkProcess(outputs.write, prepare, task="writes the graph")


def prepare_report(settings: RetrainSettings) -> Reporter | None:
    """Return what makes the report, in a process that imports what it needs for that; None for no report."""
    from retraining.graphs import quiet_tensorflow
    from retraining.process import HereAndNow, WorkProcess
    from retraining.report import making

    path = settings.output.report_path
    if path is None:
        return None
    work: Work[making.Made] = HereAndNow(making.make)
    if not quiet_tensorflow.is_loaded():  # as it is in a notebook, which may hold much else
        prepare = functools.partial(begin_process, settings.output.logging_verbosity, making.prepare)
        work = WorkProcess(making.make, prepare, task="makes the report")
    places = making.Places(path, settings.output.summaries_dir, settings.data)
    return making.Reporter(work, places)


def begin_process(verbosity: str, load: Callable[[], None]) -> None:
    """Prepare a process for its work: it logs as this one does, and imports what it needs."""
    logs.configure_logging(verbosity)
    load()


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the arguments `argv` (default: this process's arguments)."""
    return console.run(retrain, programs.RETRAIN, argv)


if __name__ == "__main__":
    sys.exit(main())
