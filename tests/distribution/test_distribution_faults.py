"""Killed workers, repeated bundles, full disks and two runs at once: no vector is lost, none is there twice."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from retraining.data import dataset
from retraining.features import bottlenecks, shards
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import load_extractor
from retraining.settings.data import DataSettings
from retraining.settings.module import ModuleSettings
from retraining.storage import records
from tests.conftest import MODULE_FEATURES, PROJECT, write_colour_photos
from tests.features.test_bottlenecks import Counting

IMAGES = 1800  # ten groups or so
TWO_PROCESSES = ("--direct_running_mode", "multi_processing", "--direct_num_workers", "2")
PATIENCE = 300.0  # seconds, on a busy machine

ENDED_EARLY = "What was computed is kept; run the same command again to compute the rest."


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_photos(tmp_path_factory.mktemp("many") / "photos", per_class=IMAGES // 3)


def words(photos: Path, cache: Path, module: Path, *more: str) -> list[str]:
    return [
        *("--image_dir", str(photos), "--tfhub_module", str(module), "--bottleneck_dir", str(cache)),
        *("--output_dir", str(cache.with_name(f"{cache.name}_lists")), *more),
    ]


def command(arguments: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "retraining.distribute", *arguments]


def started(arguments: Sequence[str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(arguments), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


def run(arguments: Sequence[str]) -> None:
    """Run the command to its end in a process of its own, since a runner leaves threads behind."""
    done = subprocess.run(command(arguments), cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def written(cache: Path) -> dict[str, bytes]:
    """Return the shards of a cache by name."""
    return {path.name: path.read_bytes() for path in cache.rglob("*") if shards.is_name(path.name)}


def keys(cache: Path) -> list[bytes]:
    return [
        record[: shards.KEY_BYTES]
        for content in written(cache).values()
        for record in records.decode(content)
    ]


def image_list(cache: Path) -> bytes:
    return (cache.with_name(f"{cache.name}_lists") / "image_list.jsonl").read_bytes()


@pytest.fixture(scope="module")
def undisturbed(photos: Path, tf2_module: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache of a run in one process in which nothing happened."""
    cache = tmp_path_factory.mktemp("undisturbed") / "cache"
    run(words(photos, cache, tf2_module))
    assert len(keys(cache)) == len(set(keys(cache))) == IMAGES
    return cache


def check_same(cache: Path, undisturbed: Path) -> None:
    """Check that nothing is lost, nothing is there twice, and every byte is that of the undisturbed run."""
    assert written(cache) == written(undisturbed)
    assert image_list(cache) == image_list(undisturbed)
    assert [path for path in cache.with_name(f"{cache.name}_lists").iterdir() if path.suffix == ".tmp"] == []


def workers_below(process: int) -> list[int]:
    """Return the worker processes that a process has started, through a shell or not."""
    found = []
    for listing in Path(f"/proc/{process}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # of a thread that has just ended
            for child in map(int, listing.read_text().split()):
                found += [child] if is_worker(child) else workers_below(child)
    return found


def is_worker(process: int) -> bool:
    try:
        program = Path(f"/proc/{process}/exe").readlink().name
        said = Path(f"/proc/{process}/cmdline").read_bytes()
    except OSError:
        return False
    return program.startswith("python") and (b"import worker" in said or b"import SdkHarness" in said)


def first_shard(cache: Path, process: subprocess.Popen[str]) -> None:
    """Wait until the run has written a shard."""
    limit = time.monotonic() + PATIENCE
    while not written(cache):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.005)


def kill_a_worker(cache: Path, process: subprocess.Popen[str], parent: int) -> str:
    """Kill a worker below `parent` after the first shard, and return what the run said then."""
    first_shard(cache, process)
    worker, *_ = workers_below(parent)
    os.kill(worker, signal.SIGKILL)
    _, errors = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    return errors


@pytest.mark.soak
def test_killed_worker_process_costs_no_vector(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    arguments = words(photos, cache, tf2_module, *TWO_PROCESSES)
    process = started(arguments)
    errors = kill_a_worker(cache, process, process.pid)
    assert errors.endswith(f"{ENDED_EARLY}\n")
    assert set(written(cache)) < set(written(undisturbed))
    run(arguments)
    check_same(cache, undisturbed)


@contextlib.contextmanager
def service(*arguments: str) -> Iterator[tuple[int, int]]:
    """Start a server of Beam's on a free port. Yield its process and port once it answers."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port: int = free.getsockname()[1]
    # The pool starts its workers by the name `python`.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [sys.executable, "-m", *(word.format(port=port) for word in arguments)],
        cwd=PROJECT,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        limit = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
                break
            assert process.poll() is None
            assert time.monotonic() < limit
            time.sleep(0.1)
        yield process.pid, port
    finally:
        process.terminate()
        process.wait()


JOB_SERVICE = ("apache_beam.runners.portability.local_job_service_main", "--port", "{port}")
WORKER_POOL = ("apache_beam.runners.worker.worker_pool_main", "--service_port", "{port}")


@pytest.mark.soak
def test_external_workers_give_the_same_cache_even_if_one_is_killed(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with service(*JOB_SERVICE) as (_, job_port), service(*WORKER_POOL) as (pool, pool_port):
        arguments = words(photos, cache, tf2_module, "--runner", "PortableRunner")
        arguments += ["--job_endpoint", f"localhost:{job_port}", "--environment_type", "EXTERNAL"]
        arguments += ["--environment_config", f"localhost:{pool_port}"]
        errors = kill_a_worker(cache, started(arguments), pool)
        assert errors.endswith(f"{ENDED_EARLY}\n")
        assert set(written(cache)) < set(written(undisturbed))
        run(arguments)
    check_same(cache, undisturbed)


@pytest.mark.soak
def test_killed_command_ends_its_workers_and_costs_no_vector(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    arguments = words(photos, cache, tf2_module, *TWO_PROCESSES)
    process = started(arguments)
    first_shard(cache, process)
    workers = workers_below(process.pid)
    assert len(workers) == 2
    process.kill()
    assert len(written(cache)) < len(written(undisturbed))
    process.communicate()
    limit = time.monotonic() + PATIENCE
    while any(map(is_worker, workers)):
        assert time.monotonic() < limit
        time.sleep(0.1)
    assert set(written(cache)) <= set(written(undisturbed))  # workers have ended a moment later
    run(arguments)
    check_same(cache, undisturbed)


@pytest.mark.soak
def test_bundles_that_are_all_run_twice_give_the_same_cache(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    run(words(photos, tmp_path / "cache", tf2_module, "--direct_runner_bundle_repeat", "1"))
    check_same(tmp_path / "cache", undisturbed)


@pytest.mark.soak
def test_two_runs_at_once_share_a_cache(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    runs = [
        started(words(photos, cache, tf2_module)),
        started(words(photos, cache, tf2_module, *TWO_PROCESSES)),
    ]
    ended = [(process.communicate()[1], process.returncode) for process in runs]
    assert ended == [("", 0), ("", 0)]
    check_same(cache, undisturbed)


@pytest.mark.soak
def test_full_disk_is_an_error_after_which_a_run_goes_on(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=120k", "tmpfs", str(cache)]
    if subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        arguments = words(photos, cache, tf2_module)
        done = subprocess.run(command(arguments), cwd=PROJECT, capture_output=True, text=True, check=False)
        (folder,) = (path for path in cache.iterdir() if path.is_dir() and written(path))
        assert (done.returncode, done.stderr) == (
            1,
            f"distribute: error: feature vectors cannot be written to '{folder}': No space left on device. Those "
            "written earlier are kept. Free some space, or set --bottleneck_dir to another folder, and run again.\n",
        )
        assert written(cache).items() < written(undisturbed).items()
        subprocess.run(["mount", "-o", "remount,size=10m", str(cache)], check=True)
        run(arguments)
        check_same(cache, undisturbed)
    finally:
        subprocess.run(["umount", "--lazy", str(cache)], check=True)


@pytest.mark.soak
def test_damaged_shard_is_set_aside_and_computed_again(
    photos: Path, undisturbed: Path, tf2_module: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    shutil.copytree(undisturbed, cache)
    damaged, *_ = (path for path in sorted(cache.rglob("*")) if shards.is_name(path.name))
    content = bytearray(damaged.read_bytes())
    content[100] ^= 1
    damaged.write_bytes(content)
    done = subprocess.run(
        command(words(photos, cache, tf2_module, *TWO_PROCESSES)),
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"bottleneck shard {damaged} is damaged (" in done.stderr
    assert damaged.with_suffix(".damaged").read_bytes() == content
    check_same(cache, undisturbed)


@pytest.mark.soak
def test_run_over_a_half_filled_cache_computes_the_other_half(
    photos: Path, tf2_module: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cache = tmp_path / "cache"
    extractor = load_extractor(ModuleSettings(str(tf2_module), bottleneck_dir=cache))
    half = tmp_path / "half"
    for path in sorted(photos.rglob("*.jpg"))[::2]:
        (half / path.parent.name).mkdir(parents=True, exist_ok=True)
        (half / path.parent.name / path.name).symlink_to(path)
    bottlenecks.compute(dataset.scan(DataSettings(half)), extractor, BottleneckCache(cache, extractor))
    before = written(cache)
    run(words(photos, cache, tf2_module))
    assert before.items() <= written(cache).items()
    assert len(keys(cache)) == len(set(keys(cache))) == IMAGES
    counting = Counting(monkeypatch)
    found = bottlenecks.compute(
        dataset.scan(DataSettings(photos)), extractor, BottleneckCache(cache, extractor)
    )
    assert counting.images == 0
    assert found.training.vectors.shape[1] == MODULE_FEATURES
