"""A server within a test: on a port of its own, in a thread, with a classifier that needs no network."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import uvicorn

from retraining.arrays import ImageSize, Pixels, Probabilities
from retraining.inference.image_classifier import ImageClassifier
from retraining.server import listening
from retraining.server.application import Application
from retraining.settings.serve import ServeSettings

LABELS = ("red", "green", "blue")
BOUNDARY = "photos"


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        assert self.headers["content-type"] == "application/json"
        return json.loads(self.body)


@dataclasses.dataclass(frozen=True)
class Running:
    """A server, its address, and the thread that it runs in."""

    server: uvicorn.Server
    address: str
    thread: threading.Thread

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return ask(self.address, method, path, body, named)

    def post(self, body: Any, **headers: str) -> Reply:
        return self.ask("POST", "/predict", body, **headers)

    def post_form(self, files: Mapping[str, bytes]) -> Reply:
        return self.post(form_of(files), Content_Type=f"multipart/form-data; boundary={BOUNDARY}")


def ask(address: str, method: str, path: str, body: Any, headers: Mapping[str, str]) -> Reply:
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    with contextlib.closing(connection):
        connection.request(method, path, body, dict(headers))
        response = connection.getresponse()
        received = {name.lower(): value for name, value in response.getheaders()}
        return Reply(response.status, received, response.read())


def form_of(files: Mapping[str, bytes]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="photo"; filename="{name}"\r\n\r\n'.encode()
        + content
        + b"\r\n"
        for name, content in files.items()
    ]
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def colours(pixels: Pixels) -> Probabilities:
    """Return the mean red, green and blue of each image, as shares of their sum."""
    means = pixels.mean(axis=(1, 2)) + np.float32(1e-6)
    shares: Probabilities = means / means.sum(axis=1, keepdims=True)
    return shares


def colour_classifier(
    run: Callable[[Pixels], Probabilities] = colours, labels: tuple[str, ...] = LABELS
) -> ImageClassifier:
    return ImageClassifier(run=run, labels=labels, size=ImageSize(8, 8), batch_size=32)


@contextlib.contextmanager
def serving(classifier: ImageClassifier, **given: Any) -> Iterator[Running]:
    """Serve a classifier with these settings while the context lasts; its end waits for what is running."""
    settings = ServeSettings(port=0, **given)
    application = Application(classifier, settings)
    with listening.opened(settings.host, settings.port) as listener:
        server = listening.server_of(application, settings)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        try:
            yield Running(server, listening.url(listener), thread)
        finally:
            server.should_exit = True
            thread.join()
            application.close()
