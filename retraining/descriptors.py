"""Descriptors 0, 1 and 2 of the process: standard input, output and error for the code below Python."""

from __future__ import annotations

import os


def open_closed() -> None:
    """Open those of descriptors 0, 1 and 2 that are closed, on the null device.

    A shell (`>&-`), a service or a window without a console may start a process without them. The next file
    that is opened would get the free number, and what TensorFlow's libraries print would be written into it.
    """
    for number in (0, 1, 2):
        if not _is_open(number):
            null = os.open(os.devnull, os.O_RDWR)
            if null == number:
                os.set_inheritable(number, True)
            else:
                os.dup2(null, number)
                os.close(null)


def _is_open(number: int) -> bool:
    try:
        os.fstat(number)
    except OSError:
        return False
    return True
