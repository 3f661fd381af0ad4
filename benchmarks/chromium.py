"""Pages in the Chromium of this computer, which reaches no network."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from retraining import optional_packages
from retraining.errors import BadRequest

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_MILLISECONDS = 120_000  # to wait for, at most
_SCORES = """cards => cards.reverse().map(card => Object.fromEntries(
    [...card.querySelectorAll("li")].map(row => [row.dataset.label, Number(row.dataset.score)])))"""


def check() -> None:
    """Raise BadRequest if there is no Chromium here, or nothing to drive it."""
    optional_packages.require("playwright", purpose="driving a browser", extra="browser-test")
    if _executable() is None:
        raise BadRequest("no Chromium was found (looked for {names}). Install one.", names=", ".join(_NAMES))


class WatchedPage:
    """A page that is open: `page` is Playwright's, `requests` are the addresses of all that was asked for.

    `complaints` are what was written to its console, and the errors that no script has caught.
    """

    def __init__(self, page: Any) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        page.context.on("request", lambda request: self.requests.append(request.url))
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))


class LabellingPage(WatchedPage):
    """The page that `html` exports."""

    def open(self, address: str) -> float:
        """Open an address; return the seconds until the classifier is ready."""
        start = time.perf_counter()
        self.page.goto(address)
        self.page.wait_for_selector("body[data-ready]", timeout=_MILLISECONDS)
        return time.perf_counter() - start

    def label(self, photos: Sequence[Path]) -> list[dict[str, float]]:
        """Choose files in the page; return the scores of each by label, empty for one that cannot be read."""
        before = self.page.locator(".photo").count()
        self.page.set_input_files("#files", [str(photo) for photo in photos])
        self.page.wait_for_selector(f".photo:nth-child({before + len(photos)})", timeout=_MILLISECONDS)
        scores: list[dict[str, float]] = self.page.eval_on_selector_all(".photo", _SCORES)
        return scores[before:]


@contextlib.contextmanager
def browser(*switches: str) -> Iterator[Any]:
    """Yield a Chromium without windows, with more `switches`, as Playwright's Browser. Raises BadRequest."""
    check()
    from playwright.sync_api import sync_playwright

    words = ["--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", *switches]
    if os.geteuid() == 0:
        words.append("--no-sandbox")  # which root cannot have
    with sync_playwright() as driver:
        chromium = driver.chromium.launch(executable_path=_executable(), args=words)
        try:
            yield chromium
        finally:
            chromium.close()


def _executable() -> str | None:
    return next(filter(None, map(shutil.which, _NAMES)), None)
