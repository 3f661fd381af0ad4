"""Scripts that hold a file: the same bytes come out, and nothing else is taken for one."""

from __future__ import annotations

import base64
import gzip

import pytest

from retraining.storage import packed_script


@pytest.mark.parametrize("content", [b"", b"\0\xff" * 1000])
def test_what_was_packed_is_unpacked(content: bytes) -> None:
    script = packed_script.pack("model", content)
    assert script == packed_script.pack("model", content)
    assert packed_script.unpack("model", script, most=10_000) == content


def test_other_scripts_are_refused() -> None:
    script = packed_script.pack("model", b"x" * 100)
    with pytest.raises(ValueError, match=r"^it does not consist of packed"):
        packed_script.unpack("wasm", script, most=1000)
    with pytest.raises(ValueError, match=r"^it does not consist of packed"):
        packed_script.unpack("model", script + b"alert()", most=1000)
    with pytest.raises(ValueError, match=r"^it unpacks to more than 0 MiB"):
        packed_script.unpack("model", script, most=99)
    whole = gzip.compress(b"x" * 100)
    for content in (whole[:-9], b"no gzip", whole[:15] + b"\xff" * 9):
        damaged = b'packed["model"] = "' + base64.b64encode(content) + b'";\n'
        with pytest.raises(ValueError, match=r"^it is damaged"):
            packed_script.unpack("model", damaged, most=1000)
