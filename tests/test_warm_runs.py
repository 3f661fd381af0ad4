"""A run that finds its feature vectors in the cache does without TensorFlow until it exports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import retrain
from tests.conftest import PROJECT
from tests.test_retrain import words

# Ends the process after the training, as soon as the model has been tested.
UNTIL_TRAINED = """
import os, sys
import retrain
from retraining.model import RetrainedModel

train = RetrainedModel.train

def and_end(*arguments, **keywords):
    model = train(*arguments, **keywords)
    loaded = {name.partition(".")[0] for name in sys.modules} & {"tensorflow", "keras", "tf2onnx"}
    print(f"\\n{model.evaluation.count > 0} {sorted(loaded)}", flush=True)
    os._exit(0)

RetrainedModel.train = and_end
retrain.main(sys.argv[1:])
"""


def test_second_run_has_trained_and_tested_its_layer_before_it_loads_tensorflow(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    flags = words(colour_photos, tmp_path, module=tf2_module)
    assert retrain.main(flags) == 0
    command = [sys.executable, "-c", UNTIL_TRAINED, *flags]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-1:] == ["True []"], done.stderr


@pytest.mark.soak
def test_second_run_writes_graph_and_report_by_processes_of_their_own(
    colour_photos: Path, tf2_module: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    flags = words(colour_photos, tmp_path, "--report", page, module=tf2_module)
    assert retrain.main(flags) == 0
    page.unlink()
    code = (
        "import sys, retrain; print(retrain.main(sys.argv[1:]), {'tensorflow', 'sklearn'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, *flags]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[-2:] == [f"Report: {page}", "0 set()"], done.stderr
    assert page.is_file()
