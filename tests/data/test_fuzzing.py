"""Mutated image files through the decoder: no crash, no hang, memory bounded."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.conftest import PROJECT

SECONDS = 0.1  # per file, on average; longer means that a decoder hangs
MEGABYTES = 2000


@pytest.mark.parametrize(("count", "seed"), [(1000, 0), pytest.param(10_000, 1, marks=pytest.mark.soak)])
def test_mutated_images_are_decoded_or_refused(count: int, seed: int) -> None:
    command = [sys.executable, "-m", "tests.fuzz_images", str(count), str(seed)]
    done = subprocess.run(
        command, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=30 + SECONDS * count
    )
    assert done.returncode == 0, done.stderr
    match = re.fullmatch(r"(\d+) files: (\d+) decoded, (\d+) refused, peak memory (\d+) MB\n", done.stdout)
    assert match is not None
    files, decoded, refused, peak = map(int, match.groups())
    assert files == count == decoded + refused
    assert min(decoded, refused) > count / 20  # both outcomes occur
    assert peak < MEGABYTES
