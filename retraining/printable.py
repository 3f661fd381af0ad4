"""Names as they can be shown: on one line, with nothing in them that could steer a terminal."""

from __future__ import annotations

import re

# Control characters, line ends of all kinds, what turns the direction of writing, and lone surrogates.
_UNSHOWABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: object) -> str:
    """Return `text` on one line, unshowable characters as escapes: a file's name may be anything."""
    return _UNSHOWABLE.sub(_escaped, str(text))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if 0xDC80 <= code <= 0xDCFF:  # how Python holds a byte of a name that is not UTF-8
        return f"\\x{code - 0xDC00:02x}"
    return match[0].encode("unicode_escape").decode()
