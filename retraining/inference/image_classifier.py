"""Classifying images: images in, labels with scores out, best first."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from retraining.arrays import ImageSize, Pixels, Probabilities
from retraining.data import prefetching, sample_depth
from retraining.data.sample_depth import SHALLOW
from retraining.errors import BadImage, BadRequest
from retraining.inference import sources
from retraining.inference.novelty import FALSE_ALARMS
from retraining.inference.novelty_run import NoveltyRun
from retraining.inference.sources import ImageSource
from retraining.runtimes.batches import BATCH_SIZE


class Prediction(NamedTuple):
    """A label and its score, in [0, 1] if the classifier ends in a softmax."""

    label: str
    score: float


@dataclasses.dataclass(frozen=True)
class Classified:
    """An image with its predictions, best first; or a `reason` why there are none, such as "is empty".

    `novelty`, in [0, 1], is how unlike any class the image is: the share of images of the classes that are
    less so. It is None if the classifier was not asked for it.
    """

    source: ImageSource
    predictions: tuple[Prediction, ...] = ()
    reason: str = ""
    novelty: float | None = None

    @property
    def is_unknown(self) -> bool:
        """Whether the image is so unlike any class that it is called unknown."""
        return self.novelty is not None and self.novelty > 1 - FALSE_ALARMS


@dataclasses.dataclass(frozen=True)
class Prepared:
    """An image with what the classifier takes of it, or a `reason` why there is nothing to take.

    `largest` is the largest value of a 16-bit image that may have been meant to be read as having fewer bits.
    """

    source: ImageSource
    taken: Any = None
    reason: str = ""
    largest: int | None = None


@dataclasses.dataclass(frozen=True)
class ImageClassifier:
    """A function from pixels to scores, with its labels and what it takes.

    `run` turns float32 [n, height, width, 3], n at most `batch_size`, into scores float32 [n, classes]. It
    is given pixel values of 0 to 255 after `mean` was subtracted and the result divided by `std`.
    `significant_bits` is how many bits are used in 16-bit images that do not record it; None stands for all,
    with a warning if the images look dark. `prepare_next_run` is for when every image has its answer: given
    the images, it may take some seconds to make the next run quicker. `novelty` is used in place of `run`
    where it is also to be said how unlike any class images are.
    """

    run: Callable[[Any], Probabilities]
    labels: tuple[str, ...]
    size: ImageSize
    batch_size: int
    mean: float = 0
    std: float = 255
    significant_bits: int | None = None
    prepare_next_run: Callable[[Sequence[ImageSource]], None] = lambda _: None
    novelty: NoveltyRun | None = None

    def predict(
        self, images: ImageSource | Iterable[ImageSource], *, best: int | None = None
    ) -> list[list[Prediction]]:
        """Return the labels of each image with their scores, best first: all of them, or the `best` ones.

        An image is a path, the bytes of a file, a Pillow image, or an array: uint8 [height, width, 3] of 0
        to 255, or floating point of that shape in [0, 1]. A single image is treated as a list of one.
        Raises BadImage, with the path or number of the image, if one cannot be used.
        """
        given = _as_list(images)
        predictions = []
        for number, classified in enumerate(self.classify(given, best=best)):
            if classified.reason:
                raise BadImage(
                    "{image} {reason}",
                    image=sources.name_of(classified.source, number),
                    reason=classified.reason,
                )
            predictions.append(list(classified.predictions))
        return predictions

    def scores(self, images: Sequence[ImageSource]) -> Probabilities:
        """Return float32 [n, classes], the scores of n images in the order of `labels`. Raises BadImage."""
        return self.in_label_order(self.predict(images))

    def in_label_order(self, ranked: Iterable[Iterable[Prediction]]) -> Probabilities:
        """Return float32 [n, classes], the scores of n images in the order of `labels`."""
        rows = [[scores[label] for label in self.labels] for scores in map(dict, ranked)]
        return np.array(rows, np.float32).reshape(-1, len(self.labels))

    def prepared(self, image: ImageSource) -> Any:
        """Return what `run` takes for one image. Raises BadImage."""
        prepared = self.prepare(image)
        if prepared.reason:
            raise BadImage("{reason}", reason=prepared.reason)
        return self._batch([prepared.taken])

    def classify(self, images: Sequence[ImageSource], *, best: int | None = None) -> Iterator[Classified]:
        """Yield the predictions for each image, in order, including those that cannot be used."""
        prepared = prefetching.ahead(images, self.prepare, lookahead=2 * BATCH_SIZE)
        waiting: list[Prepared] = []
        undecided: list[int] = []
        for item in prepared:
            waiting.append(item)
            if item.largest is not None:
                undecided.append(item.largest)
            if len(waiting) == self.batch_size:
                yield from self.classify_prepared(waiting, best=best)
                waiting = []
        yield from self.classify_prepared(waiting, best=best)
        sample_depth.warn_of_undecided(undecided)

    def prepare(self, source: ImageSource) -> Prepared:
        """Return an image decoded, as `classify_prepared` takes it; several threads may do so at once."""
        try:
            image = sources.opened(source)
            taken = self._taken(image)
            depth = SHALLOW if self.significant_bits else sources.depth(image)
        except BadImage as error:
            return Prepared(source, reason=str(error))
        return Prepared(source, taken, largest=depth.largest if depth.recorded is None else None)

    def pixels(self, source: ImageSource) -> Pixels:
        """Return an image as `run` takes it: float32 [height, width, 3]. Raises BadImage."""
        return self.scaled(sources.decode(sources.opened(source), self.size, self.significant_bits))

    def scaled(self, pixels: Pixels) -> Pixels:
        """Return pixels in [0, 1] as `run` takes them."""
        if (self.mean, self.std) == (0, 255):  # already the scale of the training, bit for bit
            return pixels
        scaled: Pixels = (pixels * np.float32(255) - np.float32(self.mean)) / np.float32(self.std)
        return scaled

    def classify_prepared(
        self, prepared: Sequence[Prepared], *, best: int | None = None
    ) -> Iterator[Classified]:
        """Yield the predictions for at most `batch_size` prepared images, in order, computed together."""
        usable = [item.taken for item in prepared if not item.reason]
        found = iter(self._found(usable) if usable else ())
        for item in prepared:
            if item.reason:
                yield Classified(item.source, reason=item.reason)
                continue
            scores, novelty = next(found)
            if np.isfinite(scores).all():
                yield Classified(item.source, self._best(scores, best), novelty=novelty)
            else:
                yield Classified(item.source, reason="makes the graph give scores that are not numbers")

    def _taken(self, image: sources.Opened) -> Any:
        """Return what `run` is given of an image: here, its pixels. Raises BadImage."""
        return self.pixels(image)

    def _batch(self, taken: Sequence[Any]) -> Any:
        """Return what `run` is given for several images, from what `_taken` returned for each."""
        return np.stack(taken)

    def _found(self, taken: Sequence[Any]) -> Iterator[tuple[NDArray[np.float32], float | None]]:
        """Yield the scores, float32 [classes], and the novelty of each image."""
        batch = self._batch(taken)
        if self.novelty is not None:
            rows, novelties = self.novelty(batch, len(self.labels))
            yield from zip(rows, novelties.tolist(), strict=True)
            return
        scores = self.run(batch).reshape(len(taken), -1)
        check_width(scores.shape[1], self.labels)
        yield from ((row, None) for row in scores)

    def _best(self, scores: NDArray[np.float32], best: int | None) -> tuple[Prediction, ...]:
        order = np.argsort(-scores, kind="stable")[:best]
        return tuple(Prediction(self.labels[index], float(scores[index])) for index in order)


def check_width(width: int | None, labels: Sequence[str]) -> None:
    """Raise BadRequest if a classifier that gives `width` scores was not trained with these labels."""
    if width != len(labels):
        raise BadRequest(
            "the graph gives {width} scores, but {labels} names {count} classes; they must come from the "
            "same training.",
            width=width,
            count=len(labels),
        )


def _as_list(images: Any) -> list[ImageSource]:
    is_one = isinstance(images, str | Path | bytes) or hasattr(images, "__array_interface__")
    return [images] if is_one else list(images)
