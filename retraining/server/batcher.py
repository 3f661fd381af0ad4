"""Images that arrive together are classified together."""

from __future__ import annotations

import asyncio
import collections
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from retraining.data import prefetching
from retraining.inference.image_classifier import Classified, ImageClassifier, Prepared


class Batcher:
    """Classifies images, each as it is asked for, and gives the network those together that are waiting.

    Nothing waits for a batch to fill up: the network begins with what is there, and what arrives meanwhile is
    its next batch. Alone, an image is answered at once; under load, batches are large.

    Images are decoded by threads, one for each processor, and the network runs in one of its own. As many
    images as two batches have are decoded at most, however many are asked for, so that memory is bounded.
    """

    def __init__(self, classifier: ImageClassifier, *, batch_size: int, best: int) -> None:
        """Classify with `classifier`, at most `batch_size` images together, and answer the `best` labels."""
        self._classifier = classifier
        self._batch_size = min(batch_size, classifier.batch_size)
        self._best = best
        self._decoders = ThreadPoolExecutor(prefetching.processors(), thread_name_prefix="decode")
        self._network = ThreadPoolExecutor(1, thread_name_prefix="network")
        self._places = asyncio.Semaphore(2 * self._batch_size)
        self._waiting: collections.deque[tuple[Prepared, asyncio.Future[Classified]]] = collections.deque()
        self._running: asyncio.Task[None] | None = None

    @property
    def waiting(self) -> int:
        """How many images are decoded and wait for the network."""
        return len(self._waiting)

    async def classify(self, content: bytes) -> Classified:
        """Return the labels of the image in a file's bytes, or the reason why there are none.

        Raises WorkFailed if the network fails.
        """
        loop = asyncio.get_running_loop()
        async with self._places:
            prepared = await loop.run_in_executor(self._decoders, self._classifier.prepare, content)
            if prepared.reason:
                return Classified(content, reason=prepared.reason)
            answer: asyncio.Future[Classified] = loop.create_future()
            self._waiting.append((prepared, answer))
            if self._running is None:
                self._running = loop.create_task(self._run())
            return await answer

    def close(self) -> None:
        """End the threads; what they have begun is finished."""
        self._decoders.shutdown(cancel_futures=True)
        self._network.shutdown(cancel_futures=True)

    async def _run(self) -> None:
        """Run the network until nothing is waiting."""
        loop = asyncio.get_running_loop()
        while batch := self._next_batch():
            images = [prepared for prepared, _ in batch]
            try:
                results = await loop.run_in_executor(self._network, self._classify, images)
            except Exception as error:  # whoever waits for it says what is to be done
                for _, answer in batch:
                    if not answer.done():
                        answer.set_exception(error)
            else:
                for (_, answer), result in zip(batch, results, strict=True):
                    if not answer.done():
                        answer.set_result(result)
        self._running = None

    def _next_batch(self) -> list[tuple[Prepared, asyncio.Future[Classified]]]:
        batch: list[tuple[Prepared, asyncio.Future[Classified]]] = []
        while self._waiting and len(batch) < self._batch_size:
            prepared, answer = self._waiting.popleft()
            if not answer.done():  # it is when whoever asked has given up
                batch.append((prepared, answer))
        return batch

    def _classify(self, images: Sequence[Prepared]) -> list[Classified]:
        return list(self._classifier.classify_prepared(images, best=self._best))
