"""Files packed into scripts, the only ones that a page can read which was opened from a file."""

from __future__ import annotations

import base64
import binascii
import gzip
import io
import re
import zlib

_SCRIPT = re.compile(rb'packed\["(\w+)"\] = "([A-Za-z0-9+/=]*)";\n')


def pack(name: str, content: bytes) -> bytes:
    """Return the script that puts `content`, compressed, into `packed[name]`: the same bytes every time."""
    text = base64.b64encode(gzip.compress(content, 6, mtime=0)).decode("ascii")
    return f'packed["{name}"] = "{text}";\n'.encode("ascii")


def unpack(name: str, script: bytes, *, most: int) -> bytes:
    """Return the bytes that `pack` was given.

    Raises ValueError if it is no such script, or if there are more than `most` bytes.
    """
    found = _SCRIPT.fullmatch(script)
    if found is None or found[1].decode("ascii") != name:
        raise ValueError(f'it does not consist of packed["{name}"]')
    try:
        with gzip.open(io.BytesIO(base64.b64decode(found[2], validate=True))) as file:
            content = file.read(most + 1)
    except (binascii.Error, EOFError, OSError, zlib.error) as error:
        raise ValueError("it is damaged") from error
    if len(content) > most:
        raise ValueError(f"it unpacks to more than {most >> 20} MiB")
    return content
