"""Progress bars on a terminal or in a notebook; none when the output goes to a file."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NoReturn, TextIO, TypeVar

if TYPE_CHECKING:
    from tqdm import tqdm

Item = TypeVar("Item")

_LOCK = threading.RLock()


def progress(items: Iterable[Item], *, total: int, task: str, unit: str) -> Iterator[Item]:
    """Yield `items`, while a progress bar shows their rate and the time left."""
    yield from _tqdm()(items, total=total, desc=task, unit=unit, disable=_is_hidden(), dynamic_ncols=True)


def byte_progress(total: int | None, *, task: str) -> tqdm[NoReturn]:
    """Return a progress bar that `update(count)` moves on by `count` bytes; `total` may be unknown."""
    bar: tqdm[NoReturn] = _tqdm()(
        total=total, desc=task, unit="B", unit_scale=True, disable=_is_hidden(), dynamic_ncols=True
    )
    return bar


def count_progress(total: int | None = None, *, task: str, unit: str) -> tqdm[NoReturn]:
    """Return a progress bar that `update(count)` moves on by `count`; `total` may be unknown."""
    bar: tqdm[NoReturn] = _tqdm()(total=total, desc=task, unit=unit, disable=_is_hidden(), dynamic_ncols=True)
    return bar


def write_line(text: str, stream: TextIO | None) -> None:
    """Write a line to `stream`, if there is one, without breaking a progress bar that is on screen."""
    if stream is None:
        return
    if "tqdm" in sys.modules:  # otherwise there has been no bar yet
        _tqdm().write(text, file=stream)
    else:
        print(text, file=stream)


def _is_hidden() -> bool | None:
    """Return what tqdm calls `disable`: True without standard error, or else None, "unless on a terminal"."""
    return True if sys.stderr is None or getattr(sys.stderr, "closed", False) else None


def _tqdm() -> Any:
    # Not imported at the top: it takes a tenth of a second, which a request for help need not wait for.
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a notebook without ipywidgets, which then gets a text bar
        from tqdm.auto import tqdm
    # Bars of one process need no lock for several, which complains if its process is ended by another.
    tqdm.set_lock(_LOCK)
    return tqdm
