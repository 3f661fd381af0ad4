"""TensorFlow is imported by applications that have no standard error, or one of another kind."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from retraining.native_output import native_output_captured
from tests.conftest import PROJECT


@pytest.mark.soak
def test_tensorflow_is_imported_without_standard_streams(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "assert sys.stdout is sys.stderr is None\n"
        "from retraining.graphs.quiet_tensorflow import tf\n"
        "tf.constant(0)\n"  # which imports it
        "with open('results', 'w') as file:\n"
        "    tf.get_logger().error('nowhere to go')\n"
        "    file.write(f'{file.fileno() > 2} {tf.add(1, 1)}')\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(PROJECT)}
    command = ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", sys.executable, "-c", code]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 0
    assert (tmp_path / "results").read_text() == "True 2"


class Bare:
    """Standard error of an application that only knows how to write."""

    def write(self, text: str) -> None:
        """Drop the text."""


def closed() -> io.StringIO:
    stream = io.StringIO()
    stream.close()
    return stream


@pytest.mark.parametrize("stream", [None, closed(), Bare()], ids=["missing", "closed", "of another kind"])
def test_native_output_is_captured_whatever_standard_error_is(
    stream: object, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stderr", stream)
    with native_output_captured():
        os.write(2, b"noise")
    assert capfd.readouterr().err == ""
    with pytest.raises(ImportError), native_output_captured():
        os.write(2, b"the reason")
        raise ImportError
    assert capfd.readouterr().err == "the reason"
