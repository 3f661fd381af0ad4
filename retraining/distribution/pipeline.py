"""The pipeline: from a list of images to feature vectors in the cache."""

from __future__ import annotations

import dataclasses

import apache_beam as beam

from retraining.data.list_reading import SetRule
from retraining.distribution import reading, results
from retraining.distribution.copies import REASONS, SPARES, FailSpares
from retraining.distribution.keys import CachedKeys, MissingVectors, ShardNames, WantVectors
from retraining.distribution.network_file import NetworkFile
from retraining.distribution.pieces import Piece
from retraining.distribution.reading import ReadImages
from retraining.distribution.results import FAILURES, IMAGES, WriteParts
from retraining.distribution.shard_files import ShardFiles
from retraining.distribution.vectors import ComputeVectors
from retraining.features.views import Views

# How many images a group has, on average: at most so many that their vectors fit into a shard, and in small
# data sets fewer, so that there are groups for several workers.
_MOST_IMAGES, _FEWEST_IMAGES = 192, 64
_WANTED_GROUPS = 16
# How many keys of the cache a group is compared with, at most.
_MOST_CACHED = 10_000

_MISSING = "missing"


@dataclasses.dataclass(frozen=True)
class Plan:
    """What a run is to do: all that workers need to know.

    `rule` says what set an image is in, if the list alone does not. `notes` is the folder of what workers
    tell this computer. `cached` is how many vectors of this network the cache has already. `processors` is
    how many a worker process is to use, None for all.
    """

    pieces: tuple[Piece, ...]
    rule: SetRule | None
    significant_bits: int | None
    network: NetworkFile
    shards: ShardFiles
    views: Views
    cached: int
    processors: int | None
    notes: str

    @property
    def images(self) -> int:
        """How many images are listed."""
        return sum(piece.lines for piece in self.pieces)

    @property
    def groups(self) -> int:
        """How many groups the vectors are computed in: the shards of a run depend on that.

        So it is not of the cache, which has more vectors when a run that was ended goes on.
        """
        size = min(_MOST_IMAGES, max(_FEWEST_IMAGES, self.images // _WANTED_GROUPS))
        return -(-self.images // size)

    @property
    def compared_in(self) -> int:
        """How many groups the vectors wanted are compared in with those that the cache has."""
        return max(self.groups, self.cached // _MOST_CACHED)


def build(pipeline: beam.Pipeline, plan: Plan) -> None:
    """Add the steps of a plan to a pipeline."""
    pieces = pipeline | "pieces" >> beam.Create(plan.pieces) | beam.Reshuffle()
    images = pieces | "read images" >> beam.ParDo(
        ReadImages(plan.rule, plan.significant_bits, processors=plan.processors)
    )
    images = images | "decide depth" >> beam.Map(reading.decided, _largest(images))

    failures = _failures(_missing(images, _cached(pipeline, plan), plan), plan)
    by_piece = images | "by piece" >> beam.Map(results.by_piece)
    outcome = {IMAGES: by_piece, FAILURES: failures} | "outcomes" >> beam.CoGroupByKey()
    _ = outcome | "write lists" >> beam.ParDo(WriteParts(plan.notes))


def _largest(images: beam.PCollection) -> beam.pvalue.AsSingleton:
    """Return the largest value in all 16-bit images that do not record how many bits they use."""
    values = images | "largest values" >> beam.Map(reading.largest)
    return beam.pvalue.AsSingleton(values | "largest" >> beam.CombineGlobally(reading.largest_of))


def _cached(pipeline: beam.Pipeline, plan: Plan) -> beam.PCollection:
    """Return the keys that the cache has, by group."""
    names = pipeline | "cache" >> beam.Create([""]) | "list shards" >> beam.ParDo(ShardNames(plan.shards))
    return (
        names
        | "spread shards" >> beam.Reshuffle()
        | "read keys" >> beam.ParDo(CachedKeys(plan.shards, plan.compared_in))
    )


def _missing(images: beam.PCollection, cached: beam.PCollection, plan: Plan) -> beam.pvalue.DoOutputsTuple:
    """Return the vectors that are to be computed, and SPARES."""
    wanted = images | "want vectors" >> beam.ParDo(WantVectors(plan.views, plan.compared_in))
    # Not CoGroupByKey, which holds all of a group in memory.
    group = (wanted, cached) | "wanted and cached" >> beam.Flatten() | "compare" >> beam.GroupByKey()
    return group | "missing vectors" >> beam.ParDo(MissingVectors(plan.groups)).with_outputs(
        SPARES, main=_MISSING
    )


def _failures(missing: beam.pvalue.DoOutputsTuple, plan: Plan) -> beam.PCollection:
    """Compute the vectors. Return the images that cannot be used."""
    step = ComputeVectors(
        plan.network, plan.shards, plan.views, has_numbers=plan.cached > 0, processors=plan.processors
    )
    computed = (
        missing[_MISSING]
        | "group" >> beam.GroupByKey()
        | "compute vectors" >> beam.ParDo(step).with_outputs(REASONS, main=FAILURES)
    )
    spares = (
        (missing[SPARES], computed[REASONS])
        | "spares and reasons" >> beam.Flatten()
        | "by content" >> beam.GroupByKey()
        | "unusable spares" >> beam.ParDo(FailSpares())
    )
    return (computed[FAILURES], spares) | "failures" >> beam.Flatten()
