"""The images of a comparison that are there more than once: reported, and on request kept in one set."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from retraining.data.dataset import Dataset
from retraining.features import extractor as extractors
from retraining.features import grouping, problem_files
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.views import Views
from retraining.settings.compare import CompareSettings
from retraining.settings.module import BUILTIN_SMALL


def reported(scanned: Dataset, settings: CompareSettings, modules: Mapping[str, FeatureExtractor]) -> Dataset:
    """Warn about images that are there more than once, and return the dataset, regrouped if asked for.

    They are found by the vectors of the first module, which the comparison needs anyway, or of the small one
    that ships if only networks are compared. Files that cannot be used stay where they are. Raises
    WorkFailed.
    """
    comparison = settings.comparison
    extractor = next(iter(modules.values()), None) or extractors.load_extractor(
        comparison.module(BUILTIN_SMALL)
    )
    cache = BottleneckCache(comparison.bottleneck_dir, extractor)
    computed, near = grouping.compute(
        scanned, extractor, cache, Views(), group=settings.data.group_near_duplicates
    )
    problem_files.report_duplicates(computed, near, comparison.output_dir)
    split_of = {image.file: image.split for image in computed.dataset.images}
    images = tuple(image._replace(split=split_of.get(image.file, image.split)) for image in scanned.images)
    return dataclasses.replace(scanned, images=images, significant_bits=computed.dataset.significant_bits)
