"""TensorFlow without its log messages: the only place where it is imported.

Users should see our lines only. TensorFlow 2.21 prints a dozen lines about processors and GPUs while its
libraries load, before it reads TF_CPP_MIN_LOG_LEVEL. So standard error is captured during the import, and
shown if the import fails. Its converter for other engines, and theirs, print too.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from retraining import descriptors

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


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


with native_output_captured(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow as tf

    # It has no public name, but is the only documented way to freeze a function.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# "Instructions for updating" are for developers, not for users.
tf.get_logger().setLevel("ERROR")

__all__ = ["convert_variables_to_constants_v2", "native_output_captured", "tf"]
