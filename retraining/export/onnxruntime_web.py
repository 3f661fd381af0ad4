"""onnxruntime-web, which computes a model in a browser: https://www.npmjs.com/package/onnxruntime-web.

It comes from a folder that the user names or, once, from the user's own npm. Each file is checked whenever
it is used.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from retraining.errors import BadRequest, Message
from retraining.storage import private_folder
from retraining.storage.atomic_files import reason, scratch_folder, write_bytes

VERSION = "1.30.0"
PACKAGE = f"onnxruntime-web@{VERSION}"

# Of the package as npm delivers it, in the form in which npm itself states it.
TARBALL_SHA512 = "q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ=="

SCRIPT = "dist/ort.wasm.min.js"
LOADER = "dist/ort-wasm-simd-threaded.mjs"
WASM = "dist/ort-wasm-simd-threaded.wasm"

# The smallest set that runs a model: without graphics cards, and without threads, which few servers permit.
SHA256: Mapping[str, str] = {
    SCRIPT: "faece07e84faa9001f5104bbe4e5c70861d06cb2376a0dea1fa0ad33a67adc81",
    LOADER: "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b",
    WASM: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}

_MAX_BYTES = 64 << 20  # of a file, four times the largest
_SECONDS = 600  # for a slow network

log = logging.getLogger(__name__)


def check(given: Path | None) -> None:
    """Put the files into the cache, from the folder that the user names or by npm, unless they are there.

    Raises BadRequest if they cannot be had, or if the folder does not have them.
    """
    if given is not None:
        _keep(_of_folder(given))
    files()


def files() -> dict[str, bytes]:
    """Return the content of the files in SHA256, from the cache or by npm. Raises BadRequest."""
    if _problem(cache_folder()) is not None:
        _fetch()
    return _content(cache_folder())


def cache_folder() -> Path:
    """Return where the files are kept that npm has fetched. Raises BadRequest for a user without a home."""
    caches = private_folder.of_caches()
    if caches is None:
        raise _not_had(Message("there is no folder for it: set XDG_CACHE_HOME"))
    return caches / f"onnxruntime-web-{VERSION}"


def _of_folder(folder: Path) -> dict[str, bytes]:
    problem = _problem(folder)
    if problem is not None:
        raise BadRequest(
            "{onnxruntime_web} '{folder}' is not the npm package onnxruntime-web {version}: {problem}. Run "
            "npm pack {package}, unpack the file and name the folder package in it.",
            folder=folder,
            version=VERSION,
            problem=problem,
            package=PACKAGE,
        )
    return _content(folder)


def _content(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in SHA256}


def _keep(content: Mapping[str, bytes]) -> None:
    for name in content:
        write_bytes(cache_folder() / name, content[name])


def _problem(folder: Path) -> Message | None:
    """Return what is wrong with the files in a folder, or None."""
    for name, digest in SHA256.items():
        try:
            content = (folder / name).read_bytes()
        except OSError as error:
            return Message("{name}: {reason}", name=name, reason=reason(error))
        if hashlib.sha256(content).hexdigest() != digest:
            return Message("{name} is another file, or damaged", name=name)
    return None


def _fetch() -> None:
    """Let npm fetch the package, and keep its files. Raises BadRequest."""
    npm = shutil.which("npm")
    if npm is None:
        raise _not_had(Message("npm is not installed here"))
    log.info("npm fetches %s, once, into %s.", PACKAGE, cache_folder())
    with scratch_folder(cache_folder()) as scratch:
        _keep(_unpacked(_packed(npm, scratch)))


def _packed(npm: str, folder: Path) -> Path:
    """Let npm write the package's archive into a folder, and return it."""
    quiet = {"npm_config_loglevel": "error", "npm_config_ignore_scripts": "true"}
    try:
        done = subprocess.run(
            [npm, "pack", PACKAGE],
            cwd=folder,
            env={**os.environ, **quiet},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_had(Message("npm cannot be run ({reason})", reason=reason(error))) from error
    archive = folder / f"onnxruntime-web-{VERSION}.tgz"
    if done.returncode or not archive.is_file():
        said = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["it wrote no file"]
        raise _not_had(Message("npm cannot fetch it ({reason})", reason=said[0]))
    return archive


def _unpacked(archive: Path) -> dict[str, bytes]:
    """Return the files of the package, which nothing in the archive can have written anywhere."""
    digest = hashlib.sha512(archive.read_bytes()).digest()
    if base64.b64encode(digest).decode("ascii") != TARBALL_SHA512:
        raise _not_had(Message("what npm fetched is another file (its SHA-512 differs)"))
    try:
        with tarfile.open(archive, "r:gz") as tar:
            return {name: _member(tar, f"package/{name}", SHA256[name]) for name in SHA256}
    except (tarfile.TarError, KeyError, EOFError, zlib.error, OSError) as error:
        raise _not_had(Message("what npm fetched is damaged ({reason})", reason=reason(error))) from error


def _member(tar: tarfile.TarFile, name: str, digest: str) -> bytes:
    member = tar.getmember(name)
    if not member.isreg() or member.size > _MAX_BYTES:
        raise tarfile.ReadError(f"{name} is not a plain file")
    content = tar.extractfile(member)
    found = b"" if content is None else content.read()
    if hashlib.sha256(found).hexdigest() != digest:
        raise tarfile.ReadError(f"{name} is another file")
    return found


def _not_had(problem: Message) -> BadRequest:
    return BadRequest(
        "a page for browsers needs onnxruntime-web {version}, but {problem}. Install Node.js, which brings "
        "npm; or run npm pack {package} on any computer, unpack the file and name the folder package in it "
        "with {onnxruntime_web}.",
        version=VERSION,
        problem=problem,
        package=PACKAGE,
    )
