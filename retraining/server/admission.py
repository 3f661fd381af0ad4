"""Which requests are let in: as many, and as large, as there is memory for."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request

# What all requests together may hold, in requests of the largest size.
_LARGEST_AT_ONCE = 8

_RETRY_AFTER = {"Retry-After": "1"}  # seconds


class Admission:
    """Counts the requests that are worked on, and their bytes."""

    def __init__(self, *, max_requests: int, max_bytes: int, timeout: float) -> None:
        """Let in `max_requests` at once, each of at most `max_bytes` that arrive in `timeout` seconds."""
        self._max_requests = max_requests
        self._max_bytes = max_bytes
        self._timeout = timeout
        self._requests = 0
        self._bytes = 0

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """Yield the place of a request. Raises HTTPException 503 if all are taken."""
        if self._requests >= self._max_requests:
            raise _busy()
        self._requests += 1
        place = Place(self)
        try:
            yield place
        finally:
            self._requests -= 1
            self._bytes -= place.taken

    def take(self, size: int) -> None:
        """Count bytes that have arrived. Raises HTTPException 503 if all requests together have too many."""
        if self._bytes + size > self._max_bytes * _LARGEST_AT_ONCE:
            raise _busy()
        self._bytes += size

    @property
    def max_bytes(self) -> int:
        """How large a request may be."""
        return self._max_bytes

    @property
    def timeout(self) -> float:
        """Seconds for a request to arrive."""
        return self._timeout


class Place:
    """The place of one request among those that are worked on; `taken` is how many bytes it holds."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self.taken = 0

    async def read(self, request: Request) -> bytes:
        """Return the body of the request.

        Raises HTTPException: 413 if it is too large, 503 if there is no room for it now, 408 if it is too
        slow, and 400 if its sender has gone.
        """
        with contextlib.suppress(ValueError):  # a length that is no number is refused by the server itself
            if int(request.headers.get("content-length", "0")) > self._most_discarded:
                raise self._too_large()
        try:
            return await asyncio.wait_for(self._arrived(request), self._admission.timeout)
        except asyncio.TimeoutError:
            raise HTTPException(
                408, f"the request took longer than {self._admission.timeout:g} seconds to arrive."
            ) from None
        except ClientDisconnect:
            raise HTTPException(400, "the request was cut short.") from None

    async def _arrived(self, request: Request) -> bytes:
        parts = []
        size = 0
        async for part in request.stream():
            size += len(part)
            if size > self._most_discarded:
                raise self._too_large()
            if size <= self._admission.max_bytes:
                self._admission.take(len(part))
                self.taken += len(part)
                parts.append(part)
        if size > self._admission.max_bytes:
            raise self._too_large()
        return b"".join(parts)

    @property
    def _most_discarded(self) -> int:
        # A request a little too large is read to its end: many senders read an answer only then.
        return 2 * self._admission.max_bytes

    def _too_large(self) -> HTTPException:
        return HTTPException(
            413, f"the request is larger than {self._admission.max_bytes / 1e6:g} MB; send smaller images."
        )


def _busy() -> HTTPException:
    return HTTPException(503, "too many requests at once; try again in a second.", _RETRY_AFTER)
