"""The split of images into training, validation and test sets, by a hash of their names."""

from __future__ import annotations

import bisect
import enum
import hashlib
import re
import struct

_HASH_RANGE = 2**27 - 1  # the published script's MAX_NUM_IMAGES_PER_CLASS

# What marks variants of one subject: the published script's own mark; and what Roboflow puts behind the name
# of a photo, as in IMG_1_jpg.rf.<hash>.jpg. Hashes of 20 letters and digits and of 32 hexadecimal digits were
# seen; to take others for hashes as well does no harm.
_VARIANT = re.compile(r"(?:_nohash_|\.rf\.[0-9A-Za-z]{8}).*$")


class Split(enum.Enum):
    """The set that an image belongs to."""

    TRAINING = "training"
    VALIDATION = "validation"
    TESTING = "testing"


# Faster to look up than an attribute of the enumeration, a hundred thousand times.
_TRAINING, _VALIDATION, _TESTING = Split


def split_of(name: str, *, validation_percentage: float, testing_percentage: float) -> Split:
    """Return the set of the image with the base name `name`.

    The published formula of TensorFlow's retrain.py. Anything from `_nohash_` on is ignored, so that
    close variants of one subject (leaf_nohash_1.jpg, leaf_nohash_2.jpg) stay in one set; so is anything from
    `.rf.` and a hash on, by which Roboflow names the variants that it makes of a photo.
    """
    (split,) = split_names(
        [name], validation_percentage=validation_percentage, testing_percentage=testing_percentage
    )
    return split


def split_names(names: list[str], *, validation_percentage: float, testing_percentage: float) -> list[Split]:
    """Return the set of each name, as `split_of` does, fast enough for a hundred thousand of them."""
    first_testing = _smallest_hash(validation_percentage)
    first_training = _smallest_hash(validation_percentage + testing_percentage)
    stems = [
        _VARIANT.sub("", name) if "_nohash_" in name or ".rf." in name else name  # the quick test first
        for name in names
    ]
    # Hash the name, not the path: moving the folder must not move images between sets.
    digests = b"".join([hashlib.sha1(stem.encode("utf-8", "surrogateescape")).digest() for stem in stems])
    # The formula's remainder modulo 2**27 is the last 27 bits, which are in the last of the five words of a
    # digest.
    hashes = [word & _HASH_RANGE for (word,) in struct.iter_unpack(">16xI", digests)]
    return [
        _TRAINING if hashed >= first_training else _VALIDATION if hashed < first_testing else _TESTING
        for hashed in hashes
    ]


def _smallest_hash(percentage: float) -> int:
    """Return the smallest hash that the formula's own arithmetic turns into `percentage` or more."""
    hashes = range(_HASH_RANGE + 1)
    return bisect.bisect_left(hashes, percentage, key=lambda hashed: hashed * (100.0 / _HASH_RANGE))
