"""Modules from archives and from the web; the web is a server on this machine here."""

from __future__ import annotations

import contextlib
import dataclasses
import http.server
import io
import shutil
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.errors import BadModule
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import download, local_files
from retraining.settings.module import ModuleSettings
from tests.conftest import MODULE_FEATURES


class Server(http.server.ThreadingHTTPServer):
    """Answers each path with the function registered for it, and keeps a list of the requests."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, Callable[[Any], None]] = {}
        self.asked: list[str] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        with contextlib.suppress(ConnectionError):
            self.server.answers[self.path.partition("?")[0]](self)

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,))
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture
def packed(tf1_hub_module: Path) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for path in sorted(tf1_hub_module.rglob("*")):
            tar.add(path, f"./{path.relative_to(tf1_hub_module)}", recursive=False)
    return stream.getvalue()


def serve(content: bytes, *, length: int | None = None) -> Callable[[Any], None]:
    def answer(handler: Any) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(content) if length is None else length))
        handler.end_headers()
        handler.wfile.write(content)

    return answer


def refuse(code: int) -> Callable[[Any], None]:
    return lambda handler: handler.send_error(code)


def load(handle: str | Path, cache: Path) -> FeatureExtractor:
    return load_extractor(ModuleSettings(str(handle), model_dir=cache))


def refusal(handle: str | Path, cache: Path) -> str:
    with pytest.raises(BadModule) as caught:
        load(handle, cache)
    return str(caught.value)


def left_in(cache: Path) -> list[str]:
    return [path.name for path in cache.iterdir()] if cache.exists() else []


def test_module_behind_a_redirect_is_downloaded_once(server: Server, packed: bytes, tmp_path: Path) -> None:
    def redirect(handler: Any) -> None:
        handler.send_response(302)
        handler.send_header("Location", f"{server.address}/storage/3.tar.gz")
        handler.end_headers()

    server.answers = {"/google/net/feature_vector/3": redirect, "/storage/3.tar.gz": serve(packed)}
    handle = f"{server.address}/google/net/feature_vector/3"
    extractor = load(handle, tmp_path)
    assert (extractor.name, extractor.feature_size) == ("net_feature_vector_3", MODULE_FEATURES)
    # With this query tfhub.dev and Kaggle Models send the module and not a page about it.
    assert server.asked == ["/google/net/feature_vector/3?tf-hub-format=compressed", "/storage/3.tar.gz"]
    assert load(handle, tmp_path).fingerprint == extractor.fingerprint
    assert len(server.asked) == 2
    assert len(left_in(tmp_path)) == 1


def test_archive_on_the_web_is_requested_by_its_own_address(
    server: Server, packed: bytes, tmp_path: Path
) -> None:
    server.answers = {"/net.tar.gz": serve(packed)}
    assert load(f"{server.address}/net.tar.gz", tmp_path).name == "net"
    assert server.asked == ["/net.tar.gz"]


@pytest.mark.parametrize(("code", "reason"), [(403, "403 Forbidden"), (404, "404 Not Found")])
def test_error_of_the_server_is_reported_and_nothing_is_kept(
    code: int, reason: str, server: Server, tmp_path: Path
) -> None:
    server.answers = {"/net": refuse(code)}
    handle = f"{server.address}/net"
    assert refusal(handle, tmp_path) == (
        f"module {handle} cannot be downloaded (the server answered {reason}). Instead, try: tfhub_module builtin, "
        "the network that ships with this program; tfhub_module FOLDER, a module that you have downloaded and "
        "unpacked; tfhub_module keras:NAME, the network from Keras's own server; or set TFHUB_CACHE_DIR to the "
        "folder of an earlier download."
    )
    assert len(server.asked) == 1
    assert left_in(tmp_path) == []


def test_connection_that_is_cut_is_tried_again_and_then_works(
    server: Server, packed: bytes, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    answers = iter([serve(packed[: len(packed) // 2], length=len(packed)), serve(packed)])
    server.answers = {"/net.tar.gz": lambda handler: next(answers)(handler)}
    assert load(f"{server.address}/net.tar.gz", tmp_path).feature_size == MODULE_FEATURES
    (warning,) = [entry.getMessage() for entry in caplog.records if entry.levelname == "WARNING"]
    assert warning == (
        f"download of {server.address}/net.tar.gz failed: the connection was cut off after "
        f"{len(packed) // 2:,} of {len(packed):,} bytes; trying again."
    )


def test_connection_that_is_always_cut_leaves_nothing_behind(
    server: Server, packed: bytes, tmp_path: Path
) -> None:
    server.answers = {"/net.tar.gz": serve(packed[:500], length=len(packed))}
    handle = f"{server.address}/net.tar.gz"
    assert f"(the connection was cut off after 500 of {len(packed):,} bytes)" in refusal(handle, tmp_path)
    assert len(server.asked) == download.ATTEMPTS
    assert left_in(tmp_path) == []
    server.answers = {"/net.tar.gz": serve(packed)}
    assert load(handle, tmp_path).feature_size == MODULE_FEATURES


def test_stalled_connection_ends_with_a_reason(server: Server, packed: bytes, tmp_path: Path) -> None:
    def stall(handler: Any) -> None:
        serve(packed[:500], length=len(packed))(handler)
        handler.wfile.flush()
        time.sleep(1)

    server.answers = {"/net": stall}
    with pytest.raises(download.DownloadFailed, match=r"^no data arrived for 0.2 s$"):
        download.fetch(f"{server.address}/net", tmp_path / "net", stall_seconds=0.2)


def test_page_instead_of_a_module_is_refused(server: Server, tmp_path: Path) -> None:
    server.answers = {"/net": serve(b"<html>tfhub.dev has moved</html>")}
    message = refusal(f"{server.address}/net", tmp_path)
    assert message.startswith(f"module archive {server.address}/net is damaged or not an archive (")
    assert message.endswith("). A module is a .tar.gz that contains saved_model.pb. Download it again.")
    assert left_in(tmp_path) == []


def test_archive_on_disk_is_unpacked_once(packed: bytes, tmp_path: Path) -> None:
    (tmp_path / "net.tgz").write_bytes(packed)
    extractor = load(tmp_path / "net.tgz", tmp_path / "cache")
    assert (extractor.name, extractor.feature_size) == ("net", MODULE_FEATURES)
    (kept,) = (tmp_path / "cache").iterdir()
    before = kept.stat().st_mtime_ns
    load(tmp_path / "net.tgz", tmp_path / "cache")
    assert kept.stat().st_mtime_ns == before


def test_incomplete_module_in_the_cache_is_named_and_can_be_deleted(
    server: Server, packed: bytes, tmp_path: Path
) -> None:
    server.answers = {"/net.tar.gz": serve(packed)}
    handle = f"{server.address}/net.tar.gz"
    load(handle, tmp_path)
    (kept,) = tmp_path.iterdir()
    shutil.rmtree(kept / "variables")
    assert refusal(handle, tmp_path) == (
        f"module '{kept}' is incomplete: it has no variables/variables.index. If a download was interrupted, "
        "delete the folder and run again."
    )


def test_archive_without_a_module_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "net.tar.gz", "w:gz") as tar:
        tar.add(__file__, "notes.txt")
    assert refusal(tmp_path / "net.tar.gz", tmp_path / "cache").startswith(
        f"'{tmp_path / 'net.tar.gz'}' contains no module: no saved_model.pb and no other .pb file."
    )
    assert left_in(tmp_path / "cache") == []


@dataclasses.dataclass(frozen=True)
class Member:
    """A malicious member of an archive."""

    name: str
    kind: bytes = tarfile.REGTYPE
    link: str = ""


@pytest.mark.parametrize(
    "member",
    [
        Member("../outside.txt"),
        Member("/tmp/outside.txt"),
        Member("a/../../outside.txt"),
        Member("link", tarfile.SYMTYPE, "/etc/passwd"),
        Member("hard", tarfile.LNKTYPE, "../../outside.txt"),
        Member("device", tarfile.CHRTYPE),
    ],
)
def test_archive_that_reaches_outside_its_folder_is_refused(member: Member, tmp_path: Path) -> None:
    path = tmp_path / "net.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        info = tarfile.TarInfo(member.name)
        info.type, info.linkname = member.kind, member.link
        tar.addfile(info)
    assert refusal(path, tmp_path / "cache") == (
        f"module archive {path} is refused: '{member.name}' is a link or lies outside the archive's own folder. "
        "If you trust it, unpack it yourself and give the folder."
    )
    assert {entry.name for entry in tmp_path.iterdir()} == {"net.tar.gz", "cache"}
    assert left_in(tmp_path / "cache") == []


def test_archive_that_unpacks_to_too_much_is_refused(
    packed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "net.tar.gz").write_bytes(packed)
    monkeypatch.setattr("retraining.modules.archive.MAX_FILES", 2)
    assert "is refused: it holds more than 2 files" in refusal(tmp_path / "net.tar.gz", tmp_path / "cache")


def test_module_in_a_file_system_that_tensorflow_reads_is_copied(tf2_module: Path, tmp_path: Path) -> None:
    # ram:// instead of gs://: TensorFlow reads both with the same calls.
    for path in tf2_module.rglob("*"):
        if path.is_file():
            target = f"ram://bucket/net/{path.relative_to(tf2_module)}"
            tf.io.gfile.makedirs(target.rpartition("/")[0])
            with tf.io.gfile.GFile(target, "wb") as file:
                file.write(path.read_bytes())
    extractor = load("ram://bucket/net", tmp_path)
    local = load_extractor(ModuleSettings(str(tf2_module)))
    pixels = np.random.default_rng(0).random((2, 32, 32, 3), np.float32)
    np.testing.assert_array_equal(extractor.extract(pixels), local.extract(pixels))


def test_missing_module_in_a_file_system_that_tensorflow_reads_is_reported(tmp_path: Path) -> None:
    message = refusal("ram://bucket/nowhere", tmp_path)
    assert message.startswith(
        "module ram://bucket/nowhere cannot be downloaded (nothing exists at this address). Instead, try: "
    )


@pytest.mark.parametrize(
    ("handle", "name"),
    [
        ("https://tfhub.dev/google/imagenet/inception_v3/feature_vector/3", "inception_v3_feature_vector_3"),
        ("https://www.kaggle.com/models/google/mobilenet-v2/tensorFlow2/140-224/2", "tensorFlow2_140-224_2"),
        ("/modules/some net.tar.gz", "some_net"),
        ("frozen.pb", "frozen"),
    ],
)
def test_short_name_can_be_part_of_a_folder_name(handle: str, name: str) -> None:
    assert local_files.short_name(handle, Path(handle)) == name
