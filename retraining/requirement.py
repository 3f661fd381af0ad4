"""Packages that only some commands need."""

from __future__ import annotations

import importlib.util

from retraining.errors import BadRequest


def check(package: str, *, purpose: str, extra: str) -> None:
    """Raise BadRequest if a package is not installed: found out before hours of work, not after."""
    if importlib.util.find_spec(package) is None:
        raise BadRequest(
            f"{purpose} by {package}, which is not installed. Install it: pip install '.[{extra}]', or "
            f"pip install {package}."
        )
