"""The socket that a server listens at, and the server itself."""

from __future__ import annotations

import errno
import socket

import uvicorn

from retraining.errors import BadRequest
from retraining.inference.image_classifier import ImageClassifier
from retraining.server.application import Application
from retraining.settings.serve import ServeSettings

_MAX_CONNECTIONS = 1000  # open at once; most of them wait


def opened(host: str, port: int) -> socket.socket:
    """Return a socket that listens at an address. Raises BadRequest if there can be none."""
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        return socket.create_server(address[:2], family=family, backlog=_MAX_CONNECTIONS)
    except socket.gaierror as error:
        raise BadRequest(
            "{host} '{address}' is not an address: {reason}. Use 127.0.0.1, or 0.0.0.0 for other machines.",
            address=host,
            reason=error.strerror,
        ) from error
    except OSError as error:
        raise _not_free(host, port, error) from error


def _not_free(host: str, port: int, error: OSError) -> BadRequest:
    if error.errno == errno.EADDRINUSE:
        return BadRequest(
            "{port} {number} of {address} is in use. Name another, or 0 for any that is free.",
            number=port,
            address=host,
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return BadRequest(
            "{host} '{address}' is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for all it has.",
            address=host,
        )
    return BadRequest(
        "{port} {number} of {address} cannot be listened at: {reason}. Name another.",
        number=port,
        address=host,
        reason=error.strerror,
    )


def url(listener: socket.socket) -> str:
    """Return the address of a listening socket as a browser takes it."""
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_of(application: Application, settings: ServeSettings) -> uvicorn.Server:
    """Return the server of an application; `run` listens until SIGINT or SIGTERM, and then finishes."""
    config = uvicorn.Config(
        application.asgi(),
        loop="asyncio",
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MAX_CONNECTIONS,
        timeout_graceful_shutdown=2 * int(settings.timeout) + 1,  # what a request may take
    )
    return uvicorn.Server(config)


def serve(classifier: ImageClassifier, settings: ServeSettings, listener: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM, which is raised again when the last is answered."""
    application = Application(classifier, settings)
    try:
        server_of(application, settings).run(sockets=[listener])
    finally:
        application.close()
