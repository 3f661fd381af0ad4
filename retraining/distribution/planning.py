"""What a run is to do, from its settings: the images, the network, and all that workers need to know."""

from __future__ import annotations

import collections
import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterator

from retraining.data import list_reading
from retraining.data.list_reading import SetRule
from retraining.distribution import listing, network_file, photographs, pieces, places
from retraining.distribution.pieces import Piece
from retraining.distribution.pipeline import Plan
from retraining.distribution.shard_files import ShardFiles
from retraining.engines.conversion import CHECKED_PHOTOS
from retraining.features import cache
from retraining.features.extractor import FeatureExtractor, load_extractor, settled_on
from retraining.features.views import Views
from retraining.settings.distribute import DistributeSettings

_MOST_TRIED = 1000  # photos that are opened to check an engine on, if none can be decoded


@dataclasses.dataclass(frozen=True)
class Listed:
    """The list of images in pieces, and what set an image is in, if the list alone does not say it."""

    pieces: tuple[Piece, ...]
    rule: SetRule | None

    @property
    def count(self) -> int:
        """How many images there are."""
        return sum(piece.lines for piece in self.pieces)

    def some(self, step: int) -> Iterator[Callable[[], bytes]]:
        """Yield what reads each `step`-th image, _MOST_TRIED at most."""
        wanted = collections.deque(itertools.islice(range(0, self.count, step), _MOST_TRIED))
        first = 0
        for piece in self.pieces:
            if wanted and wanted[0] < first + piece.lines:
                for number, (_, image) in enumerate(pieces.images_in(piece), start=first):
                    if wanted and number == wanted[0]:
                        wanted.popleft()
                        yield functools.partial(photographs.read, image.file)
            first += piece.lines


def listed(settings: DistributeSettings, folder: str) -> Listed:
    """Return the images that the settings name; a list of those in folders is written to `folder`.

    Raises BadRequest if there are none, or a list that was given has bad lines.
    """
    found = pieces.cut(listing.write(settings.data, folder, settings.outputs()))
    given = settings.data.image_list
    rule = list_reading.set_rule(given, pieces.check(found), settings.data) if given else None
    return Listed(tuple(found), rule)


def extractor(images: Listed, settings: DistributeSettings) -> FeatureExtractor:
    """Return the extractor, with an engine that was checked on some of the images. Raises BadRequest."""
    loaded = load_extractor(settings.module.local())
    for step in (max(1, -(-images.count // CHECKED_PHOTOS)), 1):
        loaded = settled_on(loaded, images.some(step), settings.data.significant_bits)
    if loaded.conversion is not None and not loaded.conversion.content:
        return loaded.in_tensorflow()  # no photo could be decoded to check the engine on
    return loaded


def plan(
    images: Listed,
    extractor: FeatureExtractor,
    settings: DistributeSettings,
    *,
    notes: str,
    processors: int | None,
) -> Plan:
    """Return the plan of a run.

    `notes` is a folder for what workers tell this computer, and `processors` how many each worker process
    has, unless the settings say it.
    """
    folder = places.join(settings.module.bottleneck_dir, cache.folder_name(extractor))
    shards = ShardFiles(folder, extractor.feature_size, notes)
    return Plan(
        pieces=images.pieces,
        rule=images.rule,
        significant_bits=settings.data.significant_bits,
        network=network_file.of(extractor, folder),
        shards=shards,
        views=Views(settings.augmentation, settings.run.seed),
        cached=shards.count(),
        processors=settings.run.worker_threads or processors,
        notes=notes,
    )
