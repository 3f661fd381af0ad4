"""Near-duplicates: how many altered copies of photos are found, and the time to propose pairs of vectors.

The first tables are for the photos of a folder and copies of them altered in one way at a time: the recall is
the share of copies that are in the group of their photo, the precision that of pairs within groups that are
of the same photo. The last table is for made vectors, 1,280 wide: random, or copies of photos in classes.
"""

from __future__ import annotations

import io
import itertools
import logging
import tempfile
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance

from benchmarks import image_folder
from benchmarks.arguments import NearDuplicatesSettings
from benchmarks.figures import MB, print_table, seconds
from retraining.arrays import Vectors
from retraining.data import images
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.features import bottlenecks, near_duplicates, neighbours
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.neighbours import Blocks, Pairs
from retraining.settings.module import ModuleSettings

COPY_COLUMNS = ("module", "copies", "recall, even photos", "recall, odd photos", "precision")
TIME_COLUMNS = ("vectors", "how many", "time", "times the one before", "memory", "pairs", "recall")

LEAST_PHOTOS = 20
WIDTH = 1280
COPIES = 5  # made vectors of one photo
CLASSES = 50
LEAST_COSINE = 0.4
NEAR_COSINE = 0.9  # of copies; photos of one class come to 0.8
NEIGHBOURS = 6

_ROWS_AT_ONCE = 1024

log = logging.getLogger(__name__)

Alter = Callable[[Image.Image, np.random.Generator], bytes]


def _jpeg(image: Image.Image, quality: int = 92) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def _resized(image: Image.Image) -> Image.Image:
    return image.resize((image.width * 6 // 10, image.height * 6 // 10), Image.Resampling.BICUBIC)


def _without_a_side(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return the image without 5 % at one side."""
    cut = [0, 0, 0, 0]
    side = int(rng.integers(4))
    cut[side] = int(0.05 * image.size[side % 2])
    return image.crop((cut[0], cut[1], image.width - cut[2], image.height - cut[3]))


def _window(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Return a part of 95 % by 95 % of the image, anywhere in it."""
    left, top = (int(rng.integers(side // 20 + 1)) for side in image.size)
    return image.crop((left, top, left + image.width * 95 // 100, top + image.height * 95 // 100))


def _mirrored(image: Image.Image) -> Image.Image:
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)


def _brightened(image: Image.Image) -> Image.Image:
    brighter: Image.Image = ImageEnhance.Brightness(image).enhance(1.2)
    return brighter


ALTERED: dict[str, Alter] = {
    "resized to 60 %": lambda image, _: _jpeg(_resized(image)),
    "re-encoded at quality 40": lambda image, _: _jpeg(image, 40),
    "cropped by 5 % at one side": lambda image, rng: _jpeg(_without_a_side(image, rng)),
    "a window of 95 % by 95 %": lambda image, rng: _jpeg(_window(image, rng)),
    "mirrored": lambda image, _: _jpeg(_mirrored(image)),
    "brightened by 20 %": lambda image, _: _jpeg(_brightened(image)),
    "window, mirrored, brightened, 60 %, quality 40": lambda image, rng: _jpeg(
        _resized(_brightened(_mirrored(_window(image, rng)))), 40
    ),
}


def run(settings: NearDuplicatesSettings) -> None:
    """Measure and print the tables."""
    photos = image_folder.usable(settings.folder, at_least=LEAST_PHOTOS)
    with tempfile.TemporaryDirectory(prefix="bench_") as scratch:
        print_table(COPY_COLUMNS, _copy_rows(photos, settings.handles, Path(scratch)))
    print()
    print_table(TIME_COLUMNS, _time_rows(settings.counts))


def _copy_rows(photos: Dataset, handles: Sequence[str], scratch: Path) -> Iterator[tuple[str, ...]]:
    copies = {
        what: _write(photos, alter, scratch / str(n)) for n, (what, alter) in enumerate(ALTERED.items())
    }
    for handle in handles:
        extractor = load_extractor(ModuleSettings(handle))
        cache = BottleneckCache(scratch / "cache", extractor)
        groups = _groups(photos.images, extractor, cache)
        for group in groups:
            log.info("photos of one group: %s", ", ".join(group))
        share = sum(len(group) - 1 for group in groups) / len(photos.images)
        yield extractor.name, f"none: {len(groups)} groups among the photos, {share:.1%}", "", "", ""
        for what, files in copies.items():
            log.info("%s: %s", extractor.name, what)
            found = _groups((*photos.images, *files), extractor, cache)
            yield extractor.name, what, *_shares(photos.images, files, found)


def _write(photos: Dataset, alter: Alter, folder: Path) -> list[LabelledImage]:
    """Write an altered copy of each photo, in their order."""
    folder.mkdir()
    copies = []
    for number, photo in enumerate(photos.images):
        path = folder / f"{number}.jpg"
        path.write_bytes(alter(images.upright(images.read(photo.path)), np.random.default_rng(number)))
        copies.append(LabelledImage(str(path), photo.label, Split.TRAINING))
    return copies


def _groups(
    items: Sequence[LabelledImage], extractor: FeatureExtractor, cache: BottleneckCache
) -> near_duplicates.Groups:
    return near_duplicates.find(bottlenecks.compute(Dataset((), tuple(items)), extractor, cache)).groups


def _shares(
    photos: Sequence[LabelledImage], copies: Sequence[LabelledImage], found: near_duplicates.Groups
) -> tuple[str, ...]:
    """Return the recall of the copies of even and of odd photos, and the precision, as text."""
    number_of = {image.file: number for items in (photos, copies) for number, image in enumerate(items)}
    group_of = {file: group for group in found for file in group}
    is_found = [copy.file in group_of.get(photo.file, ()) for photo, copy in zip(photos, copies, strict=True)]
    pairs = [
        number_of[one] == number_of[other]
        for group in found
        for one, other in itertools.combinations(group, 2)
    ]
    return (*(f"{np.mean(is_found[half::2]):.1%}" for half in (0, 1)), f"{np.mean(pairs):.1%}")


def _time_rows(counts: Sequence[int]) -> Iterator[tuple[str, ...]]:
    for kind, made in (("random", _random), ("copies and classes", _clustered)):
        before = 0.0
        for count in counts:
            log.info("%s: %d vectors", kind, count)
            vectors = made(count)
            found: list[Pairs] = []
            time = seconds(lambda v=vectors, f=found: f.append(proposed(v)))  # type: ignore[misc]
            tracemalloc.start()
            proposed(vectors)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            recall = _recall(vectors, found[0]) if count == counts[0] else ""
            times = f"{time / before:.1f}" if before else ""
            memory = f"{peak / MB:,.0f} MB beside {vectors.nbytes / MB:,.0f} MB"
            yield kind, f"{count:,}", f"{time:.1f} s", times, memory, f"{len(found[0]):,}", recall
            before = time


def proposed(vectors: Vectors) -> Pairs:
    """Return the pairs that are proposed for vectors in memory."""
    directions = neighbours.sketches(lambda: _blocks(vectors), np.arange(len(vectors)))
    return neighbours.nearest_earlier(directions, count=NEIGHBOURS, least=LEAST_COSINE)


def _blocks(vectors: Vectors) -> Blocks:
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        block = vectors[start : start + _ROWS_AT_ONCE]
        yield np.arange(start, start + len(block)), block


def _random(count: int) -> Vectors:
    vectors: Vectors = np.maximum(np.random.default_rng(1).standard_normal((count, WIDTH), np.float32), 0)
    return vectors


def _clustered(count: int) -> Vectors:
    """Return vectors of photos in classes, COPIES of each photo, in a random order."""
    rng = np.random.default_rng(1)
    classes = 2 * rng.standard_normal((CLASSES, WIDTH), np.float32)
    photos = rng.standard_normal((count // COPIES, WIDTH), np.float32)
    numbers = rng.permutation(count) % len(photos)
    vectors = 0.3 * rng.standard_normal((count, WIDTH), np.float32)
    vectors += photos[numbers]
    vectors += classes[numbers % CLASSES]
    np.maximum(vectors, 0, out=vectors)
    return vectors


def _recall(vectors: Vectors, found: Pairs) -> str:
    """Return the share of copies whose nearest earlier one, by all exact cosines, is among the pairs."""
    nearest: list[tuple[int, int]] = []
    time = seconds(lambda: nearest.extend(_brute_force(vectors)))
    known = set(map(tuple, found.tolist()))
    share = f"{np.mean([pair in known for pair in nearest]):.2%} of {len(nearest):,}; " if nearest else ""
    return f"{share}all pairs: {time:.1f} s"


def _brute_force(vectors: Vectors) -> Iterator[tuple[int, int]]:
    """Yield each row that has near earlier ones, and the nearest of them."""
    centred = vectors - vectors.mean(0)
    centred /= np.linalg.norm(centred, axis=1, keepdims=True)
    for start in range(0, len(centred), _ROWS_AT_ONCE):
        products = np.tril(centred[start : start + _ROWS_AT_ONCE] @ centred.T, start - 1)
        for row, earlier in enumerate(products.argmax(1).tolist()):
            if products[row, earlier] >= NEAR_COSINE:
                yield start + row, earlier
