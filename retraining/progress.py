"""Progress bars, on a terminal or in a notebook; none where nobody is watching."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")


def progress(items: Iterable[Item], *, total: int, task: str, unit: str) -> Iterator[Item]:
    """Yield `items` under a bar with their rate and the time left."""
    yield from _tqdm()(items, total=total, desc=task, unit=unit, disable=None, dynamic_ncols=True)


def byte_progress(total: int | None, *, task: str) -> tqdm[NoReturn]:
    """Return a bar to be told of bytes by `update(count)`; `total` is None if nobody knows it."""
    bar: tqdm[NoReturn] = _tqdm()(
        total=total, desc=task, unit="B", unit_scale=True, disable=None, dynamic_ncols=True
    )
    return bar


def write_line(text: str, stream: TextIO) -> None:
    """Write a line to `stream` without breaking a bar that is being shown."""
    if "tqdm" in sys.modules:  # else no bar was ever made
        _tqdm().write(text, file=stream)
    else:
        print(text, file=stream)


def _tqdm() -> Any:
    # Not at the top: it takes a tenth of a second that --help need not wait.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a notebook without ipywidgets, which gets a bar of text
        from tqdm.auto import tqdm
    return tqdm
