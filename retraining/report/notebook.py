"""A report in a notebook: shown in its own frame, and saved on request."""

from __future__ import annotations

import dataclasses
import html
import os
from pathlib import Path

from retraining.storage import atomic_files

_PIXELS = 720  # how high the frame is


@dataclasses.dataclass(frozen=True)
class Report:
    """A page of HTML, which a notebook shows."""

    page: str = dataclasses.field(repr=False)

    def _repr_html_(self) -> str:
        """Return the page in a frame, so that neither its style nor the notebook's changes the other."""
        return (
            f'<iframe title="Report" sandbox="allow-scripts" srcdoc="{html.escape(self.page)}" '
            f'style="width:100%;height:{_PIXELS}px;border:0"></iframe>'
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the page to a file and return its path. Raises WorkFailed."""
        place = Path(path).expanduser()
        atomic_files.write_bytes(place, self.page.encode())
        return place
