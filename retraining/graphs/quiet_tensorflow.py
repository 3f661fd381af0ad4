"""TensorFlow without its log messages: the only place where it is imported.

Users should see our lines only. TensorFlow 2.21 prints a dozen lines about processors and GPUs while its
libraries load, before it reads TF_CPP_MIN_LOG_LEVEL. So standard error is captured during the import, and
shown if the import fails. Its converter for other engines, and theirs, print too.
"""

from __future__ import annotations

import os
import warnings

from retraining.native_output import native_output_captured

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


with native_output_captured(), warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import tensorflow as tf

    # It has no public name, but is the only documented way to freeze a function.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

# "Instructions for updating" are for developers, not for users.
tf.get_logger().setLevel("ERROR")

__all__ = ["convert_variables_to_constants_v2", "tf"]
