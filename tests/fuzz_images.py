"""Decode mutated image files, one after the other: `python -m tests.fuzz_images COUNT SEED`.

Prints how many were decoded, how many were refused, and the peak memory. Any other exception in a decoder
ends it with a traceback, and the number of the file.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import numpy as np

from retraining.arrays import ImageSize
from retraining.data import images
from retraining.errors import BadImage
from tests import image_files

SIZE = ImageSize(32, 32)


def mutated(sources: list[bytes], rng: np.random.Generator) -> bytes:
    """Return a file with a few of its bytes changed, cut out, doubled, or taken from another file."""
    content = bytearray(sources[rng.integers(len(sources))])
    for _ in range(rng.integers(1, 6)):
        if not content:
            break
        start = int(rng.integers(len(content)) * rng.choice([1, 1, 0.1]))  # headers matter more
        length = int(rng.integers(1, 1 + rng.choice([1, 4, 40])))
        kind = rng.choice(["flip", "set", "cut", "insert", "splice", "end"])
        if kind == "flip":
            content[start] ^= 1 << int(rng.integers(8))
        elif kind == "set":
            content[start : start + length] = rng.choice([b"\0", b"\xff", b"\x7f"]) * length
        elif kind == "cut":
            del content[start : start + length]
        elif kind == "insert":
            content[start:start] = rng.bytes(length)
        elif kind == "splice":
            other = sources[rng.integers(len(sources))]
            content[start : start + length] = other[start : start + length]
        else:
            del content[start:]
    return bytes(content)


def main(count: int, seed: int) -> None:
    """Decode `count` files, which depend only on `seed`."""
    warnings.filterwarnings("ignore", module="PIL")  # as logs.configure_logging does
    sources = [*image_files.usable().values(), *image_files.usable_grey().values()]
    decoded = 0
    for number in range(count):
        content = mutated(sources, np.random.default_rng([seed, number]))
        try:
            pixels = images.decode(content, SIZE)
        except BadImage:
            continue
        except BaseException:
            print(f"file {number} of seed {seed}", file=sys.stderr)
            raise
        assert pixels.shape == (32, 32, 3)
        assert 0 <= pixels.min() <= pixels.max() <= 1
        decoded += 1
    print(f"{count} files: {decoded} decoded, {count - decoded} refused, peak memory {peak_memory()} MB")


def peak_memory() -> int:
    """Return the peak memory of this process in MB; getrusage's would include that of its parent."""
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(kilobytes) // 1024


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
