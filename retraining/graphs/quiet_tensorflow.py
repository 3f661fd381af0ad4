"""TensorFlow, without its noise: the one place where it is imported.

Users are to see our lines. TensorFlow 2.21 prints a dozen of its own about processors and GPUs when
its libraries load, before it reads TF_CPP_MIN_LOG_LEVEL, so standard error is set aside during the
import and given back, with all it holds, should the import fail.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


@contextlib.contextmanager
def _without_native_noise() -> Iterator[None]:
    """Set aside what native libraries write to file descriptor 2; show it if an error follows."""
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as noise:
        os.dup2(noise.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(saved, 2)
            noise.seek(0)
            os.write(2, noise.read())
            raise
        finally:
            os.dup2(saved, 2)
            os.close(saved)


with _without_native_noise(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow as tf

    # It has no public name, yet is the one way that TensorFlow documents to freeze a function.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# "Instructions for updating" are for us to follow, not for the user to read.
tf.get_logger().setLevel("ERROR")

__all__ = ["convert_variables_to_constants_v2", "tf"]
