"""Kills, signals, full disks, damaged caches, simultaneous runs and changed clocks: no work is lost."""

from __future__ import annotations

import contextlib
import os
import random
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import retrain
from retraining.data import dataset
from retraining.errors import WorkFailed
from retraining.export import checkpoint
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.features.shards import SHARD_SIZE
from retraining.graphs import graph_file
from retraining.settings.data import DataSettings
from retraining.storage import atomic_files, labels_file
from retraining.training import tensorboard
from retraining.training.softmax_layer import SoftmaxLayer
from tests.conftest import FEW_COLOURS_TESTED, MODULE_FEATURES, PROJECT, write_colour_photos
from tests.features.test_bottlenecks import Counting
from tests.features.test_cache import filled, key, shards, vector
from tests.forked_retrain import Forks
from tests.test_retrain import kept, words
from tests.training.test_tensorboard import report

RECORD_BYTES = 8 + 4 + 32 + 4 * MODULE_FEATURES + 4  # length, its checksum, key, vector, checksum
REGIONS = {
    "length": 3,
    "checksum of the length": 9,
    "key": 20,
    "vector": 100,
    "checksum of the record": RECORD_BYTES - 2,
}


def command(photos: Path, out: Path, module: Path, *more: str) -> list[str]:
    return [sys.executable, "retrain.py", *words(photos, out, *more, module=module)]


@pytest.fixture(scope="module")
def many_photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """600 photos: two full shards and a part of a third."""
    return write_colour_photos(tmp_path_factory.mktemp("many") / "photos", per_class=200)


def check_equal_to_uninterrupted(photos: Path, out: Path, module: Path, forks: Forks) -> None:
    """Start the killed run in `out` again and compare its results with those of an uninterrupted run."""
    uninterrupted = out.with_name("uninterrupted")
    for folder in (uninterrupted, out):
        done = forks.run(words(photos, folder, module=module), out.parent)
        assert (done.status, done.errors) == (0, "")
    # No cached vector was computed again, or it would be in the cache twice.
    assert kept(out) == 600
    for name in ("graph.pb", "labels.txt"):
        assert (out / name).read_bytes() == (uninterrupted / name).read_bytes()


KILLS = {  # the call after which the run is killed, and how many vectors are on disk then
    "retraining.features.cache:BottleneckCache.flush": 256,
    "retraining.training.trainer:gradient_step": 600,
    "retraining.export.agreement:check": 600,
}


def test_killed_run_gives_the_same_result_as_an_uninterrupted_one_when_it_is_started_again(
    many_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    out = tmp_path / "killed"
    for call, vectors in KILLS.items():
        done = forks.run(words(many_photos, out, module=tf2_module), tmp_path, call=call)
        assert (done.status, done.errors) == (-signal.SIGKILL, "")
        assert kept(out) == vectors
        assert not (out / "graph.pb").exists()
    check_equal_to_uninterrupted(many_photos, out, tf2_module, forks)


def kill_at_random_moments(photos: Path, out: Path, module: Path, *, kills: int) -> None:
    """Start the run and kill it, until `kills` runs have been killed while they were working."""
    rng = random.Random(0)
    longest = 10.0  # seconds; less once a run has finished earlier
    while kills > 0:
        begun = time.monotonic()
        with subprocess.Popen(
            command(photos, out, module), cwd=PROJECT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                process.wait(rng.uniform(0, longest))
                longest = time.monotonic() - begun
            except subprocess.TimeoutExpired:
                before = kept(out)
                process.kill()
                process.wait()
                assert kept(out) >= before
                kills -= 1


@pytest.mark.soak
def test_run_killed_fifty_times_gives_the_same_result_as_an_uninterrupted_one(
    many_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    kill_at_random_moments(many_photos, tmp_path / "killed", tf2_module, kills=50)
    check_equal_to_uninterrupted(many_photos, tmp_path / "killed", tf2_module, forks)


def test_kill_costs_at_most_one_shard(
    colour_photos: Path, tmp_path: Path, extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    scanned = dataset.scan(DataSettings(colour_photos))
    for limit in range(0, 90, 17):
        monkeypatch.setattr("retraining.features.shards.SHARD_SIZE", 32)
        counting = Counting(monkeypatch)
        killed_after(limit, scanned, extractor, tmp_path / str(limit), monkeypatch)
        done = counting.images
        bottlenecks.compute(scanned, extractor, BottleneckCache(tmp_path / str(limit), extractor))
        assert counting.images - 90 <= 32, f"killed after {done}"
        monkeypatch.undo()


def killed_after(
    limit: int,
    scanned: dataset.Dataset,
    extractor: FeatureExtractor,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Compute `limit` vectors, then stop as kill -9 does, without writing anything more."""
    killed, added = BottleneckCache(cache_dir, extractor), 0
    add = killed.add

    def counted(key: bytes, row: np.ndarray) -> None:
        nonlocal added
        added += 1
        if added > limit:
            monkeypatch.setattr(killed, "flush", lambda: None)
            raise SystemExit
        add(key, row)

    monkeypatch.setattr(killed, "add", counted)
    with pytest.raises(SystemExit):
        bottlenecks.compute(scanned, extractor, killed)


def check_signal(
    sent: signal.Signals, after: float, photos: Path, out: Path, module: Path, forks: Forks
) -> None:
    ending = {
        signal.SIGINT: (130, "\nretrain: interrupted; what was computed is kept\n"),
        signal.SIGTERM: (143, "retrain: terminated; what was computed is kept\n"),
    }[sent]
    out.mkdir(exist_ok=True)
    printed, error_file = out / "printed", out / "errors.txt"
    printed.unlink(missing_ok=True)
    os.mkfifo(printed)
    flags = words(photos, out, "--eval_step_interval", "1", module=module)
    process = forks.start(flags, output=printed, errors=error_file)
    with printed.open() as pipe:
        pipe.readline()  # the work has started
        time.sleep(after)
        os.kill(process, sent)
        output = pipe.read()
    status, errors = forks.wait(process), error_file.read_text()
    if output.endswith(f"tensorboard --logdir {out / 'logs'}\n"):
        # The work was done, and the signal came while the process was exiting.
        assert (status, errors) in ((0, ""), (-sent, ""))
    else:
        assert status == ending[0], f"after {after} s: {errors}"
        assert errors.endswith(ending[1])
    left = [path for path in out.rglob("*") if path.name.startswith(".")]
    assert left == []


@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("after", [0.5])
def test_signal_at_any_moment_ends_the_run_cleanly(
    sent: signal.Signals, after: float, many_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    check_signal(sent, after, many_photos, tmp_path, tf2_module, forks)


@pytest.mark.soak
def test_signals_at_fifty_moments_end_the_run_cleanly(
    many_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    rng = random.Random(1)
    for number in range(50):
        sent = (signal.SIGINT, signal.SIGTERM)[number % 2]
        check_signal(sent, rng.uniform(0, 3), many_photos, tmp_path / str(number % 10), tf2_module, forks)


@contextlib.contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Limit every file of this process to `size` bytes, as if the disk were full after that."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


FULL = {  # largest size of a file in bytes, more flags, and how the error begins
    "tag of the cache": (10, "", "'{out}/bottlenecks/colour_grid-"),
    "cache": (9_000, "", "feature vectors cannot be written to '{out}/bottlenecks/colour_grid-"),
    "listing": (
        5,
        "--bottleneck_dir {out}/full_cache",
        "'{out}/logs/skipped_images.csv' cannot be written: ",
    ),
    "summaries": (
        40_000,
        "--how_many_training_steps 900",
        "--summaries_dir '{out}/logs' cannot be written: ",
    ),
    "graph": (500_000, "--tfhub_module builtin_small", "'{out}/graph.pb' cannot be written: "),
    "SavedModel": (
        500_000,
        "--tfhub_module builtin_small --saved_model_dir {out}/saved_model",
        "'{out}/saved_model' cannot be written: ",
    ),
    "intermediate graph": (
        500_000,
        "--tfhub_module builtin_small --intermediate_store_frequency 5",
        "'{out}/intermediate/intermediate_5.pb' cannot be written: ",
    ),
}


@pytest.mark.parametrize("what", FULL)
def test_full_disk_is_an_error_that_names_the_file_and_leaves_earlier_results_intact(
    what: str, colour_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size, more, begins = FULL[what]
    flags = words(colour_photos, tmp_path, "--how_many_training_steps", "9", module=tf2_module)
    flags += [word.format(out=tmp_path) for word in more.split()]
    if what == "listing":
        assert retrain.main(flags) == 0
        capsys.readouterr()
    earlier = [tmp_path / "graph.pb", tmp_path / "labels.txt"]
    for path in earlier:
        path.write_bytes(b"of an earlier run")
    with full_disk(size):
        assert retrain.main(flags) == 1
    *warnings, line = capsys.readouterr().err.splitlines()
    assert warnings in ([], [FEW_COLOURS_TESTED])  # which a run that comes as far as the test gives
    assert line.startswith(f"retrain: error: {begins.format(out=tmp_path)}")
    assert "File too large." in line or "File too large. Those written earlier are kept." in line
    assert [path.read_bytes() for path in earlier] == [b"of an earlier run"] * 2
    assert [path for path in tmp_path.rglob(".*") if path.is_file()] == []


def test_full_disk_leaves_an_earlier_checkpoint_and_labels_intact(tmp_path: Path) -> None:
    layer = SoftmaxLayer(np.zeros((100, 3), np.float32), np.zeros(3, np.float32))
    checkpoint.write(layer, tmp_path / "checkpoint")
    atomic_files.write_bytes(tmp_path / "labels.txt", b"a\nb\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with full_disk(500), pytest.raises(WorkFailed) as refused:
        checkpoint.write(layer, tmp_path / "checkpoint")
    with full_disk(5), pytest.raises(WorkFailed) as labels:
        atomic_files.write_bytes(tmp_path / "labels.txt", b"daisy\nrose\n")
    assert str(refused.value) == (
        f"checkpoint_path '{tmp_path / 'checkpoint'}' cannot be written: File too large."
    )
    assert str(labels.value) == f"'{tmp_path / 'labels.txt'}' cannot be written: File too large."
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_disk_that_fills_up_while_the_cache_is_written_keeps_earlier_shards(
    many_photos: Path, tf2_module: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    size = str(100 * 2**10)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(tmp_path)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("only root can mount a small disk")
    try:
        assert retrain.main(words(many_photos, tmp_path, module=tf2_module)) == 1
        errors = capsys.readouterr().err
        assert re.fullmatch(
            rf"retrain: error: feature vectors cannot be written to '{tmp_path}/bottlenecks/colour_grid-\w+': "
            r"No space left on device\. Those written earlier are kept\. Free some space, or set "
            r"--bottleneck_dir to another folder, and run again\.\n",
            errors,
        ), errors
        assert 0 < kept(tmp_path) < 600
        assert kept(tmp_path) % SHARD_SIZE == 0
    finally:
        subprocess.run(["umount", "--lazy", str(tmp_path)], check=True)


@pytest.mark.soak
def test_standard_output_that_cannot_be_written_is_an_error_once_the_results_are_written(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            command(colour_photos, tmp_path, tf2_module),
            cwd=PROJECT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, done.stderr) == (
        1,
        f"{FEW_COLOURS_TESTED}\nretrain: error: the output cannot be written: No space left on device.\n",
    )
    assert (tmp_path / "graph.pb").exists()


@pytest.mark.parametrize("record", [0, 4, 9])
@pytest.mark.parametrize("region", REGIONS)
def test_flipped_bit_anywhere_in_a_shard_is_noticed_and_loses_only_that_shard(
    region: str, record: int, tmp_path: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = two_shards(tmp_path, extractor)
    content = bytearray(damaged.read_bytes())
    content[record * RECORD_BYTES + REGIONS[region]] ^= 1 << record % 8
    damaged.write_bytes(content)
    assert_only_this_shard_is_lost(damaged, tmp_path, extractor, caplog)


@pytest.mark.parametrize("record", [0, 4, 9])
@pytest.mark.parametrize("region", [*REGIONS, "start"])
def test_shard_truncated_anywhere_is_noticed_and_loses_only_that_shard(
    region: str, record: int, tmp_path: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = two_shards(tmp_path, extractor)
    damaged.write_bytes(damaged.read_bytes()[: record * RECORD_BYTES + REGIONS.get(region, 0)])
    assert_only_this_shard_is_lost(damaged, tmp_path, extractor, caplog)


@pytest.mark.parametrize("content", [b"\0" * 2000, b"\xff" * 2000, b"text" * 500])
def test_shard_overwritten_with_anything_is_noticed(
    content: bytes, tmp_path: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    damaged = two_shards(tmp_path, extractor)
    damaged.write_bytes(content)
    assert_only_this_shard_is_lost(damaged, tmp_path, extractor, caplog)


def two_shards(folder: Path, extractor: FeatureExtractor) -> Path:
    """Write vectors 0 to 9 and 10 to 19 as two shards; return the first."""
    filled(folder, extractor, range(10))
    (first,) = shards(BottleneckCache(folder, extractor))
    filled(folder, extractor, range(10, 20))
    return first


def assert_only_this_shard_is_lost(
    damaged: Path, folder: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    cache = BottleneckCache(folder, extractor)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message.startswith(f"bottleneck shard {damaged} is damaged (")
    assert [cache.get(key(number)) is not None for number in range(20)] == [False] * 10 + [True] * 10
    for number in range(10, 20):
        np.testing.assert_array_equal(cache.get(key(number)), vector(number))


def test_shard_that_cannot_be_read_is_named_and_left_alone(
    tmp_path: Path, extractor: FeatureExtractor, caplog: pytest.LogCaptureFixture
) -> None:
    unreadable = two_shards(tmp_path, extractor)
    unreadable.unlink()
    unreadable.mkdir()
    cache = BottleneckCache(tmp_path, extractor)
    (message,) = [record.getMessage() for record in caplog.records]
    assert message == (
        f"bottleneck shard {unreadable} cannot be read (Is a directory); its vectors will be computed again."
    )
    assert unreadable.is_dir()
    assert cache.get(key(15)) is not None


def test_cache_of_a_later_version_is_left_alone(tmp_path: Path, extractor: FeatureExtractor) -> None:
    folder = filled(tmp_path, extractor, range(3)).folder
    later = {
        folder / f"v2-{'0' * 32}-00003.tfrecord": b"of another format",
        folder / f"{'0' * 32}-00003.tfrecord": b"of no version",
        folder / "index.v9": b"of a much later version",
    }
    for path, content in later.items():
        path.write_bytes(content)
    filled(tmp_path, extractor, range(3, 6))
    assert {path: path.read_bytes() for path in later} == later
    assert sum(BottleneckCache(tmp_path, extractor).get(key(number)) is not None for number in range(6)) == 6


@pytest.mark.parametrize("count", [2, pytest.param(4, marks=pytest.mark.soak)])
def test_simultaneous_runs_with_the_same_cache_and_images_all_finish_correctly(
    count: int, many_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    outs = [tmp_path / str(number) for number in range(count)]
    shared = ("--bottleneck_dir", tmp_path / "bottlenecks")
    runs = []
    for out in outs:
        out.mkdir()
        flags = words(many_photos, out, *shared, module=tf2_module)
        runs.append(forks.start(flags, output=out / "output.txt", errors=out / "errors.txt"))
    assert [forks.wait(process) for process in runs] == [0] * count
    assert [(out / "errors.txt").read_text() for out in outs] == [""] * count
    graphs = {(out / "graph.pb").read_bytes() for out in outs}
    assert len(graphs) == 1
    later = forks.run(words(many_photos, tmp_path, module=tf2_module), tmp_path)
    assert (later.status, later.errors) == (0, "")
    assert (tmp_path / "graph.pb").read_bytes() in graphs


def test_simultaneous_runs_with_the_same_outputs_leave_one_complete_result(
    colour_photos: Path, tf2_module: Path, tmp_path: Path, forks: Forks
) -> None:
    flags = words(colour_photos, tmp_path, module=tf2_module)
    printed = tmp_path / "printed"
    runs = [forks.start(flags, output=printed, errors=printed) for _ in range(2)]
    assert [forks.wait(process) for process in runs] == [0, 0]
    assert graph_file.read(tmp_path / "graph.pb").node
    assert labels_file.read(tmp_path / "labels.txt") == ("cyan", "magenta", "yellow")


def test_clock_that_is_set_back_harms_neither_the_cache_nor_the_curves(
    colour_photos: Path,
    extractor: FeatureExtractor,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    counting: Counting,
) -> None:
    def compute() -> Bottlenecks:
        cache = BottleneckCache(tmp_path / "cache", extractor)
        return bottlenecks.compute(dataset.scan(DataSettings(colour_photos)), extractor, cache)

    compute()
    with tensorboard.SummaryWriter(tmp_path / "logs") as writer:
        writer.add_report(report(0, 0.25))
    an_hour_ago = time.time() - 3600
    monkeypatch.setattr(time, "time", lambda: an_hour_ago)
    compute()
    assert counting.images == 90
    with tensorboard.SummaryWriter(tmp_path / "logs") as writer:
        writer.add_report(report(0, 0.75))
    monkeypatch.undo()
    files = sorted((tmp_path / "logs" / "train").iterdir(), key=lambda path: path.name)
    assert b"accuracy" in files[-1].read_bytes()
    assert files[-1].stat().st_mtime_ns > files[0].stat().st_mtime_ns


@pytest.fixture
def counting(monkeypatch: pytest.MonkeyPatch) -> Counting:
    return Counting(monkeypatch)
