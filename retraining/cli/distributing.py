"""The work of distribute: images are listed, workers compute their vectors, and what they did is printed."""

from __future__ import annotations

import collections
import contextlib
import functools
import itertools
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from retraining.cli import log_lines, programs, run_facts
from retraining.data import list_reading, sample_depth
from retraining.data.list_reading import SetRule
from retraining.distribution import (
    counters,
    listing,
    network_file,
    outcome,
    photographs,
    pieces,
    pipeline,
    places,
    results,
    watching,
)
from retraining.distribution.counters import Counts
from retraining.distribution.pieces import Piece
from retraining.distribution.pipeline import Plan
from retraining.distribution.running import Runner
from retraining.distribution.shard_files import ShardFiles
from retraining.engines.conversion import CHECKED_PHOTOS
from retraining.errors import WorkFailed
from retraining.features import cache, problem_files
from retraining.features.extractor import FeatureExtractor, load_extractor, settled_on
from retraining.features.views import Views
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
        listed = pieces.cut(listing.write(settings.data, notes, settings.outputs()))
        rule = _set_rule(listed, settings)
        log.info("Found %s images.", f"{_count(listed):,}")
        extractor = _extractor(listed, settings)
        plan = _plan(
            listed,
            rule,
            extractor,
            notes=notes,
            processors=settings.run.worker_threads or runner.processors,
            settings=settings,
        )
        build = functools.partial(pipeline.build, plan=plan)
        if settings.run.dry_run:
            _show(runner.steps(build), runner, plan)
            return
        network_file.write(extractor, plan.network)
        plan.shards.mark()
        log.info("Computing on %s.", runner.title)
        with watching.progress(plan.shards, total=plan.images * plan.views.most()):
            done = runner.run(build)
        outcome.warn_of_shards(plan.shards)
        skipped = outcome.write_lists(notes, settings.output_dir)
    if counts := counters.of(done):
        _print(counts)
    _print_use(plan.images, skipped, settings)


@contextlib.contextmanager
def _notes(output_dir: str) -> Iterator[str]:
    """Yield a new folder for what workers tell this computer, which is removed at the end."""
    notes = places.join(output_dir, f".distribute-{uuid.uuid4().hex}")
    try:
        yield notes
    finally:
        with contextlib.suppress(WorkFailed):  # a store that is gone; an error before says more
            places.remove_folder(notes)


def _count(listed: Sequence[Piece]) -> int:
    return sum(piece.lines for piece in listed)


def _extractor(listed: Sequence[Piece], settings: DistributeSettings) -> FeatureExtractor:
    """Return the extractor, with an engine that was checked on some of the images."""
    module = settings.module.local()
    bits = settings.data.significant_bits
    extractor = load_extractor(module)
    for step in (max(1, -(-_count(listed) // CHECKED_PHOTOS)), 1):
        extractor = settled_on(extractor, _some_photos(listed, step), bits)
    if extractor.conversion is not None and not extractor.conversion.content:
        extractor = extractor.in_tensorflow()  # no photo could be decoded to check the engine on
    log_lines.loaded(extractor, module)
    return extractor


def _some_photos(listed: Sequence[Piece], step: int) -> Iterator[Callable[[], bytes]]:
    """Yield what reads each `step`-th image of a list, _MOST_TRIED at most."""
    numbers = itertools.islice(range(0, _count(listed), step), _MOST_TRIED)
    first = 0
    wanted = collections.deque(numbers)
    for piece in listed:
        if not wanted:
            return
        if wanted[0] < first + piece.lines:
            for number, (_, image) in enumerate(pieces.images_in(piece), start=first):
                if wanted and number == wanted[0]:
                    wanted.popleft()
                    yield functools.partial(photographs.read, image.file)
        first += piece.lines


def _set_rule(listed: Sequence[Piece], settings: DistributeSettings) -> SetRule | None:
    """Check a list that was given, and return how its images come into sets; None for that of a folder."""
    given = settings.data.image_list
    return list_reading.set_rule(given, pieces.check(listed), settings.data) if given else None


def _plan(
    listed: Sequence[Piece],
    rule: SetRule | None,
    extractor: FeatureExtractor,
    *,
    notes: str,
    processors: int | None,
    settings: DistributeSettings,
) -> Plan:
    folder = places.join(settings.module.bottleneck_dir, cache.folder_name(extractor))
    shards = ShardFiles(folder, extractor.feature_size, notes)
    return Plan(
        pieces=tuple(listed),
        rule=rule,
        significant_bits=settings.data.significant_bits,
        network=network_file.of(extractor, folder),
        shards=shards,
        views=Views(settings.augmentation, settings.run.seed),
        has_numbers=bool(shards.names()),
        processors=processors,
        notes=notes,
    )


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
        "%s images (%s MB) read, %s of them skipped.",
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


def _print_use(images: int, skipped: int, settings: DistributeSettings) -> None:
    """Print where the lists are, and how to train with the vectors.

    Raises WorkFailed if all images were skipped, or any although `strict` is on.
    """
    listed = places.join(settings.output_dir, results.IMAGE_LIST)
    skipped_list = places.join(settings.output_dir, problem_files.SKIPPED_FILE)
    if skipped:
        problem_files.check_strict_count(skipped, strict=settings.data.strict, listed=f"in '{skipped_list}'")
        if skipped == images:
            raise WorkFailed(
                "none of the {files} can be used; the reasons are in '{list}'.",
                files=problem_files.files(skipped),
                list=skipped_list,
            )
        log.warning("%s skipped; the reasons are in %s.", problem_files.files(skipped), skipped_list)
    log.info("")
    log.info("Usable images: %s", listed)
    log.info("Train with them, without opening one:")
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
