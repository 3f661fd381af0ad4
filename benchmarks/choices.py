"""The choices that the program's speed depends on, each measured beside its alternatives.

The alternatives of a choice take turns, so that other programs disturb all of them alike. Figures are
medians of the rounds; `times ours` is the median of the rounds' own ratios to the first alternative,
which is what the program uses.
"""

from __future__ import annotations

import contextlib
import functools
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import Image

from benchmarks import image_folder
from benchmarks.arguments import ChoicesSettings
from benchmarks.figures import Rounds, print_table, rate
from benchmarks.network_process import FROZEN, SAVED_MODEL, XLA, NetworkProcess
from retraining.arrays import ImageSize, Pixels
from retraining.data import images, prefetching
from retraining.graphs.quiet_tensorflow import tf
from retraining.progress import progress
from retraining.runtimes.batches import BATCH_SIZE

COLUMNS = ("choice", "alternative", "images/s", "times ours")

IMAGES = 200
SIZE = ImageSize(224, 224)  # of most modules
OTHER_BATCH_SIZES = (1, 8, 16, 64)

# TensorFlow's own variables; without them, both pools have as many threads as there are processors.
INTRA, INTER = "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"
OTHER_THREADS = ((1, 1), (2, 1), (1, 2), (4, 4))

_LOOKAHEAD = 64

# By name, what measures the images per second of each alternative, once; the program's own is the first.
Alternatives = dict[str, Callable[[], float]]
Item = TypeVar("Item")


def run(settings: ChoicesSettings) -> None:
    """Measure every choice and print the table."""
    print_table(COLUMNS, _rows(settings))


def _rows(settings: ChoicesSettings) -> Iterator[tuple[str, ...]]:
    for what, alternatives in _image_choices(settings.folder).items():
        yield from _measured(what, alternatives, settings.repeat)
    for module in settings.modules:
        for what, start in _NETWORK_CHOICES.items():
            with contextlib.ExitStack() as processes:
                yield from _measured(f"{what}, {module.name}", start(module, processes), settings.repeat)


def _measured(what: str, alternatives: Alternatives, repeat: int) -> Iterator[tuple[str, ...]]:
    """Yield the row of each alternative of a choice."""
    for measure in alternatives.values():
        measure()  # to warm up
    turns = progress(range(repeat), total=repeat, task=what, unit="round")
    rounds = [{name: measure() for name, measure in alternatives.items()} for _ in turns]
    ours = next(iter(alternatives))
    for name in alternatives:
        rates = Rounds.of(each[name] for each in rounds)
        ratio = Rounds.of(each[name] / each[ours] for each in rounds).median
        shown = f"**{name}**" if name == ours else name
        yield what, shown, f"{rates.median:,.0f} (best {rates.highest:,.0f})", f"{ratio:.2f}"


def pillow_decoded(content: bytes) -> Image.Image:
    """Return a JPEG as an RGB image."""
    return Image.open(io.BytesIO(content)).convert("RGB")


def pillow_resized(
    image: Image.Image, *, filter: Image.Resampling = Image.Resampling.BILINEAR, gap: float | None = None
) -> Pixels:
    """Return float32 [height, width, 3] in [0, 1] of SIZE."""
    small = image.resize((SIZE.width, SIZE.height), filter, reducing_gap=gap)
    pixels: Pixels = np.divide(np.asarray(small), 255, dtype=np.float32)
    return pixels


def tensorflow_resized(image: Image.Image, *, antialias: bool) -> Pixels:
    """Return float32 [height, width, 3] in [0, 1] of SIZE."""
    small = tf.image.resize(np.asarray(image), (SIZE.height, SIZE.width), antialias=antialias)
    pixels: Pixels = small.numpy() / np.float32(255)
    return pixels


DECODERS: dict[str, Callable[[bytes], Any]] = {
    "Pillow": pillow_decoded,
    "tf.io.decode_jpeg": functools.partial(tf.io.decode_jpeg, channels=3),
    "tf.io.decode_jpeg, INTEGER_ACCURATE": functools.partial(
        tf.io.decode_jpeg, channels=3, dct_method="INTEGER_ACCURATE"
    ),
}
RESIZERS: dict[str, Callable[[Image.Image], Pixels]] = {
    "Pillow, bilinear": pillow_resized,
    "Pillow, bilinear, reducing_gap 2": functools.partial(pillow_resized, gap=2.0),
    "Pillow, box": functools.partial(pillow_resized, filter=Image.Resampling.BOX),
    "tf.image, bilinear, antialias": functools.partial(tensorflow_resized, antialias=True),
    "tf.image, bilinear": functools.partial(tensorflow_resized, antialias=False),
}


def _image_choices(folder: Path) -> dict[str, Alternatives]:
    usable = image_folder.usable(folder, at_least=1).images[:IMAGES]
    contents = [content for content in (images.read(image.path) for image in usable) if _is_jpeg(content)]
    decoded = [pillow_decoded(content) for content in contents]
    return {
        "decode": {name: functools.partial(_rate_of, decode, contents) for name, decode in DECODERS.items()},
        f"resize to {SIZE}": {
            name: functools.partial(_rate_of, resize, decoded) for name, resize in RESIZERS.items()
        },
    }


def _is_jpeg(content: bytes) -> bool:
    return content.startswith(b"\xff\xd8\xff")


def _rate_of(work: Callable[[Item], object], items: Sequence[Item]) -> float:
    """Return how many items per second `work` does, in threads as the program has them."""

    def all_of_it() -> None:
        for _ in prefetching.ahead(items, work, lookahead=_LOOKAHEAD):
            pass

    return rate(len(items), all_of_it)


def _batch_sizes(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    process = processes.enter_context(NetworkProcess(module))
    sizes = (BATCH_SIZE, *OTHER_BATCH_SIZES)
    return {str(size): functools.partial(process.rate, size) for size in sizes}


def _forms(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    return {form: _started(NetworkProcess(module, form), processes) for form in (FROZEN, SAVED_MODEL, XLA)}


def _threads(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    alternatives = {"as many as processors": _started(NetworkProcess(module), processes)}
    for intra, inter in OTHER_THREADS:
        process = NetworkProcess(module, environment={INTRA: str(intra), INTER: str(inter)})
        alternatives[f"{intra} in an op, {inter} ops"] = _started(process, processes)
    return alternatives


def _onednn(module: Path, processes: contextlib.ExitStack) -> Alternatives:
    without = NetworkProcess(module, environment={"TF_ENABLE_ONEDNN_OPTS": "0"})
    return {"on": _started(NetworkProcess(module), processes), "off": _started(without, processes)}


_NETWORK_CHOICES = {
    "batch size": _batch_sizes,
    "form": _forms,
    "threads": _threads,
    "oneDNN": _onednn,
}


def _started(process: NetworkProcess, processes: contextlib.ExitStack) -> Callable[[], float]:
    return functools.partial(processes.enter_context(process).rate, BATCH_SIZE)
