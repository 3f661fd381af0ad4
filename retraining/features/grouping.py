"""Feature vectors of a dataset whose near-duplicates are found, and on request kept in one set."""

from __future__ import annotations

import collections
import dataclasses
import logging
from collections.abc import Sequence

from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.errors import BadRequest
from retraining.features import bottlenecks, near_duplicates
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import Groups, NearDuplicates
from retraining.features.views import Views

log = logging.getLogger(__name__)


def compute(
    dataset: Dataset, extractor: FeatureExtractor, cache: BottleneckCache, views: Views, *, group: bool
) -> tuple[Bottlenecks, NearDuplicates]:
    """Return the vectors as `bottlenecks.compute` does, and the near-duplicates.

    With `group`, every group of near-duplicates or identical files is in one set. Raises BadRequest if a
    class then has no training images, and WorkFailed.
    """
    if not group:
        computed = bottlenecks.compute(dataset, extractor, cache, views)
        return computed, near_duplicates.find(computed)
    plain = bottlenecks.compute(dataset, extractor, cache)
    near = near_duplicates.find(plain, cache.folder)
    regrouped = kept_together(plain.dataset, plain.digests, near.groups)
    if regrouped == plain.dataset and not views.are_random(Split.TRAINING):
        return plain, near
    # The plain vectors, of which most are needed again, are in the cache by now.
    computed = bottlenecks.compute(regrouped, extractor, cache, views)
    return dataclasses.replace(computed, skipped=plain.skipped + computed.skipped), near


def kept_together(dataset: Dataset, digests: Sequence[bytes], near: Groups) -> Dataset:
    """Return the dataset with each group of near-duplicates or identical files in one set.

    `digests` are the SHA-256 of the files. A group goes to the set of its image with the smallest one, so it
    depends on no other image and on no order, and groups are split in the proportions that images are. (The
    smallest hash of their names would not do: it decides the set, and small ones are held out.) Raises
    BadRequest if a class has no training images left.
    """
    set_of = _sets_of_groups(dataset.images, digests, near)
    moved = tuple(image._replace(split=set_of.get(image.file, image.split)) for image in dataset.images)
    count = sum(old.split is not new.split for old, new in zip(dataset.images, moved, strict=True))
    log.info("Near-duplicates are kept in one set: %s.", f"{count:,} image{'' if count == 1 else 's'} moved")
    regrouped = dataclasses.replace(dataset, images=moved)
    _check_training_images(dataset, regrouped)
    return regrouped


def _sets_of_groups(
    items: Sequence[LabelledImage], digests: Sequence[bytes], near: Groups
) -> dict[str, Split]:
    """Return the set of each file that is in a group."""
    near_group = {file: group[0] for group in near for file in group}
    groups: dict[str | bytes, list[tuple[bytes, str, Split, str]]] = collections.defaultdict(list)
    for image, digest in zip(items, digests, strict=True):
        # Files with the same content are told apart by their base names: a moved folder changes nothing.
        rank = (digest, image.path.name, image.split, image.file)
        groups[near_group.get(image.file, digest)].append(rank)
    return {
        file: min(group, key=lambda ranked: ranked[:2])[2]
        for group in groups.values()
        if len(group) > 1
        for _, _, _, file in group
    }


def _check_training_images(before: Dataset, after: Dataset) -> None:
    had = {image.label for image in before.images if image.split is Split.TRAINING}
    has = {image.label for image in after.images if image.split is Split.TRAINING}
    for label in sorted(had - has):
        raise BadRequest(
            "{group_near_duplicates} leaves class '{label}' without training images: nearly all of its "
            "images show the same. Turn it off, or add images that differ.",
            label=before.labels[label],
        )
