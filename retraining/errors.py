"""One family of user errors. Anything else that is raised is a bug and keeps its traceback.

A message reads: subject, rule, value received, remedy, in one line where it fits.
"""

from __future__ import annotations


class UserError(Exception):
    """Something the user can mend. `exit_status` is what the command then returns."""

    exit_status = 1


class BadRequest(UserError):
    """A flag, folder or handle that cannot be used as given; found before any work is done."""

    exit_status = 2


class WorkFailed(UserError):
    """Work that was begun and could not be finished."""

    exit_status = 1


class BadModule(BadRequest):
    """A feature-vector module that is missing, unreachable, damaged or of another kind."""


class BadImage(WorkFailed):
    """A file whose bytes are no usable image. `reason` leaves out the path."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
