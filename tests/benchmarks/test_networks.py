from __future__ import annotations

import re

import pytest

from benchmarks import networks

ROW = r"\| {} \| 67x67 \| [\d,]+ \| \d+\.\d GB \| \d+\.\d s \| \d+\.\d\d s \| [\d.]+ \|"


def test_step_of_a_network_is_measured(capfd: pytest.CaptureFixture[str]) -> None:
    assert networks.main(["alexnet", "--width=0.05", "--image_size=67", "--batch_size=2"]) == 0
    assert re.fullmatch(ROW.format("alexnet"), capfd.readouterr().out.strip())


@pytest.mark.soak
def test_each_network_has_a_row(capfd: pytest.CaptureFixture[str]) -> None:
    assert networks.main(["alexnet", "googlenet", "--width=0.05", "--image_size=67"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("| network | image |")
    assert [
        re.fullmatch(ROW.format(name), line) is not None
        for name, line in zip(("alexnet", "googlenet"), lines[2:], strict=True)
    ] == [True, True]


def test_unknown_network_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert networks.main(["lexnet"]) == 2
    assert capfd.readouterr().err == (
        "networks: error: 'lexnet' is no network of this program. Nearest: alexnet, googlenet, resnet50.\n"
    )
