"""Converted networks: checked against TensorFlow, kept, and made again when they are damaged or old."""

from __future__ import annotations

import dataclasses
import importlib.util
import json
import logging
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.data import prefetching
from retraining.engines import conversion as conversions
from retraining.engines import kept, tensorflow_engine, tflite_conversion
from retraining.engines.conversion import Conversion
from retraining.engines.engine import Engine
from retraining.engines.table import CONVERTING
from retraining.graphs.frozen_graph import FrozenGraph
from retraining.runtimes import litert
from retraining.settings.module import FLOAT32, LITERT
from tests.engines import networks
from tests.engines.networks import random_pixels

NETWORK = "0123456789abcdef" * 4
STEM = "net-0123456789abcdef-litert"


def converted(
    folder: Path,
    *,
    graph: FrozenGraph | None = None,
    engine: Engine = CONVERTING[LITERT],
    is_asked_for: bool = False,
) -> Conversion:
    graph = graph or networks.graph_of(networks.depthwise)
    return Conversion(
        engine, graph, name="net", network=NETWORK, bottleneck_dir=folder, is_asked_for=is_asked_for
    )


def exact(graph: FrozenGraph, pixels: np.ndarray) -> np.ndarray:
    return tensorflow_engine.load(graph, FLOAT32)(pixels)


@pytest.fixture(scope="module")
def kept_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bottlenecks")
    assert converted(folder).settle(lambda: random_pixels(20))
    return folder


@pytest.fixture
def folder(kept_folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "engines").mkdir()
    for path in (kept_folder / "engines").iterdir():
        (tmp_path / "engines" / path.name).write_bytes(path.read_bytes())
    return tmp_path


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[FrozenGraph]:
    """The graphs that are converted from now on."""
    graphs: list[FrozenGraph] = []

    def convert(graph: FrozenGraph) -> bytes:
        graphs.append(graph)
        return tflite_conversion.convert(graph)

    monkeypatch.setitem(CONVERTING, LITERT, dataclasses.replace(CONVERTING[LITERT], convert=convert))
    return graphs


def forbidden(*_: Any) -> Any:
    raise AssertionError("not needed")


@pytest.mark.parametrize("engine", CONVERTING.values(), ids=list(CONVERTING))
@pytest.mark.parametrize("network", [networks.depthwise, networks.in_bytes], ids=["depthwise", "in bytes"])
def test_engine_computes_what_tensorflow_does_and_an_image_alone_as_in_any_batch(
    engine: Engine, network: Any, tmp_path: Path
) -> None:
    for package in engine.requirement.packages.values():
        pytest.importorskip(package)
    graph, pixels = networks.graph_of(network), random_pixels(37)
    conversion = converted(tmp_path, graph=graph, engine=engine)
    vectors = conversion(pixels)
    assert conversion.refused == ""
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(vectors, exact(graph, pixels), atol=1e-5)
    for some in ([0], [36], [5, 36, 0], range(30, 37)):
        np.testing.assert_array_equal(conversion(pixels[list(some)]), vectors[list(some)])


def test_record_says_what_was_made_from_what_and_how_it_was_checked(kept_folder: Path) -> None:
    record = json.loads((kept_folder / "engines" / f"{STEM}.json").read_text())
    assert (record["engine"], record["network"], record["photos"]) == (LITERT, NETWORK, 16)
    assert record["versions"].startswith("ai-edge-litert 2.")
    assert " tensorflow 2." in record["versions"]
    assert 0 <= record["largest_difference"] <= 1e-4
    assert (kept_folder / "engines" / "CACHEDIR.TAG").read_bytes().startswith(b"Signature: 8a477f597d28d1")


def test_later_runs_need_neither_the_converter_nor_tensorflow_nor_photos(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pixels = random_pixels(3)
    expected = converted(folder)(pixels)
    monkeypatch.setattr(tensorflow_engine, "load", forbidden)
    conversion = converted(folder, engine=dataclasses.replace(CONVERTING[LITERT], convert=forbidden))
    assert conversion.settle(forbidden)
    np.testing.assert_array_equal(conversion(pixels), expected)


def test_conversion_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    assert converted(tmp_path / "other").settle(lambda: random_pixels(1))
    first, second = (place / "engines" / f"{STEM}.tflite" for place in (folder, tmp_path / "other"))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", [f"{STEM}.tflite", f"{STEM}.json"])
@pytest.mark.parametrize("damage", [b"", b"\xff", b"{}", b"[1]"], ids=["empty", "byte", "object", "list"])
def test_damaged_file_is_made_again_with_a_warning(
    name: str, damage: bytes, folder: Path, made: list[FrozenGraph], caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "engines" / name
    path.write_bytes(damage)
    assert converted(folder, engine=CONVERTING[LITERT]).settle(lambda: random_pixels(2))
    assert len(made) == 1
    assert caplog.messages == [
        f"'{path}' is damaged; the network is converted again.",
        "Module net is converted for LiteRT, once.",
    ]
    assert converted(folder).settle(forbidden)


def test_converted_file_that_is_gone_is_made_again(folder: Path, made: list[FrozenGraph]) -> None:
    (folder / "engines" / f"{STEM}.tflite").unlink()
    assert converted(folder, engine=CONVERTING[LITERT]).settle(lambda: random_pixels(2))
    assert len(made) == 1


@pytest.mark.parametrize("changed", ["versions", "network"])
def test_one_of_another_version_or_network_is_made_again_without_a_word(
    changed: str, folder: Path, made: list[FrozenGraph], caplog: pytest.LogCaptureFixture
) -> None:
    path = folder / "engines" / f"{STEM}.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {changed: "another"}))
    assert converted(folder, engine=CONVERTING[LITERT]).settle(lambda: random_pixels(2))
    assert len(made) == 1
    assert caplog.messages == ["Module net is converted for LiteRT, once."]


def test_two_runs_at_once_both_work_and_leave_one_that_a_third_can_use(tmp_path: Path) -> None:
    first, second = converted(tmp_path), converted(tmp_path)
    pixels = random_pixels(2)
    assert first.settle(lambda: second(pixels) * 0 if second.refused else pixels)  # the other is faster
    assert second.settle(forbidden)
    assert converted(tmp_path).settle(forbidden)


@pytest.mark.parametrize("is_asked_for", [False, True])
def test_engine_that_disagrees_is_not_used_which_one_line_says_and_the_record_keeps(
    is_asked_for: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def wrong(content: bytes) -> Any:
        run = litert.load(content)
        return lambda pixels: run(pixels) * np.float32(1.001)

    graph, pixels = networks.graph_of(networks.depthwise), random_pixels(2)
    engine = dataclasses.replace(CONVERTING[LITERT], load=wrong)
    conversion = converted(tmp_path, graph=graph, engine=engine, is_asked_for=is_asked_for)
    np.testing.assert_array_equal(conversion(pixels), exact(graph, pixels))
    said = (
        "LiteRT is not used for module net, because its vectors differ from TensorFlow's by 0.001 of the largest "
        "number in them; TensorFlow is used instead."
    )
    assert [(record.levelno, record.getMessage()) for record in caplog.records[1:]] == [
        (logging.WARNING if is_asked_for else logging.INFO, said)
    ]
    later = converted(tmp_path, graph=graph, engine=dataclasses.replace(engine, convert=forbidden))
    assert not later.settle(forbidden)
    np.testing.assert_array_equal(later(pixels), exact(graph, pixels))
    assert caplog.messages[2:] == [said]


def test_vectors_that_are_not_numbers_disagree() -> None:
    good = np.ones((2, 3), np.float32)
    assert conversions.largest_difference(good, good) == 0
    assert conversions.largest_difference(good * 100, good * 99) == pytest.approx(1 / 99)
    assert not conversions.largest_difference(good * np.float32(np.nan), good) <= 1
    assert conversions.largest_difference(good * 0, good * 0) == 0


def test_network_that_litert_cannot_compute_stays_with_tensorflow_and_nothing_else_is_printed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    graph, pixels = networks.graph_of(networks.beyond_litert), random_pixels(2)
    capfd.readouterr()
    conversion = converted(tmp_path, graph=graph)
    np.testing.assert_array_equal(conversion(pixels), exact(graph, pixels))
    assert caplog.messages == [
        "Module net is converted for LiteRT, once.",
        "LiteRT is not used for module net, because it cannot compute this network; TensorFlow is used instead.",
    ]
    assert capfd.readouterr() == ("", "")
    assert not converted(tmp_path, graph=graph).settle(forbidden)


@pytest.mark.parametrize("engine", CONVERTING.values(), ids=list(CONVERTING))
def test_logging_of_the_application_stays_as_it_is(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    for package in engine.requirement.packages.values():
        pytest.importorskip(package)
    monkeypatch.setattr(logging.root, "handlers", [])  # as in a script that sets up no logging
    assert conversions.convert(engine, networks.graph_of(networks.dense))
    assert logging.root.handlers == []
    assert logging.getLogger("absl").level != logging.CRITICAL


def test_engine_that_does_not_start_is_tried_again_by_the_next_run(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: bytes) -> Any:
        raise ImportError("libsomething.so.1: cannot open shared object file")

    broken_engine = dataclasses.replace(CONVERTING[LITERT], load=broken)
    assert not converted(tmp_path, engine=broken_engine).settle(lambda: random_pixels(2))
    assert caplog.messages[1:] == [
        "LiteRT is not used for module net, because it does not start on this computer; TensorFlow is used instead."
    ]
    assert converted(tmp_path).settle(lambda: random_pixels(2))


def test_folder_that_cannot_be_written_costs_only_the_keeping(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").write_text("no folder")
    conversion = converted(tmp_path / "file")
    assert conversion(random_pixels(2)).shape == (2, networks.FEATURES)
    assert conversion.refused == ""
    assert caplog.messages[1:] == [
        f"the network converted for litert is not kept: '{tmp_path}/file/engines/CACHEDIR.TAG' cannot be written: "
        "Not a directory."
    ]


def test_places_of_two_engines_and_two_networks_are_apart(tmp_path: Path) -> None:
    places = {
        kept.Place(tmp_path, engine, name="net", network=network).kept.path
        for engine in CONVERTING.values()
        for network in (NETWORK, NETWORK[::-1])
    }
    assert len(places) == 6


@pytest.mark.parametrize(("length", "workers"), [(2**20, 8), (2**28, 2), (2**31, 1)])
def test_large_networks_get_fewer_interpreters_with_more_threads(
    length: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[int] = []
    together = threading.Barrier(workers, timeout=60)

    class Fake:
        inputs: tuple[()] = ()
        outputs: tuple[()] = ()

        def __init__(self, _: bytes, threads: int) -> None:
            made.append(threads)

        def run(self, _: Any) -> np.ndarray:
            together.wait()  # for as many images at a time as there are interpreters
            return np.zeros((1, 1), np.float32)

    monkeypatch.setattr(litert, "_Interpreter", Fake)
    monkeypatch.setattr(prefetching, "processors", lambda: 8)
    extract = litert.load(_Bytes(length))
    assert len(made) == 1  # the others are made when they are needed
    assert len(extract(random_pixels(16))) == 16
    assert made == [8 // workers] * workers


class _Bytes(bytes):
    """Bytes that say they are many."""

    def __new__(cls, length: int) -> _Bytes:
        made = super().__new__(cls)
        made.length = length
        return made

    length: int

    def __len__(self) -> int:
        return self.length


def test_litert_is_installed_with_the_program() -> None:
    assert importlib.util.find_spec("ai_edge_litert")
