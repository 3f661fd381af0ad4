from __future__ import annotations

import subprocess
import sys

import pytest

from retraining.features.extractor import load_extractor
from retraining.graphs.frozen_graph import op_of
from retraining.settings.module import ModuleSettings
from tests.conftest import PROJECT


def test_weights_come_first_in_the_order_of_their_names() -> None:
    nodes = load_extractor(ModuleSettings("builtin_small")).graph.graph_def.node
    weights = [node.name for node in nodes if node.op == "Const" and node.name.startswith("unknown")]
    assert len(weights) > 20
    assert weights == sorted(weights)
    reads = [node.name for node in nodes if node.op == "Identity" and op_of(node.input[0]) in weights]
    assert reads == sorted(reads)


@pytest.mark.soak
def test_graph_of_a_module_is_the_same_in_every_process() -> None:
    code = (
        "import hashlib\n"
        "from retraining.features.extractor import load_extractor\n"
        "from retraining.settings.module import ModuleSettings\n"
        "graph = load_extractor(ModuleSettings('builtin_small')).graph.graph_def\n"
        "print(hashlib.sha256(graph.SerializeToString(deterministic=True)).hexdigest())"
    )
    command = [sys.executable, "-c", code]
    runs = [
        subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True) for _ in range(3)
    ]
    assert len({run.stdout for run in runs}) == 1
