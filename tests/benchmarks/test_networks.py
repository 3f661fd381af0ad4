from __future__ import annotations

import re

import pytest

from benchmarks.__main__ import main

ROW = r"\| {} \| 67x67 \| [\d,]+ \| \d+\.\d GB \| \d+\.\d s \| \d+\.\d\d s \| [\d.]+ \|"


@pytest.mark.soak
def test_step_of_a_network_is_measured(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "alexnet", "--width=0.05", "--image_size=67", "--batch_size=2"]) == 0
    heads, _, row = capfd.readouterr().out.splitlines()
    assert heads.startswith("| network | image |")
    assert re.fullmatch(ROW.format("alexnet"), row)


@pytest.mark.soak
def test_each_network_has_a_row(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "alexnet", "googlenet", "--width=0.05", "--image_size=67"]) == 0
    lines = capfd.readouterr().out.splitlines()
    assert lines[0].startswith("| network | image |")
    assert [
        re.fullmatch(ROW.format(name), line) is not None
        for name, line in zip(("alexnet", "googlenet"), lines[2:], strict=True)
    ] == [True, True]


def test_unknown_network_is_refused(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["networks", "lexnet"]) == 2
    assert capfd.readouterr().err == (
        "benchmarks: error: 'lexnet' is not a network that can be trained from scratch. Did you mean alexnet, googlenet or resnet50?\n"
    )
