"""Downloads a file: with a progress bar, a time limit for stalls, and a check that nothing is missing."""

from __future__ import annotations

import http.client
import logging
import urllib.error
import urllib.request
from pathlib import Path

from retraining.progress import byte_progress

STALL_SECONDS = 30.0  # without a single byte, so that a slow connection does not count as stalled
ATTEMPTS = 3
CHUNK_BYTES = 1 << 18

log = logging.getLogger(__name__)


class DownloadFailed(Exception):
    """A download that failed; the message is the reason, without the address."""


class _CutOff(DownloadFailed):
    """A transfer that started and broke off: worth another attempt."""


def fetch(address: str, path: Path, *, stall_seconds: float = STALL_SECONDS) -> None:
    """Download `address`, following redirects, to the new file `path`.

    A transfer that is cut off or stalls is started again, with ATTEMPTS attempts in all. Raises
    DownloadFailed; `path` must then not be used.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _attempt(address, path, stall_seconds)
        except _CutOff as error:
            if attempt == ATTEMPTS:
                raise
            log.warning("download of %s failed: %s; trying again.", address, error)
        else:
            return


def _attempt(address: str, path: Path, stall_seconds: float) -> None:
    request = urllib.request.Request(address, headers={"User-Agent": "image-retrainer"})
    try:
        # A new opener each time: urlopen keeps the proxies that were set when it was first used.
        with urllib.request.build_opener().open(request, timeout=stall_seconds) as response:
            _copy(response, path)
    except urllib.error.HTTPError as error:
        error.close()  # it keeps the connection open
        raise DownloadFailed(f"the server answered {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise _CutOff(f"no data arrived for {stall_seconds:g} s") from error
    except urllib.error.URLError as error:
        raise DownloadFailed(str(error.reason)) from error
    except (http.client.HTTPException, ConnectionError) as error:
        raise _CutOff("the connection was cut off") from error


def _copy(response: http.client.HTTPResponse, path: Path) -> None:
    expected = response.headers.get("Content-Length")
    total = int(expected) if expected is not None else None
    done = 0
    with path.open("wb") as file, byte_progress(total, task="Download") as bar:
        while chunk := response.read(CHUNK_BYTES):
            file.write(chunk)
            bar.update(len(chunk))
            done += len(chunk)
    if total is not None and done != total:  # read() reports no error when the connection is cut
        raise _CutOff(f"the connection was cut off after {done:,} of {total:,} bytes")
