"""The same with the real clients of S3 and Google Cloud Storage, against servers on this computer."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from retraining.data.image_list import ListedImage
from retraining.distribution import listing, photographs, pieces, places
from retraining.errors import BadImage
from retraining.settings.distribute import ListedDataSettings
from tests.distribution.shards import tar, zipped

pytestmark = pytest.mark.soak

PHOTOS = {
    f"{label}/{index:03}.jpg": f"{label} {index}".encode() * 999
    for label in ("roses", "tulips")
    for index in range(40)
}


@pytest.fixture
def s3() -> Iterator[str]:
    """The address of a bucket of a server that speaks S3."""
    boto3 = pytest.importorskip("boto3", reason="needs pip install 'apache-beam[aws]' moto[server]")
    moto = pytest.importorskip("moto.server", reason="needs pip install 'apache-beam[aws]' moto[server]")
    server = moto.ThreadedMotoServer("127.0.0.1", port=0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    keys = {"access_key_id": "someone", "secret_access_key": "secret"}
    client = boto3.client(
        "s3",
        endpoint_url=address,
        region_name="us-east-1",
        **{f"aws_{name}": key for name, key in keys.items()},
    )
    client.create_bucket(Bucket="photos")
    flags = {"endpoint_url": address, "region_name": "us-east-1"} | keys
    with options(*(f"--s3_{name}={value}" for name, value in flags.items())):
        yield "s3://photos"
    server.stop()


@pytest.fixture
def gs(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of a bucket of a server that speaks as Google Cloud Storage does."""
    pytest.importorskip("google.cloud.storage", reason="needs pip install 'apache-beam[gcp]'")
    emulator = pytest.importorskip(
        "gcp_storage_emulator.server", reason="needs pip install gcp-storage-emulator"
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{port}")
    server = emulator.create_server("127.0.0.1", port, in_memory=True, default_bucket="photos")
    with server, options("--project=photos"):
        yield "gs://photos"


@contextlib.contextmanager
def options(*flags: str) -> Iterator[None]:
    """Give Beam's file systems the flags of a pipeline."""
    FileSystems.set_options(PipelineOptions(list(flags)))
    yield
    FileSystems.set_options(None)


@pytest.fixture(params=["s3", "gs"])
def bucket(request: pytest.FixtureRequest) -> str:
    address: str = request.getfixturevalue(request.param)
    return address


def images_below(folder: str) -> list[ListedImage]:
    path = listing.write(ListedDataSettings(image_dir=folder), places.join(folder, "out"))
    return [image for piece in pieces.cut(path) for _, image in pieces.images_in(piece)]


@pytest.mark.parametrize("form", ["plain", "tar", "zip"])
def test_photos_in_a_store_are_listed_and_read_by_many_threads(bucket: str, form: str) -> None:
    folder = f"{bucket}/{form}"
    shards = {"tar": {"a.tar": tar(PHOTOS)}, "zip": {"a.zip": zipped(PHOTOS)}}.get(form, PHOTOS)
    for name, content in shards.items():
        places.write(places.join(folder, name), content)
    images = images_below(folder)
    with ThreadPoolExecutor(4) as threads:
        contents = list(threads.map(lambda image: photographs.read(image.file), images))
    assert contents == [content for _, content in sorted(PHOTOS.items())]
    assert [image.label for image in images] == ["roses"] * 40 + ["tulips"] * 40


def test_files_in_a_store_are_written_renamed_and_removed(bucket: str) -> None:
    folder = f"{bucket}/written [1]"
    places.write(places.join(folder, "1.gz"), bytes(12 << 20))  # in several parts
    places.write(places.join(folder, "1.gz"), b"other")
    with places.writing(places.join(folder, "below", "2.bin")) as file:
        file.write(b"more")
    places.rename(places.join(folder, "1.gz"), places.join(folder, "3.gz"))
    assert places.list_names(folder) == ["3.gz"]
    assert places.read_file(places.join(folder, "3.gz")) == b"other"
    assert places.exists(places.join(folder, "below", "2.bin"))
    assert not places.exists(places.join(folder, "1.gz"))
    places.remove_folder(folder)
    assert list(places.names_below(folder)) == []
    for missing in (places.join(folder, "1.gz"), bucket.replace("photos", "nobody") + "/1.jpg"):
        with pytest.raises(BadImage) as caught:
            photographs.read(missing)
        assert str(caught.value) == "cannot be read (not found)"
