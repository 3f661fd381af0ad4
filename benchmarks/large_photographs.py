"""JPEGs of 12 megapixels, decoded at a fraction of their size, against decoding them whole.

    python -m benchmarks.large_photographs FOLDER HANDLE

Photographs of FOLDER are enlarged to 12 megapixels and encoded again; others are drawn. Prints how
many images a second each way comes to, and the cosine between the vectors that a module makes of both.
"""

from __future__ import annotations

import argparse
import functools
import io
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks import photographs
from benchmarks.rounds import Rounds, rate
from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data import images, prefetching, sample_photos
from retraining.features import extractor
from retraining.features.extractor import BATCH_SIZE, FeatureExtractor
from retraining.settings.module import ModuleSettings

COUNT = 32  # of each kind
WIDTH, HEIGHT = 4000, 3000
QUALITY = 92
ROUNDS = 5


def enlarged(image: Image.Image) -> bytes:
    """Return a JPEG of 12 megapixels of an image."""
    stream = io.BytesIO()
    large = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    large.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def drawn() -> list[bytes]:
    """Return drawn photographs."""
    kinds = [sample_photos.KINDS[seed % len(sample_photos.KINDS)] for seed in range(COUNT)]
    return [
        enlarged(sample_photos.draw(kind, np.random.default_rng(seed))) for seed, kind in enumerate(kinds)
    ]


def decode_whole(content: bytes, size: ImageSize) -> Pixels:
    """Return the pixels as `images.decode` does, but of the whole image."""
    with Image.open(io.BytesIO(content)) as image:
        return images.resized(image.convert("RGB"), size)


def vectors(pixels: Sequence[Pixels], network: FeatureExtractor) -> Vectors:
    """Return float32 [n, feature_size] of decoded images."""
    starts = range(0, len(pixels), BATCH_SIZE)
    return np.concatenate([network.extract(np.stack(pixels[at : at + BATCH_SIZE])) for at in starts])


def report(kind: str, contents: Sequence[bytes], network: FeatureExtractor) -> None:
    """Measure in rounds and print a line."""
    ways = {
        "fraction": functools.partial(images.decode, size=network.image_size),
        "whole": functools.partial(decode_whole, size=network.image_size),
    }
    rates: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, decode in ways.items():
            work = functools.partial(prefetching.ahead, contents, decode, lookahead=8)
            rates[name].append(rate(len(contents), lambda work=work: list(map(len, work()))))  # type: ignore[misc]
    ratios = Rounds.of(ours / whole for ours, whole in zip(rates["fraction"], rates["whole"], strict=True))
    made = {
        name: vectors([decode(content) for content in contents], network) for name, decode in ways.items()
    }
    lengths = np.linalg.norm(made["fraction"], axis=1) * np.linalg.norm(made["whole"], axis=1)
    cosines = (made["fraction"] * made["whole"]).sum(axis=1) / lengths
    print(
        f"{kind}: {Rounds.of(rates['whole']).median:.1f} images/s whole, "
        f"{Rounds.of(rates['fraction']).median:.1f} at a fraction, {ratios.median:.1f} times; "
        f"cosine at least {cosines.min():.4f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.large_photographs")
    parser.add_argument("folder", type=Path)
    parser.add_argument("handle")
    given = parser.parse_args()
    network = extractor.load(ModuleSettings(given.handle))
    found = photographs.usable(given.folder, at_least=COUNT).images
    chosen = found[:: len(found) // COUNT][:COUNT]
    report("enlarged photographs", [enlarged(Image.open(image.file)) for image in chosen], network)
    report("drawn photographs", drawn(), network)


if __name__ == "__main__":
    main()
