"""onnxruntime-web: from a folder or by npm, checked byte for byte, and unpacked without trusting the archive."""

from __future__ import annotations

import base64
import hashlib
import io
import logging
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

import retrain
from retraining.errors import BadRequest
from retraining.export import onnxruntime_web
from retraining.export.onnxruntime_web import LOADER, SCRIPT, WASM

CONTENT = {SCRIPT: b"script", LOADER: b"loader", WASM: b"\0asm"}

NO_NPM = (
    "a page for browsers needs onnxruntime-web 1.30.0, but npm is not installed here. Install Node.js, which brings "
    "npm; or run npm pack onnxruntime-web@1.30.0 on any computer, unpack the file and name the folder package in "
    "it with {}."
)


def plain(name: str, content: bytes) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.size = len(content)
    return info, content


def link(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = tarfile.SYMTYPE, target
    return info, b""


def archive(*members: tuple[tarfile.TarInfo, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def package(content: dict[str, bytes] = CONTENT) -> list[tuple[tarfile.TarInfo, bytes]]:
    return [plain(f"package/{name}", data) for name, data in content.items()]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Use a cache and a PATH of the test's own, and the checksums of CONTENT; return the cache's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    monkeypatch.setenv("PATH", str(tmp_path / "programs"))
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in CONTENT.items()}
    monkeypatch.setattr(onnxruntime_web, "SHA256", sums)
    return tmp_path / "caches" / "image-retrainer" / "onnxruntime-web-1.30.0"


Npm = Callable[..., Path]


@pytest.fixture
def npm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Npm:
    """Put an npm on the PATH that packs these bytes and notes how it was called."""

    def install(packed: bytes | None, *, is_pinned: bool = True, stderr: str = "", status: int = 0) -> Path:
        (tmp_path / "programs").mkdir()
        (tmp_path / "packed.tgz").write_bytes(packed or b"")
        calls = tmp_path / "calls.txt"
        program = tmp_path / "programs" / "npm"
        program.write_text(
            f"#!{sys.executable}\n"
            "import pathlib, sys\n"
            f"with open({str(calls)!r}, 'a') as file:\n"
            "    print(*sys.argv[1:], file=file)\n"
            f"sys.stderr.write({stderr!r})\n"
            f"if {packed is not None}:\n"
            "    target = pathlib.Path('onnxruntime-web-1.30.0.tgz')\n"
            f"    target.write_bytes(pathlib.Path({str(tmp_path / 'packed.tgz')!r}).read_bytes())\n"
            f"sys.exit({status})\n"
        )
        program.chmod(0o755)
        if is_pinned:
            digest = hashlib.sha512(packed or b"").digest()
            monkeypatch.setattr(onnxruntime_web, "TARBALL_SHA512", base64.b64encode(digest).decode())
        return calls

    return install


def refusal() -> str:
    with pytest.raises(BadRequest) as caught:
        onnxruntime_web.check(None)
    return str(caught.value)


def write_package(folder: Path) -> Path:
    for name, data in CONTENT.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_npm_fetches_it_once(npm: Npm, cache: Path, caplog: pytest.LogCaptureFixture) -> None:
    calls = npm(archive(*package()))
    with caplog.at_level(logging.INFO):
        onnxruntime_web.check(None)
    assert onnxruntime_web.files() == CONTENT
    assert calls.read_text() == "pack onnxruntime-web@1.30.0\n"
    assert caplog.messages == [f"npm fetches onnxruntime-web@1.30.0, once, into {cache}."]
    assert sorted(path.name for path in cache.parent.iterdir()) == [cache.name]


@pytest.mark.parametrize("name", CONTENT)
def test_file_that_was_changed_in_the_cache_is_fetched_again(name: str, npm: Npm, cache: Path) -> None:
    npm(archive(*package()))
    onnxruntime_web.check(None)
    (cache / name).write_bytes(b"evil")
    assert onnxruntime_web.files() == CONTENT


def test_folder_of_the_user_needs_no_npm(tmp_path: Path) -> None:
    onnxruntime_web.check(write_package(tmp_path / "package"))
    assert onnxruntime_web.files() == CONTENT


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "dist/ort-wasm-simd-threaded.wasm: No such file or directory"),
        (b"evil", "dist/ort-wasm-simd-threaded.wasm is another file, or damaged"),
    ],
)
def test_folder_with_other_files_is_refused(content: bytes | None, problem: str, tmp_path: Path) -> None:
    folder = write_package(tmp_path / "package")
    (folder / WASM).unlink()
    if content is not None:
        (folder / WASM).write_bytes(content)
    with pytest.raises(BadRequest) as caught:
        onnxruntime_web.check(folder)
    assert str(caught.value) == (
        f"onnxruntime_web '{folder}' is not the npm package onnxruntime-web 1.30.0: {problem}. Run npm pack "
        "onnxruntime-web@1.30.0, unpack the file and name the folder package in it."
    )


def test_without_npm_the_message_says_what_to_do(cache: Path) -> None:
    assert refusal() == NO_NPM.format("onnxruntime_web")
    assert not cache.exists()


def test_that_is_known_before_any_work(
    colour_photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    pytest.importorskip("tf2onnx", reason="needs the extra onnx")
    words = ["--image_dir", str(colour_photos), "--output_graph", str(tmp_path / "out" / "graph.pb")]
    assert retrain.main([*words, "--export", "html"]) == 2
    assert capsys.readouterr().err == f"retrain: error: {NO_NPM.format('--onnxruntime_web')}\n"
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("packed", "stderr", "status", "reason"),
    [
        (None, "npm error code ENOTFOUND\nnpm error more\n", 1, "npm error code ENOTFOUND"),
        (None, "", 0, "it wrote no file"),
        (b"", "npm error disk", 7, "npm error disk"),
    ],
)
def test_what_npm_says_is_passed_on(
    packed: bytes | None, stderr: str, status: int, reason: str, npm: Npm, cache: Path
) -> None:
    npm(packed, stderr=stderr, status=status)
    said = f"npm cannot fetch it ({reason})"
    assert refusal() == NO_NPM.format("onnxruntime_web").replace("npm is not installed here", said)
    assert not cache.exists()


def test_another_archive_is_refused_before_it_is_unpacked(npm: Npm, cache: Path) -> None:
    npm(archive(*package()), is_pinned=False)
    assert "but what npm fetched is another file (its SHA-512 differs). " in refusal()
    assert not cache.exists()


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        (package({SCRIPT: b"evil", LOADER: b"loader", WASM: b""}), f"package/{SCRIPT} is another file"),
        ([link(f"package/{SCRIPT}", "/etc/hostname")], f"package/{SCRIPT} is not a plain file"),
        ([plain(f"package/../package/{SCRIPT}", b"script")], f"\"filename 'package/{SCRIPT}' not found\""),
        ([], f"\"filename 'package/{SCRIPT}' not found\""),
    ],
)
def test_archive_with_other_members_is_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], reason: str, npm: Npm, cache: Path
) -> None:
    npm(archive(*members))
    assert f"but what npm fetched is damaged ({reason}). " in refusal()
    assert not cache.exists()


def test_no_other_member_is_written_anywhere(npm: Npm, cache: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    strange = [plain(f"../../../../{outside.name}", b"x"), plain(str(outside), b"x")]
    npm(archive(link("package/dist", str(tmp_path)), *strange, *package(), plain("package/extra", b"x")))
    onnxruntime_web.check(None)
    assert not outside.exists()
    found = sorted(str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file())
    assert found == sorted(CONTENT)
    assert not (cache / "dist").is_symlink()


def test_archive_that_is_none_is_refused(npm: Npm) -> None:
    npm(b"no archive")
    assert "but what npm fetched is damaged (not a gzip file). " in refusal()


def test_relative_cache_home_is_ignored(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "here")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert onnxruntime_web.cache_folder().parents[1] == tmp_path / ".cache"
