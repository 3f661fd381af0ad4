"""The server answers what label_image.py would, and refuses the rest in plain words."""

from __future__ import annotations

import dataclasses
import http.client
import logging
import os
import queue
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from PIL import Image

from retraining import serve
from retraining.arrays import Pixels, Probabilities
from retraining.cli.programs import SERVE
from retraining.errors import BadRequest, WorkFailed
from retraining.inference.novelty_run import NoveltyRun
from retraining.server import listening
from tests.conftest import PROJECT, refused
from tests.image_files import encoded, unusable
from tests.server.running import Running, colour_classifier, colours, serving
from tests.test_label_image import write_pixel_classifier

PURPLE = (200, 50, 150)
PHOTO = encoded(Image.new("RGB", (30, 20), PURPLE), "PNG")
ANSWER = [
    {"label": "red", "score": 0.5},
    {"label": "blue", "score": 0.375},
    {"label": "green", "score": 0.125},
]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with serving(colour_classifier(), max_megabytes=1, max_images=3, num_top_predictions=3) as running:
        yield running


def test_image_is_answered_with_labels_and_scores_best_first(running: Running) -> None:
    reply = running.post(PHOTO)
    assert (reply.status, reply.json) == (200, {"predictions": ANSWER})
    # As curl says it without being asked.
    reply = running.post(PHOTO, Content_Type="application/x-www-form-urlencoded")
    assert reply.json == {"predictions": ANSWER}


def test_form_with_several_images_is_answered_image_by_image(running: Running) -> None:
    reply = running.post_form({"one.png": PHOTO, "two.png": PHOTO})
    assert reply.status == 200
    assert reply.json == {
        "images": [
            {"image": "one.png", "predictions": ANSWER},
            {"image": "two.png", "predictions": ANSWER},
        ]
    }


def test_unusable_image_in_a_form_has_its_reason_and_the_others_their_labels(running: Running) -> None:
    reply = running.post_form({"one.png": PHOTO, "page.jpg": b"<html>"})
    assert reply.status == 400
    assert reply.json["images"] == [
        {"image": "one.png", "predictions": ANSWER},
        {"image": "page.jpg", "error": "is a web page, not an image"},
    ]


def test_novelty_is_answered_if_the_classifier_tells_it() -> None:
    class Detector:
        def novelty(self, vectors: Pixels) -> Pixels:
            return vectors[:, 0]

    def run(pixels: Pixels) -> Pixels:
        return np.concatenate([colours(pixels), pixels[:, 0, 0, :1]], axis=1)

    novelty = NoveltyRun(run, Detector())  # type: ignore[arg-type]
    classifier = dataclasses.replace(colour_classifier(), novelty=novelty)
    red = encoded(Image.new("RGB", (30, 20), (255, 0, 0)), "PNG")
    with serving(classifier, num_top_predictions=3) as running:
        assert running.post(PHOTO).json == {"predictions": ANSWER, "novelty": 0.784314, "unknown": False}
        (answer,) = running.post_form({"red.png": red}).json["images"]
        assert (answer["image"], answer["novelty"], answer["unknown"]) == ("red.png", 1, True)


def test_only_as_many_labels_are_answered_as_were_asked_for() -> None:
    with serving(colour_classifier(), num_top_predictions=1) as running:
        assert running.post(PHOTO).json == {"predictions": ANSWER[:1]}


def test_unusable_file_is_a_bad_request_with_the_reason(running: Running) -> None:
    for name, (content, reason) in unusable().items():
        reply = running.post(content)
        assert reply.status == 400, name
        assert reply.json == {"error": f"the file {reason}."}, name
    assert running.post(b"").json == {"error": "the file is empty."}


def test_other_paths_and_methods_are_refused_in_json(running: Running) -> None:
    reply = running.ask("GET", "/predict")
    assert (reply.status, reply.headers["allow"]) == (405, "POST")
    assert reply.json == {
        "error": "images go to /predict, with POST; /healthz and the page at / are read with GET."
    }
    for path in ("/nowhere", "/predict/", "/../setup.cfg", "/%2e%2e/setup.cfg"):
        reply = running.ask("POST", path, PHOTO)
        assert reply.status == 404, path
        assert reply.json == {"error": "there is nothing here; images go to /predict, with POST."}


def test_health_is_told(running: Running) -> None:
    reply = running.ask("GET", "/healthz")
    assert (reply.status, reply.json) == (200, {"status": "ok", "classes": 3, "waiting": 0})


def test_page_asks_only_this_server(running: Running) -> None:
    reply = running.ask("GET", "/")
    assert (reply.status, reply.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "connect-src 'self'" in reply.headers["content-security-policy"]
    assert not re.search(rb"(src|href)=.(?!data:)|https?://|@import", reply.body)


TOO_LARGE = {"error": "the request is larger than 1 MB; send smaller images."}


def test_request_that_says_it_is_too_large_is_refused_before_it_is_read(running: Running) -> None:
    connection = http.client.HTTPConnection(urlsplit(running.address).netloc)
    connection.putrequest("POST", "/predict")
    connection.putheader("Content-Length", "2000001")
    connection.endheaders()
    response = connection.getresponse()
    assert (response.status, response.read()) == (
        413,
        b'{"error": "the request is larger than 1 MB; send smaller images."}\n',
    )
    connection.close()


def test_request_that_turns_out_too_large_is_refused(running: Running) -> None:
    reply = running.post(iter([PHOTO, b"x" * 1_000_000]))  # in chunks, without a length
    assert (reply.status, reply.json) == (413, TOO_LARGE)


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "the form has no file; add an image to it."),
        (dict.fromkeys("abcd", PHOTO), "Too many files. Maximum number of files is 3."),
    ],
    ids=["empty", "too many"],
)
def test_forms_without_images_or_with_too_many_are_refused(
    form: dict[str, bytes], error: str, running: Running
) -> None:
    reply = running.post_form(form)
    assert (reply.status, reply.json) == (400, {"error": error})


def test_damaged_form_is_refused(running: Running) -> None:
    assert running.post(PHOTO, Content_Type="multipart/form-data").status == 400
    assert running.post(PHOTO, Content_Type="multipart/form-data; boundary=photos").status == 400


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "[::1", ""])
def test_name_that_is_not_of_this_machine_is_refused(host: str, running: Running) -> None:
    reply = running.ask("GET", "/healthz", Host=host)
    assert reply.status == 403
    assert reply.json == {"error": f"this server is not known as '{host}'; call it localhost."}


def test_page_of_another_site_is_refused_and_that_of_this_server_is_not(running: Running) -> None:
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        reply = running.post(PHOTO, Origin=origin)
        assert (reply.status, reply.json) == (403, {"error": "pages of other sites may not use this server."})
        assert "access-control-allow-origin" not in reply.headers
    assert running.post(PHOTO, Origin=running.address).status == 200
    assert running.ask("GET", "/healthz", Host="localhost:8000").status == 200


def test_any_name_will_do_for_a_server_that_others_may_reach() -> None:
    with serving(colour_classifier(), host="0.0.0.0") as running:
        port = urlsplit(running.address).port
        reached = Running(running.server, f"http://127.0.0.1:{port}", running.thread)
        assert reached.ask("GET", "/healthz", Host="photos.example").status == 200
        assert (
            reached.ask("GET", "/healthz", Host="photos.example", Origin="http://evil.example").status == 403
        )


class Network:
    """A network that begins only when it is let; `batches` are the numbers of images that it was given."""

    def __init__(self) -> None:
        self.may_run = threading.Event()
        self.has_begun = threading.Event()
        self.batches: list[int] = []

    def __call__(self, pixels: Pixels) -> Probabilities:
        self.batches.append(len(pixels))
        self.has_begun.set()
        assert self.may_run.wait(60)
        return colours(pixels)


@pytest.fixture
def network() -> Iterator[Network]:
    network = Network()
    yield network
    network.may_run.set()


def test_images_that_arrive_together_are_run_together(network: Network) -> None:
    with serving(colour_classifier(network), batch_size=4) as running, ThreadPoolExecutor(10) as clients:
        first = clients.submit(running.post, PHOTO)
        assert network.has_begun.wait(60)
        others = [clients.submit(running.post, PHOTO) for _ in range(9)]
        while running.ask("GET", "/healthz").json["waiting"] < 7:  # of 9: two batches' images are decoded
            pass
        network.may_run.set()
        assert [reply.result().json["predictions"] for reply in (first, *others)] == [ANSWER] * 10
    assert network.batches[:2] == [1, 4]
    assert sum(network.batches) == 10


def test_more_requests_than_may_be_worked_on_are_to_come_again(network: Network) -> None:
    with serving(colour_classifier(network), max_requests=1) as running, ThreadPoolExecutor(1) as client:
        first = client.submit(running.post, PHOTO)
        assert network.has_begun.wait(60)
        reply = running.post(PHOTO)
        assert (reply.status, reply.headers["retry-after"]) == (503, "1")
        assert reply.json == {"error": "too many requests at once; try again in a second."}
        assert running.ask("GET", "/healthz").status == 200
        network.may_run.set()
        assert first.result().status == 200
        assert running.post(PHOTO).status == 200


def test_requests_that_fill_the_memory_together_are_to_come_again(network: Network) -> None:
    content = PHOTO + bytes(900_000)
    with serving(colour_classifier(network), max_megabytes=1) as running, ThreadPoolExecutor(8) as clients:
        first = [clients.submit(running.post, content)]
        assert network.has_begun.wait(60)
        first += [clients.submit(running.post, content) for _ in range(7)]
        while running.ask("GET", "/healthz").json["waiting"] < 7:
            pass
        assert running.post(content).status == 503
        network.may_run.set()
        assert [reply.result().status for reply in first] == [200] * 8
        assert running.post(content).status == 200


def test_answer_that_takes_too_long_is_given_up(network: Network) -> None:
    with serving(colour_classifier(network), timeout=0.5) as running:
        reply = running.post(PHOTO)
        assert reply.status == 504
        assert reply.json == {"error": "there was no answer within 0.5 seconds; try again later."}
        network.may_run.set()


def test_request_that_does_not_arrive_is_given_up() -> None:
    with serving(colour_classifier(), timeout=0.1) as running:
        connection = http.client.HTTPConnection(urlsplit(running.address).netloc)
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Length", "1000")
        connection.endheaders(b"the beginning")
        response = connection.getresponse()
        assert response.status == 408
        assert response.read() == b'{"error": "the request took longer than 0.1 seconds to arrive."}\n'
        connection.close()


def test_what_is_running_is_answered_before_the_server_ends(network: Network) -> None:
    with serving(colour_classifier(network)) as running, ThreadPoolExecutor(1) as client:
        reply = client.submit(running.post, PHOTO)
        assert network.has_begun.wait(60)
        running.server.should_exit = True
        network.may_run.set()
        running.thread.join()
        assert reply.result().json == {"predictions": ANSWER}


def fails(_: Pixels) -> Probabilities:
    raise WorkFailed("the graph cannot be run: {reason}.", reason="no memory")


def breaks(_: Pixels) -> Probabilities:
    raise ZeroDivisionError


def test_network_that_fails_is_told_of_and_the_server_goes_on() -> None:
    with serving(colour_classifier(fails)) as running:
        for _ in range(2):
            reply = running.post(PHOTO)
            assert (reply.status, reply.json) == (500, {"error": "the graph cannot be run: no memory."})


def test_fault_keeps_its_traceback_and_the_server_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    with serving(colour_classifier(breaks)) as running:
        reply = running.post(PHOTO)
        assert reply.status == 500
        assert reply.json == {"error": "the server has a fault; its terminal says which."}
        assert running.ask("GET", "/healthz").status == 200
    assert "ZeroDivisionError" in caplog.text


def test_label_that_is_no_text_is_escaped() -> None:
    label = os.fsdecode(b"gr\xfcn")
    with serving(colour_classifier(labels=(label, "b", "c")), num_top_predictions=1) as running:
        reply = running.post(PHOTO)
        assert reply.body == b'{"predictions": [{"label": "gr\\udcfcn", "score": 0.5}]}\n'


def test_each_request_is_a_short_line_of_the_log(running: Running, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "retraining")
    running.ask("GET", "/a%0Ab?secret")
    (line,) = [message for message in caplog.messages if message.startswith("GET")]
    assert re.fullmatch(r"GET /a\\nb 404 \d+ ms", line)


def test_port_in_use_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(BadRequest) as caught:
        port = taken.getsockname()[1]
        listening.opened("127.0.0.1", port)
    assert str(caught.value) == (
        f"port {port} of 127.0.0.1 is in use. Name another, or 0 for any that is free."
    )


@pytest.mark.parametrize(
    ("host", "message"),
    [
        (
            "192.0.2.1",
            "host '192.0.2.1' is not an address of this machine. Use 127.0.0.1, or 0.0.0.0 for all it has.",
        ),
        ("no such host", "host 'no such host' is not an address: "),
        ("", "host '' is not an address: "),
    ],
)
def test_host_that_is_not_this_machine_is_refused(host: str, message: str) -> None:
    with pytest.raises(BadRequest) as caught:
        listening.opened(host, 0)
    assert str(caught.value).startswith(message)


def test_missing_package_is_named_with_its_cure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    assert refused(SERVE, [f"--graph={tmp_path}"]) == (
        "serve needs starlette, which is not installed. Install it with pip install '.[serve]' or pip install "
        "starlette."
    )


def test_program_answers_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_pixel_classifier(tmp_path, batch=None, size=8)
    addresses: queue.Queue[str] = queue.Queue()
    url = listening.url

    def noted(listener: socket.socket) -> str:
        addresses.put(url(listener))
        return url(listener)

    monkeypatch.setattr(listening, "url", noted)

    def ask() -> bytes:
        address = addresses.get()
        connection = http.client.HTTPConnection(urlsplit(address).netloc)
        connection.request("POST", "/predict", encoded(Image.new("RGB", (9, 9), "white"), "PNG"))
        body = connection.getresponse().read()
        connection.close()
        os.kill(os.getpid(), signal.SIGINT)
        return body

    with ThreadPoolExecutor(1) as client:
        reply = client.submit(ask)
        words = [f"--graph={tmp_path / 'graph.pb'}", f"--labels={tmp_path / 'labels.txt'}", "--port=0"]
        assert serve.main([*words, "--output_layer=scores"]) == 130
        body = reply.result()
    assert body == (b'{"predictions": [{"label": "mean", "score": 1.0}, {"label": "zero", "score": 0.0}]}\n')
    printed = capsys.readouterr()
    assert re.search(
        r"^2 classes at (http://127\.0\.0\.1:\d+), with a page to drop photos on\. Ctrl-C ends it\.\n"
        r"  curl -F photo=@photo\.jpg \1/predict\n"
        r"POST /predict 200 \d+ ms\n\Z",
        printed.out,
        re.MULTILINE,
    )
    assert printed.err.endswith("serve: interrupted; what was computed is kept\n")


def test_server_itself_needs_no_tensorflow() -> None:
    code = "import sys; import retraining.server.listening; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=False).returncode == 0
