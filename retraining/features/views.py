"""The views that are kept of an image: the image itself, or random views of a training image."""

from __future__ import annotations

import dataclasses
import hashlib

from retraining.arrays import ImageSize
from retraining.data import augmentation
from retraining.data.split import Split
from retraining.settings.augmentation import AugmentationSettings


@dataclasses.dataclass(frozen=True)
class Views:
    """Which views are kept; without augmentation, the image itself is the only one."""

    augmentation: AugmentationSettings = AugmentationSettings()
    seed: int = 0

    def are_random(self, split: Split) -> bool:
        """Return whether random views are kept of a set's images: only ever of training images."""
        is_kept = self.augmentation.are_on() and not self.augmentation.are_fresh()
        return split is Split.TRAINING and is_kept

    def count(self, split: Split) -> int:
        """Return how many views are kept of an image of a set."""
        return self.augmentation.distorted_views if self.are_random(split) else 1

    def keys(self, split: Split, digest: bytes) -> tuple[bytes, ...]:
        """Return the cache keys of all views of the file with the SHA-256 `digest`."""
        if not self.are_random(split):
            return (digest,)
        return tuple(self._key(digest, view) for view in range(self.count(split)))

    def decoded_size(self, split: Split, size: ImageSize) -> ImageSize:
        """Return the size at which an image must be decoded at least, to give views of `size`."""
        return augmentation.least_size(size, self.augmentation) if self.are_random(split) else size

    def _key(self, digest: bytes, view: int) -> bytes:
        setting = f"{self.augmentation.key()} seed {self.seed} view {view}"
        return hashlib.sha256(digest + setting.encode()).digest()
