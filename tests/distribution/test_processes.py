"""Worker processes: they give the files that one process gives, and say nothing of their own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from retraining import distribute
from retraining.data import dataset
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import load_extractor
from retraining.settings.data import DataSettings
from retraining.settings.module import ModuleSettings
from tests.conftest import PROJECT, write_colour_photos

pytestmark = pytest.mark.soak

TWO_PROCESSES = ("--direct_running_mode", "multi_processing", "--direct_num_workers", "2")


def started(*words: object) -> subprocess.Popen[str]:
    # From another folder than the project's: the workers have to find the package all the same.
    return subprocess.Popen(
        [sys.executable, "-m", "retraining.distribute", *map(str, words)],
        cwd="/",
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def shards(cache: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in cache.glob("*/*.tfrecord")}


@pytest.mark.parametrize("module", ["builtin", "builtin_small"])
def test_processes_give_the_same_files_as_one_process_and_print_only_our_lines(
    module: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=60)
    words = ("--image_dir", photos, "--tfhub_module", module, "--precision", "float32")
    assert distribute.main([*map(str, words), "--bottleneck_dir", str(tmp_path / "one")]) == 0
    printed = capsys.readouterr().out.replace(str(tmp_path / "one"), "CACHE")

    process = started(*words, "--bottleneck_dir", tmp_path / "two", *TWO_PROCESSES)
    output, _ = process.communicate(timeout=600)
    assert process.returncode == 0, output
    assert without_times(output.replace(str(tmp_path / "two"), "CACHE")) == without_times(
        printed.replace("(in_memory, 1 worker)", "(multi_processing, 2 workers)")
    )
    assert shards(tmp_path / "two") == shards(tmp_path / "one")
    lists = [(tmp_path / name / "image_list.jsonl").read_bytes() for name in ("one", "two")]
    assert lists[0] == lists[1]

    settings = ModuleSettings(module, precision="float32", bottleneck_dir=tmp_path / "own")
    scanned = dataset.scan(DataSettings(photos))
    extractor = load_extractor(settings, scanned)
    own = bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / "own", extractor))
    cache = BottleneckCache(tmp_path / "two", extractor)
    for key, vector in zip(own.training.keys, own.training.vectors, strict=True):
        found = cache.get(key)
        assert found is not None
        assert found.tobytes() == vector.tobytes()


def without_times(output: str) -> list[str]:
    """Return the lines that are the same in each run, without the command at the end, which names its folder."""
    return [line for line in output.splitlines()[:-1] if not line.startswith("Seconds of all workers: ")]


@pytest.fixture
def many_photos(tmp_path: Path) -> Iterator[Path]:
    yield write_colour_photos(tmp_path / "photos", per_class=400)


@pytest.mark.parametrize("flags", [(), TWO_PROCESSES], ids=["one process", "two processes"])
def test_ctrl_c_ends_all_processes_at_once_and_the_next_run_goes_on(
    flags: tuple[str, ...], many_photos: Path, tmp_path: Path
) -> None:
    words = ("--image_dir", many_photos, "--bottleneck_dir", tmp_path / "cache", *flags)
    process = started(*words)
    while not shards(tmp_path / "cache"):
        assert process.poll() is None
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    assert output.splitlines()[-2:] == ["", "distribute: interrupted; what was computed is kept"]
    kept = shards(tmp_path / "cache")
    assert kept
    assert not list((tmp_path / "cache").glob(".distribute-*"))
    with pytest.raises(ProcessLookupError):  # nobody of the session is left
        os.killpg(process.pid, 0)

    resumed = started(*words)
    output, _ = resumed.communicate(timeout=600)
    assert resumed.returncode == 0
    found = sum(int(name.split("-")[2].split(".")[0]) for name in kept)
    assert f"{1200 - found:,} bottlenecks computed, {found:,} found in the cache" in output
    assert kept.items() <= shards(tmp_path / "cache").items()
