"""Finds the files of a module on this machine, and downloads or unpacks them first if need be."""

from __future__ import annotations

import contextlib
import hashlib
import re
import shutil
import urllib.parse
import uuid
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

from retraining.errors import BadModule, WorkFailed
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import archive, download, hub_module
from retraining.modules.download import DownloadFailed
from retraining.settings.module import BUILTIN, BUILTIN_SMALL

_SHIPPED = Path(__file__).parent / "builtin"
_SHIPPED_FOLDERS = {BUILTIN: _SHIPPED / "efficientnet_lite0", BUILTIN_SMALL: _SHIPPED / "small_resnet_128"}

# Makes tfhub.dev and Kaggle Models send the module itself instead of a page about it.
_COMPRESSED = "tf-hub-format=compressed"


def local_path(handle: str, *, model_dir: Path | None) -> Path:
    """Return the local folder or .pb file of a module, downloaded and unpacked if need be.

    Downloads are kept in `model_dir`, or in the folder that TFHUB_CACHE_DIR names, under the names that
    tensorflow_hub gives them, so that each finds what the other has downloaded. Raises BadModule, and
    WorkFailed if a download cannot be saved.
    """
    if handle in _SHIPPED_FOLDERS:
        return _SHIPPED_FOLDERS[handle]
    scheme = urllib.parse.urlsplit(handle).scheme
    if scheme in ("http", "https"):
        return _from_web(handle, model_dir)
    if "://" in handle:
        return _from_file_system(handle, model_dir)
    path = Path(handle).expanduser()
    if path.is_file() and archive.is_archive(path.name):
        return _from_archive(path, model_dir)
    if not path.exists():
        raise BadModule(
            "{tfhub_module} '{handle}' is not an existing folder or file, a web address, a name from "
            "{list_modules}, 'keras:NAME' or '{builtin}'.",
            handle=handle,
            builtin=BUILTIN,
        )
    return path


def short_name(handle: str, path: Path) -> str:
    """Return a short name for the module, which can be part of a folder's name."""
    if "://" in handle:
        name = "_".join(urllib.parse.urlsplit(handle).path.strip("/").split("/")[-3:])
    else:
        name = path.name if handle in _SHIPPED_FOLDERS else Path(handle).name
    for suffix in (*archive.SUFFIXES, ".pb"):
        name = name.removesuffix(suffix)
    return re.sub(r"[^A-Za-z0-9._-]+", "_", name).strip(".") or "module"


def _from_web(handle: str, model_dir: Path | None) -> Path:
    def fetch(folder: Path) -> None:
        packed = folder.with_name("archive")
        try:
            download.fetch(_download_address(handle), packed)
        except DownloadFailed as error:
            raise _not_downloaded(handle, error) from error
        archive.unpack(packed, folder, name=handle)

    # tensorflow_hub names the folder the same way: by the SHA-1 of the address.
    return _cached(_sha1(handle), handle, model_dir, fetch)


def _download_address(handle: str) -> str:
    parts = urllib.parse.urlsplit(handle)
    if archive.is_archive(parts.path):
        return handle
    query = "&".join(filter(None, (parts.query, _COMPRESSED)))
    return urllib.parse.urlunsplit(parts._replace(query=query))


def _not_downloaded(handle: str, reason: object) -> BadModule:
    return BadModule(
        "module {handle} cannot be downloaded ({reason}). Instead, try: {tfhub_module} {builtin}, the "
        "network that ships with this program; {tfhub_module} FOLDER, a module that you have downloaded and "
        "unpacked; {tfhub_module} keras:NAME, the network from Keras's own server; or set TFHUB_CACHE_DIR to "
        "the folder of an earlier download.",
        handle=handle,
        reason=reason,
        builtin=BUILTIN,
    )


def _from_archive(path: Path, model_dir: Path | None) -> Path:
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return _cached(digest, str(path), model_dir, lambda folder: archive.unpack(path, folder, name=str(path)))


def _sha1(handle: str) -> str:
    return hashlib.sha1(handle.encode(), usedforsecurity=False).hexdigest()


def _from_file_system(handle: str, model_dir: Path | None) -> Path:
    """Copy a module from gs:// or any other file system that TensorFlow can read."""
    try:
        if not tf.io.gfile.exists(handle):
            raise _not_downloaded(handle, "nothing exists at this address")
        if archive.is_archive(handle):
            return _cached(_sha1(handle), handle, model_dir, lambda folder: _copy_and_unpack(handle, folder))
        copy = _copy_folder if tf.io.gfile.isdir(handle) else _copy_file_into
        return _cached(_sha1(handle), handle, model_dir, lambda folder: copy(handle, folder))
    except (tf.errors.OpError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise _not_downloaded(handle, reason) from error


def _copy_and_unpack(handle: str, folder: Path) -> None:
    packed = folder.with_name("archive")
    _copy_file(handle, packed)
    archive.unpack(packed, folder, name=handle)


def _copy_folder(handle: str, folder: Path) -> None:
    for parent, _, names in tf.io.gfile.walk(handle):
        inside = parent.removeprefix(handle).strip("/")
        for name in names:
            _copy_file(f"{parent.rstrip('/')}/{name}", folder / inside / name)


def _copy_file_into(handle: str, folder: Path) -> None:
    _copy_file(handle, folder / Path(handle).name)


def _copy_file(handle: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.gfile.GFile(handle, "rb") as source, path.open("wb") as target:
        while chunk := source.read(1 << 20):
            target.write(chunk)


def _cached(key: str, handle: str, model_dir: Path | None, fill: Callable[[Path], None]) -> Path:
    """Return the module that is cached under `key`, after `fill(new folder)` if there is none yet.

    It is written to a temporary folder and renamed, so that a run that is killed leaves no partial module.
    """
    cache_dir = _cache_dir(model_dir)
    cached = cache_dir / key
    if not (cached.is_dir() and any(cached.iterdir())):
        with _temporary_folder(cache_dir, key) as folder:
            fill(folder)
            _module_in(folder, shown=handle)
            with contextlib.suppress(OSError):  # another run was faster: its module is just as good
                folder.rename(cached)
    return _module_in(cached, shown=str(cached))


@contextlib.contextmanager
def _temporary_folder(cache_dir: Path, key: str) -> Iterator[Path]:
    """Yield the path of a folder to make in a hidden folder of the cache, which is removed at the end."""
    work = cache_dir / f".{key}.{uuid.uuid4().hex}"
    try:
        work.mkdir(parents=True)
    except OSError as error:
        raise WorkFailed(
            "downloaded modules cannot be saved in '{cache_dir}': {reason}. Set {model_dir} to another "
            "folder.",
            cache_dir=cache_dir,
            reason=error.strerror,
        ) from error
    try:
        yield work / "module"
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _cache_dir(model_dir: Path | None) -> Path:
    """Return the folder for downloads: the one given, or else tensorflow_hub's own."""
    if model_dir is not None:
        return model_dir
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about pkg_resources, which tensorflow_hub still imports
        # Imported here because it takes a second, which a local folder need not wait for. Its hub.resolve
        # is not used: it shows no progress, waits for ever on a stalled connection, and waits ten minutes
        # for the lock of a run that was killed.
        from tensorflow_hub import resolver
    return Path(resolver.tfhub_cache_dir(use_temp=True))


def _module_in(folder: Path, *, shown: str) -> Path:
    """Return the folder of the module in `folder`, at any depth, or the path of its frozen graph.

    `shown` is what messages call `folder`. Raises BadModule if there is no module, or only a part of one.
    """
    found = sorted(folder.rglob("saved_model.pb")) or sorted(folder.rglob("*.pb"))
    if not found:
        raise BadModule(
            "'{shown}' contains no module: no saved_model.pb and no other .pb file. If a download "
            "was interrupted, delete the folder and run again.",
            shown=shown,
        )
    if found[0].name != "saved_model.pb":
        return found[0]
    hub_module.check_folder(found[0].parent, shown=shown)
    return found[0].parent
