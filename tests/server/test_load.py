"""The server under load: nothing is lost, memory stays flat, and SIGTERM ends it with its status."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.conftest import PROJECT
from tests.image_files import encoded
from tests.server.running import Reply, ask
from tests.test_label_image import write_pixel_classifier

CLIENTS = 64
IMAGES = 2000
WARM_UP = 300
MAX_GROWTH = 40e6  # bytes: what allocators keep for later, not what 2,000 images would leave behind


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The program in a process of its own, and its address."""
    write_pixel_classifier(tmp_path, batch=None, size=224)
    files = [f"--graph={tmp_path / 'graph.pb'}", f"--labels={tmp_path / 'labels.txt'}"]
    words = ["-m", "retraining.serve", *files, "--output_layer=scores", "--port=0", "--engine=tensorflow"]
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-u", *words], cwd=PROJECT, stdout=log, stderr=subprocess.STDOUT, text=True
        ) as process,
    ):
        try:
            yield process, address_in(tmp_path / "log", process)
        finally:
            process.kill()


def address_in(log: Path, process: subprocess.Popen[str]) -> str:
    while process.poll() is None:
        found = re.search(r"at (http://127\.0\.0\.1:\d+),", log.read_text())
        if found:
            return found[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def photos() -> list[bytes]:
    """Return JPEGs of 20 sizes and shades; the shade is the score of the first label."""
    sizes = np.random.default_rng(0).integers(200, 900, (20, 2))
    return [
        encoded(Image.new("L", (int(width), int(height)), 10 * shade + 5), "JPEG")
        for shade, (width, height) in enumerate(sizes)
    ]


def memory(process: subprocess.Popen[str]) -> int:
    """Return the bytes of a process that are in memory."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.soak
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_no_image_is_lost_under_load_and_memory_stays_flat(
    server: tuple[subprocess.Popen[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    process, address = server
    files = photos()

    def label(number: int) -> tuple[float, Reply]:
        start = time.perf_counter()
        reply = ask(address, "POST", "/predict", files[number % len(files)], {})
        return time.perf_counter() - start, reply

    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(label, range(WARM_UP)))
        before, start = memory(process), time.perf_counter()
        answers = list(clients.map(label, range(IMAGES)))
        seconds, after = time.perf_counter() - start, memory(process)
    for number, (_, reply) in enumerate(answers):
        assert reply.status == 200, reply.body
        scores = {entry["label"]: entry["score"] for entry in reply.json["predictions"]}
        assert scores["mean"] == pytest.approx((10 * (number % len(files)) + 5) / 255, abs=0.005)
    assert after - before < MAX_GROWTH
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 143
    p50, p99 = np.quantile([took for took, _ in answers], [0.5, 0.99]) * 1000
    with capsys.disabled():
        print(
            f"\n{IMAGES} images from {CLIENTS} clients in {seconds:.1f} s ({IMAGES / seconds:.0f} a second), "
            f"none lost; half within {p50:.0f} ms, 99 % within {p99:.0f} ms; "
            f"memory {before / 1e6:.0f} MB before, {after / 1e6:.0f} MB after."
        )
