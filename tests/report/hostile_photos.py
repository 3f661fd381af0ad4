"""A folder of photos whose names, and whose folders' names, hold what breaks pages, terminals and lists."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from tests.conftest import COLOURS, write_photo

# If one of these is taken for markup, `pwned` is set in the page. A slash comes from a folder below the class.
_MARKUP = (
    "<img src=x onerror=pwned=1>",
    "<svg onload=pwned=1>",
    "<script>pwned=1<",
    "<",
    "-->",
    "]]>",
    '"onfocus=pwned=1 autofocus x="',
    "'onmouseover=pwned=1 x='",
    "javascript:pwned=1",
    "&lt;img src=x onerror=pwned=1&gt;",
    "&#60;script&#62;",
    "{{ 7*7 }}",
    "{% raw %}{# x #}",
    "${pwned=1}`",
    "url(x);background:red;}",
)
_BELOW = (
    "script><script>pwned=1<",
    "title><img src=x onerror=pwned=1>",
    "style><svg onload=pwned=1>",
)
_CHARACTERS = (
    "\x1b[2J\x1b]0;pwned\x07",
    "\r\nSet-Cookie: pwned=1",
    "\x85\x9b31m\u2028\u2029",
    "\u202egpj.exe\u202d",
    "\u2066\u2067\u2068\u2069\u200f\u061c",
    os.fsdecode(b"\xff\xfe\xe9"),
    os.fsdecode(b"\xed\xa0\x80\xf0\x9f"),
    "\\x41\\u0041\\",
    "%s %d %(x)s {0} {image_dir}",
    "=cmd|' calc'!A0",
    " - ",
    "__proto__",
    "\ufeff\u200b",
    "n" * 200,
    "größe 🌹 漢字",
)
_NAMES = _MARKUP + _CHARACTERS

CLASSES = 10
COUNT = 200


def write(folder: Path) -> Path:
    """Write COUNT photos into CLASSES class folders, half of them into folders below; return the folder.

    The classes have three colours, so that some cannot be told apart.
    """
    labels = [f"{name}{number}" for number, name in enumerate(_NAMES[:: len(_NAMES) // CLASSES][:CLASSES])]
    names, below = itertools.cycle(_NAMES), itertools.cycle(_BELOW)
    for number in range(COUNT):
        place = folder / labels[number % CLASSES]
        if number % 2:
            place = place / "<" / f"{next(below)}{number}"
        colour = list(COLOURS.values())[number % CLASSES % len(COLOURS)]
        write_photo(place / f"{next(names)} {number}.png", colour, number)
    return folder
