"""The C++ program of the pages, compiled against the TensorFlow that is installed, answers as label_image.py."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from retraining.data.sample_photos import KINDS, write
from retraining.export import classifier_graph
from retraining.features.extractor import load_extractor
from retraining.graphs import graph_file
from retraining.graphs.quiet_tensorflow import tf
from retraining.inference import loading
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import ModuleSettings
from retraining.storage import labels_file
from retraining.training.softmax_layer import SoftmaxLayer
from tests.conftest import PROJECT

PROGRAM = PROJECT / "docs" / "examples" / "label_image.cc"


def compiled(folder: Path) -> Path:
    """Return the program, compiled and linked with TensorFlow's own library."""
    library = Path(tf.sysconfig.get_lib())
    program = folder / "label_image"
    command = ["g++", str(PROGRAM), "-o", str(program), "-w", *tf.sysconfig.get_compile_flags()]
    command += [f"-L{library}", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    subprocess.run([*command, f"-Wl,-rpath,{library}"], check=True)
    return program


@pytest.mark.soak
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs g++")
def test_cplusplus_program_answers_as_label_image_does(tmp_path: Path) -> None:
    write(tmp_path / "photos", per_class=1, seed=0)
    (photo,) = (tmp_path / "photos" / KINDS[0]).iterdir()
    extractor = load_extractor(ModuleSettings("builtin_small"))
    random = np.random.default_rng(0)
    weights = random.normal(0, 0.05, (extractor.feature_size, len(KINDS))).astype(np.float32)
    layer = SoftmaxLayer(weights, np.zeros(len(KINDS), np.float32))
    graph = classifier_graph.build(extractor, layer, "final_result")
    (tmp_path / "graph.pb").write_bytes(graph_file.encode(graph))
    (tmp_path / "labels.txt").write_bytes(labels_file.encode(KINDS))

    words = [str(tmp_path / "graph.pb"), str(tmp_path / "labels.txt"), str(photo)]
    printed = subprocess.run([compiled(tmp_path), *words], capture_output=True, text=True, check=True).stdout
    answers = [line.rsplit(" ", 1) for line in printed.splitlines()]
    settings = GraphSettings(graph=tmp_path / "graph.pb", labels=tmp_path / "labels.txt")
    (expected,) = loading.load(settings).predict(photo)
    assert [label for label, _ in answers] == [prediction.label for prediction in expected]
    scores = [float(score) for _, score in answers]
    assert scores == pytest.approx([prediction.score for prediction in expected], abs=0.01)
