"""The images of a comparison that are there more than once: reported, and on request kept in one set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from retraining.data.dataset import Dataset
from retraining.features import extractor as extractors
from retraining.features import grouping, problem_files
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.features.views import Views
from retraining.settings.compare import CompareSettings
from retraining.settings.module import BUILTIN_SMALL


def reported(
    scanned: Dataset, settings: CompareSettings, modules: Mapping[str, FeatureExtractor]
) -> tuple[Dataset, NearDuplicates]:
    """Warn about images that are there more than once; return the dataset and the near-duplicates.

    The dataset is regrouped if that is asked for. Near-duplicates are found by the vectors of the first
    module, which the comparison needs anyway, or of the small one that ships if only networks are compared.
    Files that cannot be used stay where they are. Raises WorkFailed.
    """
    comparison = settings.comparison
    first = next(iter(modules.values()), None)
    extractor = first or extractors.load_extractor(comparison.module(BUILTIN_SMALL), scanned)
    cache = BottleneckCache(comparison.bottleneck_dir, extractor)
    computed, near = grouping.compute(
        scanned, extractor, cache, Views(), group=settings.data.group_near_duplicates
    )
    problem_files.report_duplicates(computed, near, comparison.output_dir)
    split_of = {image.file: image.split for image in computed.dataset.images}
    images = tuple(image._replace(split=split_of.get(image.file, image.split)) for image in scanned.images)
    bits = computed.dataset.significant_bits
    return dataclasses.replace(scanned, images=images, significant_bits=bits), near
