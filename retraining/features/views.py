"""Which views of an image get a feature vector: the image itself, or random views of a training image."""

from __future__ import annotations

import dataclasses
import hashlib

from retraining.arrays import ImageSize
from retraining.data import augmentation
from retraining.data.split import Split
from retraining.settings.augmentation import AugmentationSettings


@dataclasses.dataclass(frozen=True)
class Views:
    """The views whose vectors are cached; without augmentation, the image itself is the only one."""

    augmentation: AugmentationSettings = AugmentationSettings()
    seed: int = 0

    def are_random(self, split: Split) -> bool:
        """Return whether a set has random views: only the training set may have."""
        are_cached = self.augmentation.are_on() and not self.augmentation.are_fresh()
        return split is Split.TRAINING and are_cached

    def count(self, split: Split) -> int:
        """Return how many views an image of this set has."""
        return self.augmentation.distorted_views if self.are_random(split) else 1

    def most(self) -> int:
        """Return how many views an image has at most."""
        return max(map(self.count, Split))

    def keys(self, split: Split, identity: bytes) -> tuple[bytes, ...]:
        """Return the cache keys of all views of the file with this `images.identity`."""
        if not self.are_random(split):
            return (identity,)
        return tuple(self._key(identity, view) for view in range(self.count(split)))

    def decoded_size(self, split: Split, size: ImageSize) -> ImageSize:
        """Return the smallest size to decode an image at, so that it can give views of `size`."""
        return augmentation.least_size(size, self.augmentation) if self.are_random(split) else size

    def _key(self, identity: bytes, view: int) -> bytes:
        setting = f"{self.augmentation.key()} seed {self.seed} view {view}"
        return hashlib.sha256(identity + setting.encode()).digest()
