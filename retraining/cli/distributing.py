"""The work of distribute: images are listed, workers compute their vectors, and what they did is printed."""

from __future__ import annotations

import contextlib
import functools
import logging
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

from retraining.cli import log_lines, programs, run_facts
from retraining.data import sample_depth
from retraining.distribution import (
    counters,
    network_file,
    outcome,
    pipeline,
    places,
    planning,
    results,
    watching,
)
from retraining.distribution.counters import Counts
from retraining.distribution.pipeline import Plan
from retraining.distribution.running import Runner
from retraining.errors import WorkFailed
from retraining.features import problem_files
from retraining.settings.data import DataSettings
from retraining.settings.distribute import DistributeSettings
from retraining.settings.export import ExportSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.output import OutputSettings
from retraining.settings.retrain import RetrainSettings
from retraining.settings.training import TrainingSettings

_MOST_TRIED = 1000  # photos that are opened to check an engine on, if none can be decoded

log = logging.getLogger(__name__)


def distribute(settings: DistributeSettings) -> None:
    """Run the command."""
    runner = Runner(settings.run.beam_flags)
    with _notes(settings.output_dir) as notes:
        listed = planning.listed(settings, notes)
        log.info("Found %s images.", f"{listed.count:,}")
        extractor = planning.extractor(listed, settings)
        log_lines.loaded(extractor, settings.module.local())
        plan = planning.plan(listed, extractor, settings, notes=notes, processors=runner.processors)
        build = functools.partial(pipeline.build, plan=plan)
        if settings.run.dry_run:
            _show(runner.steps(build), runner, plan)
            return
        network_file.write(extractor, plan.network)
        plan.shards.mark()
        log.info("Computing on %s.", runner.title)
        with watching.progress(plan.shards, total=listed.count * plan.views.most()):
            done = runner.run(build)
        outcome.warn_of_shards(plan.shards)
        skipped = outcome.write_lists(notes, settings.output_dir)
    if counts := counters.of(done):
        _print(counts)
    _check(skipped, plan, settings)
    _print_use(plan, settings)


@contextlib.contextmanager
def _notes(output_dir: str) -> Iterator[str]:
    """Yield a new folder for what workers tell this computer, which is removed at the end."""
    notes = places.join(output_dir, f".distribute-{uuid.uuid4().hex}")
    try:
        yield notes
    finally:
        with contextlib.suppress(WorkFailed):  # a store that is gone; an error before says more
            places.remove_folder(notes)


def _show(steps: Sequence[str], runner: Runner, plan: Plan) -> None:
    """Print what would be run."""
    log.info("Would run on %s, in %s groups:", runner.title, f"{plan.groups:,}")
    for step in steps:
        log.info("  %s", step)
    log.info("Vectors would be written to %s", plan.shards.folder)


def _print(counts: Counts) -> None:
    """Print what workers have counted."""
    if counts.undecided:
        sample_depth.decided_for(counts.undecided, counts.largest)
    log.info(
        "%s images, %s MB read, %s of them skipped.",
        f"{counts.images:,}",
        f"{counts.bytes / 1e6:,.1f}",
        f"{counts.failures:,}",
    )
    log.info(
        "%s bottlenecks computed, %s found in the cache, %s of duplicates computed once.",
        f"{counts.computed:,}",
        f"{counts.cached:,}",
        f"{counts.duplicates:,}",
    )
    log.info(
        "Seconds of all workers: %.1f reading, %.1f decoding, %.1f extracting.",
        counts.reading_ms / 1000,
        counts.decoding_ms / 1000,
        counts.extracting_ms / 1000,
    )


def _check(skipped: int, plan: Plan, settings: DistributeSettings) -> None:
    """Warn of skipped files. Raises WorkFailed if all were skipped, or any although `strict` is on."""
    if not skipped:
        return
    listed = places.join(settings.output_dir, problem_files.SKIPPED_FILE)
    problem_files.check_strict_count(skipped, strict=settings.data.strict, listed=f"in '{listed}'")
    if skipped == plan.images:
        raise WorkFailed(
            "none of {files} can be used; the reasons are in '{listed}'.",
            files=problem_files.number_of_files(skipped),
            listed=listed,
        )
    log.warning("%s skipped; the reasons are in %s.", problem_files.number_of_files(skipped), listed)


def _print_use(plan: Plan, settings: DistributeSettings) -> None:
    """Print where the list of usable images is, and how to train with the vectors."""
    listed = places.join(settings.output_dir, results.IMAGE_LIST)
    log.info("")
    log.info("Usable images: %s", listed)
    if all(map(places.is_local, (settings.output_dir, plan.shards.folder))):
        log.info("Train with them, without opening one:")
    else:
        listed = results.IMAGE_LIST
        folder = settings.module.local().bottleneck_dir
        log.info("Copy it, and %s into %s.", plan.shards.folder, folder)
        log.info("Then train with them, without opening one:")
    log.info("  %s", run_facts.repeated(programs.RETRAIN, _retraining(listed, settings)))


def _retraining(listed: str, settings: DistributeSettings) -> RetrainSettings:
    """Return the settings with which retrain.py finds every vector."""
    held_out = settings.data.held_out
    data = DataSettings(
        image_list=Path(listed),
        # All that the list does not say of the sets: that one was not wanted.
        testing_percentage=None if held_out.testing else 0,
        validation_percentage=None if held_out.validation else 0,
    )
    return RetrainSettings(
        data=data,
        module=settings.module.local(),
        augmentation=settings.augmentation,
        training=TrainingSettings(seed=settings.run.seed),
        fine_tuning=FineTuningSettings(),
        output=OutputSettings(),
        export=ExportSettings(),
    )
