"""Apache Beam without its log messages: users should see our lines only."""

from __future__ import annotations

import logging
import os

# Read by the libraries that Beam talks with, in workers too, which inherit them.
_QUIET = {"GRPC_VERBOSITY": "NONE", "GLOG_minloglevel": "3", "TF_CPP_MIN_LOG_LEVEL": "3"}


def silence() -> None:
    """Keep what Beam tells developers out of this process's output; to be called before it is imported.

    It logs warnings while it is imported, and sets up the logging of the whole process. With a handler that
    does nothing it finds that done.
    """
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if not logging.root.handlers:
        logging.root.addHandler(logging.NullHandler())
