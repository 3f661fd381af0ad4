"""Packages that only some commands need."""

from __future__ import annotations

import importlib.util

from retraining.errors import BadRequest


def require(package: str, *, purpose: str, extra: str) -> None:
    """Raise BadRequest if a package is not installed, so that hours of work do not end in an ImportError.

    `purpose` is what needs the package; `extra` is the optional dependency of this project that brings it.
    """
    if importlib.util.find_spec(package) is None:
        raise BadRequest(
            "{purpose} needs {package}, which is not installed. Install it with pip install '.[{extra}]' or "
            "pip install {package}.",
            purpose=purpose,
            package=package,
            extra=extra,
        )
