"""What native libraries print on standard error, kept away from people who did not ask for it."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from retraining import descriptors


@contextlib.contextmanager
def native_output_captured(*, is_shown_on_error: bool = True) -> Iterator[None]:
    """Capture what native libraries write to file descriptor 2, and show it if an error follows."""
    descriptors.open_closed()
    # It may be missing, closed, without a reader, or an object of the application's own.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            noise.seek(0)
            with contextlib.suppress(OSError):
                os.write(2, noise.read() if is_shown_on_error else b"")
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)
