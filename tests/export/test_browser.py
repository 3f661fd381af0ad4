"""The page in a real Chromium: label_image.py's answers, from a file and from a server, and no network."""

from __future__ import annotations

import contextlib
import functools
import http.server
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from benchmarks import chromium
from benchmarks.chromium import LabellingPage
from retraining.arrays import ImageSize
from retraining.data import images, sample_photos
from retraining.errors import BadRequest
from retraining.export import html_page, onnxruntime_web
from retraining.export.classifier_graph import ClassifierGraph
from retraining.graphs import graph_file
from retraining.inference import graph_classifier, loading
from retraining.settings.label_image import GraphSettings
from tests.export.test_opencv import classifier

pytestmark = pytest.mark.soak

pytest.importorskip("onnx", reason="needs the extra onnx")
pytest.importorskip("onnxruntime", reason="needs the extra onnx")

LABELS = ("daisy", "poppy", "tulip", "sunflower")
SIDE = 128  # of the network's images

SCORES_DIFFER = (
    0.06  # at most: a JPEG that is decoded at half its size has slightly softer colors in a browser
)
LEVELS_DIFFER = 4  # of 255, for a JPEG that label_image.py decodes at a fraction of its size

# Set the camera of Chromium to a picture that it draws itself.
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")

RESIZED = """async ([number, height, width]) => {
    const { bitmap, isJpeg } = await opened(document.getElementById("test-files").files[number]);
    return [...resized(bitmap, { height, width }, isJpeg)];
}"""
GIVEN = """async ([kind, name, bytes]) => {
    const data = new DataTransfer();
    if (bytes) data.items.add(new File([new Uint8Array(bytes)], name));
    const how = { bubbles: true, cancelable: true };
    document.dispatchEvent(kind === "drop"
        ? new DragEvent("drop", { ...how, dataTransfer: data })
        : new ClipboardEvent("paste", { ...how, clipboardData: data }));
}"""


@pytest.fixture(scope="module", autouse=True)
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Use a cache of the tests' own, with the onnxruntime-web that the user's cache has, or that npm fetches."""
    users = Path.home() / ".cache" / "image-retrainer" / f"onnxruntime-web-{onnxruntime_web.VERSION}"
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("caches")))
        try:
            chromium.check()
            onnxruntime_web.check(users if users.is_dir() else None)
        except BadRequest as error:
            pytest.skip(str(error))
        yield


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of a network with a new layer of random weights; the frozen graph lies beside it."""
    folder = tmp_path_factory.mktemp("pages")
    graph = classifier("builtin_small", float32_weights=False)
    (folder / "graph.pb").write_bytes(graph_file.encode(graph))
    (folder / "labels.txt").write_text("\n".join(LABELS))
    html_page.write(
        ClassifierGraph(graph, LABELS, ImageSize(SIDE, SIDE), name="small"), folder / "graph.browser"
    )
    return folder / "graph.browser"


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("photos")
    sample_photos.write(folder, per_class=1, seed=3)
    return sorted(folder.glob("*/*.jpg"))


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    try:
        with chromium.browser(*CAMERA) as browser:
            yield browser
    except BadRequest as error:
        pytest.skip(str(error))


@pytest.fixture
def opened(page: Path, started: Any) -> Iterator[LabellingPage]:
    """The page, opened from its file."""
    with contextlib.closing(started.new_page()) as tab:
        labelling = LabellingPage(tab)
        labelling.open((page / "index.html").as_uri())
        yield labelling
        assert labelling.complaints == []


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextlib.contextmanager
def served(folder: Path) -> Iterator[str]:
    """Yield the address of a static server for a folder."""
    handler = functools.partial(Handler, directory=str(folder))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()


def assert_answers_agree(page: Path, photos: list[Path], found: list[dict[str, float]]) -> None:
    """Compare with what label_image.py says of the frozen graph, and of the model in the page."""
    graph = GraphSettings(graph=page.parent / "graph.pb", labels=page.parent / "labels.txt")
    for exact in (graph_classifier.load(graph).classifier, loading.load(GraphSettings(graph=page))):
        scores = exact.scores(photos)
        ours = np.array([[row[label] for label in LABELS] for row in found])
        np.testing.assert_array_equal(ours.argmax(axis=1), scores.argmax(axis=1))
        np.testing.assert_allclose(ours, scores, atol=SCORES_DIFFER)


def test_page_from_a_file_gives_the_answers_of_label_image(
    page: Path, opened: LabellingPage, photos: list[Path]
) -> None:
    assert_answers_agree(page, photos, opened.label(photos))
    assert {request.partition(":")[0] for request in opened.requests} == {"file", "blob"}


def test_page_from_a_server_gives_the_answers_of_label_image(
    page: Path, started: Any, photos: list[Path]
) -> None:
    with served(page) as address, contextlib.closing(started.new_page()) as tab:
        labelling = LabellingPage(tab)
        labelling.open(address)
        assert_answers_agree(page, photos, labelling.label(photos))
        asked = {request for request in labelling.requests if not request.startswith("blob:")}
        assert {request for request in asked if not request.startswith(address)} == set()
        assert labelling.complaints == []


def test_page_cannot_ask_any_host(page: Path, started: Any) -> None:
    asks = """async (address) => {
        const image = new Image();
        const loaded = new Promise((done) => { image.onload = () => done("loaded"); image.onerror = () => done("-"); });
        image.src = address;
        const fetched = fetch(address).then(() => "fetched", () => "-");
        let socket = "-";
        try { new WebSocket(address.replace("http", "ws")); socket = "refused later"; } catch { }
        return [await loaded, await fetched, navigator.sendBeacon(address, "x") && "-"];
    }"""
    with served(page) as other, contextlib.closing(started.new_page()) as tab:
        labelling = LabellingPage(tab)
        labelling.open((page / "index.html").as_uri())
        assert labelling.page.evaluate(asks, other)[:2] == ["-", "-"]
        assert all("Content Security Policy" in complaint for complaint in labelling.complaints)
        assert len(labelling.complaints) >= 3


def test_file_that_is_no_photo_is_shown_with_the_reason(
    opened: LabellingPage, photos: list[Path], tmp_path: Path
) -> None:
    (tmp_path / "notes.jpg").write_text("no photo")
    found = opened.label([photos[0], tmp_path / "notes.jpg", photos[1]])
    assert [len(scores) for scores in found] == [4, 0, 4]
    card = opened.page.locator(".photo", has_text="notes.jpg")
    assert card.locator(".trouble").all_inner_texts() == [
        "Not read",
        "This browser cannot read it as a photo. JPEG and PNG always work.",
    ]


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_photos_are_dropped_and_pasted(kind: str, opened: LabellingPage, photos: list[Path]) -> None:
    opened.page.evaluate(GIVEN, [kind, "given.jpg", list(photos[0].read_bytes())])
    opened.page.wait_for_selector('.photo[data-name="given.jpg"] .scores')
    opened.page.evaluate(GIVEN, [kind, "", None])
    says = {
        "drop": "What was dropped is no file. Save the picture first, and drop its file.",
        "paste": "The clipboard holds no photo.",
    }
    assert opened.page.inner_text("#status") == says[kind]


def test_camera_takes_photos(page: Path, started: Any) -> None:
    with served(page) as address, contextlib.closing(started.new_page()) as tab:
        labelling = LabellingPage(tab)
        labelling.open(address)
        tab.click("#camera-button")
        tab.click("#shoot")
        tab.wait_for_selector('.photo[data-name="camera photo 1"] .scores')
        tab.click("#close-camera")
        assert not tab.is_visible("#video")
        tab.click("#clear")
        assert tab.locator(".photo").count() == 0


def test_pixels_are_those_of_label_image(opened: LabellingPage, photos: list[Path], tmp_path: Path) -> None:
    """Bit for bit where nothing is lost in the file, turned and transparent ones too; nearly so for large JPEGs."""
    tab, rng = opened.page, np.random.default_rng(0)
    tab.evaluate(
        """() => {
            const input = document.createElement("input");
            [input.type, input.multiple, input.id] = ["file", true, "test-files"];
            document.body.append(input);
        }"""
    )
    noise = Image.fromarray(rng.integers(0, 256, (301, 457, 4), np.uint8))
    noise.convert("RGB").save(tmp_path / "noise.png")
    noise.resize((20, 3000)).convert("RGB").save(tmp_path / "tall.png")
    noise.save(tmp_path / "transparent.png")
    photo = Image.open(photos[0])
    exif = Image.Exif()
    exif[0x0112] = 6
    photo.resize((230, 150)).save(tmp_path / "turned.jpg", quality=95, exif=exif)
    photo.resize((1600, 1211)).save(tmp_path / "large.jpg", quality=90)
    limits = {
        "noise.png": 0,
        "tall.png": 1,  # Pillow 13 resizes the columns first where that is less work, and rounds in between
        "transparent.png": 2,
        "turned.jpg": 2,
        "large.jpg": LEVELS_DIFFER,
    }
    tab.set_input_files("#test-files", [str(tmp_path / name) for name in limits])
    for number, (name, limit) in enumerate(limits.items()):
        for height, width in ((128, 128), (96, 160), (512, 40)):
            found = np.array(tab.evaluate(RESIZED, [number, height, width])).reshape(height, width, 3)
            size = ImageSize(height, width)
            exact = np.rint(images.decode((tmp_path / name).read_bytes(), size) * 255)
            worst = float(np.abs(found - exact).max())
            assert worst <= limit, (name, size)
