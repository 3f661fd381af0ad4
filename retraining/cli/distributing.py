"""The work of distribute: images are listed, their vectors computed by workers, and what they did is printed."""

from __future__ import annotations

import contextlib
import functools
import logging
import uuid
from collections.abc import Callable, Iterator, Sequence

from apache_beam import Pipeline

from retraining.cli import commands, log_lines
from retraining.data import sample_depth
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
from retraining.errors import UserError
from retraining.features import cache, problem_files
from retraining.features.extractor import FeatureExtractor, load_extractor, settled_on
from retraining.features.views import Views
from retraining.settings.distribute import DistributeSettings

log = logging.getLogger(__name__)


def distribute(settings: DistributeSettings) -> None:
    """Run the command."""
    runner = Runner(settings.run.beam_flags)
    with _notes(settings.output_dir) as notes:
        listed = tuple(pieces.cut(listing.write(settings.data, notes, settings.outputs())))
        log.info("Found %s images.", f"{sum(piece.lines for piece in listed):,}")
        extractor = _extractor(listed, settings)
        plan = _plan(listed, extractor, notes, settings)
        build = functools.partial(pipeline.build, plan=plan)
        if settings.run.dry_run:
            return _show(runner, build)
        log.info("Computing on %s.", runner.title)
        known = set(plan.shards.names())
        most = sum(piece.lines for piece in listed) * _most_views(plan.views)
        with watching.progress(plan.shards, known=known, total=most):
            counts = counters.of(runner.run(build))
        _report(counts, plan, settings)
    return None
