"""JPEGs of 12 megapixels, decoded at a fraction of their size, against decoding them whole.

Images of a folder are enlarged to 12 megapixels and encoded again; others are drawn. The table shows
how many images per second each way decodes, and how close the feature vectors of both ways are.
"""

from __future__ import annotations

import dataclasses
import functools
import io
import logging
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
from PIL import Image

from benchmarks import image_folder
from benchmarks.arguments import LargePhotographsSettings
from benchmarks.figures import Figure, Rounds, print_figures, rate
from benchmarks.precision import lowest_cosine
from retraining.arrays import ImageSize, Pixels, Vectors
from retraining.data import images, prefetching, sample_photos
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.module import ModuleSettings

COUNT = 32  # of each kind
WIDTH, HEIGHT = 4000, 3000
QUALITY = 92

FASTER_TIMES = 3.0  # than decoding whole images, at least
LOWEST_COSINE = 0.995  # between the vectors of both ways, at least

log = logging.getLogger(__name__)

Decode = Callable[[bytes], Pixels]


@dataclasses.dataclass(frozen=True)
class Round:
    """Images decoded per second."""

    fraction: float
    whole: float


def run(settings: LargePhotographsSettings) -> None:
    """Measure and print the table."""
    print_figures(_figures(settings))


def _figures(settings: LargePhotographsSettings) -> Iterator[Figure]:
    extractor = load_extractor(ModuleSettings(settings.handle))
    found = image_folder.usable(settings.folder, at_least=COUNT).images
    chosen = [Image.open(image.file) for image in found[:: len(found) // COUNT][:COUNT]]
    yield from _kind_figures("enlarged images", chosen, extractor, repeat=settings.repeat)
    yield from _kind_figures("drawn images", drawn(), extractor, repeat=settings.repeat)


def drawn() -> list[Image.Image]:
    """Return drawn images."""
    kinds = [sample_photos.KINDS[seed % len(sample_photos.KINDS)] for seed in range(COUNT)]
    return [sample_photos.draw(kind, np.random.default_rng(seed)) for seed, kind in enumerate(kinds)]


def enlarged(image: Image.Image) -> bytes:
    """Return a JPEG of 12 megapixels of an image."""
    stream = io.BytesIO()
    large = image.convert("RGB").resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    large.save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()


def _kind_figures(
    kind: str, small: Sequence[Image.Image], extractor: FeatureExtractor, *, repeat: int
) -> list[Figure]:
    log.info("%s", kind)
    contents = [enlarged(image) for image in small]
    fraction = functools.partial(images.decode, size=extractor.image_size)
    whole = functools.partial(decode_whole, size=extractor.image_size)
    rounds = [Round(_rate(contents, fraction), _rate(contents, whole)) for _ in range(repeat)]
    faster = Rounds.of(each.fraction / each.whole for each in rounds).median
    cosine = lowest_cosine(_vectors(contents, fraction, extractor), _vectors(contents, whole, extractor))
    return [
        Figure(f"{kind}, decoded whole", _images_per_second(each.whole for each in rounds)),
        Figure(f"{kind}, at a fraction of their size", _images_per_second(each.fraction for each in rounds)),
        Figure(f"{kind}, times as fast", f"{faster:.1f}", f">= {FASTER_TIMES:g}", faster >= FASTER_TIMES),
        Figure(f"{kind}, lowest cosine", f"{cosine:.4f}", f">= {LOWEST_COSINE}", cosine >= LOWEST_COSINE),
    ]


def decode_whole(content: bytes, size: ImageSize) -> Pixels:
    """Return the pixels as `images.decode` does, but of the whole image."""
    with Image.open(io.BytesIO(content)) as image:
        return images.resized(image.convert("RGB"), size)


def _rate(contents: Sequence[bytes], decode: Decode) -> float:
    return rate(len(contents), lambda: list(map(len, prefetching.ahead(contents, decode, lookahead=8))))


def _vectors(contents: Sequence[bytes], decode: Decode, extractor: FeatureExtractor) -> Vectors:
    """Return float32 [n, feature_size], one row per JPEG."""
    pixels = [decode(content) for content in contents]
    starts = range(0, len(pixels), BATCH_SIZE)
    return np.concatenate([extractor.extract(np.stack(pixels[at : at + BATCH_SIZE])) for at in starts])


def _images_per_second(rates: Iterable[float]) -> str:
    return f"{Rounds.of(rates).median:.1f} images/s"
