"""What is known of each engine besides its speed: licence, platforms, the size of its install, its start."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from benchmarks.figures import MB
from retraining.settings.module import LITERT, ONNXRUNTIME, OPENVINO, TENSORFLOW

_EVERYWHERE = "Linux x86-64 and ARM, macOS ARM, Windows"


@dataclasses.dataclass(frozen=True)
class Facts:
    """Of an engine: its distribution, and a program that loads the file named first and runs an image."""

    distribution: str
    licence: str
    platforms: str
    start: str

    def size(self) -> str:
        """Return how many MB its files take, without those of what it requires."""
        files = metadata.files(self.distribution) or []
        paths = (Path(str(file.locate())) for file in files)
        return f"{sum(path.stat().st_size for path in paths if path.is_file()) / MB:,.0f} MB"

    def start_up(self, model: Path, side: int) -> float:
        """Return the seconds that a process of its own takes: import, load, one image of `side` pixels."""
        started = time.monotonic()
        command = [sys.executable, "-c", self.start, str(model), str(side)]
        subprocess.run(command, check=True, capture_output=True)
        return time.monotonic() - started


_IMAGE = "import sys, numpy; image = numpy.zeros([1, int(sys.argv[2]), int(sys.argv[2]), 3], 'float32')\n"

FACTS = {
    TENSORFLOW: Facts(
        "tensorflow",
        "Apache-2.0",
        _EVERYWHERE,
        _IMAGE
        + """
import tensorflow as tf
graph_def = tf.compat.v1.GraphDef.FromString(open(sys.argv[1], "rb").read())
graph = tf.Graph()
with graph.as_default():
    tf.graph_util.import_graph_def(graph_def, name="")
operations = graph.get_operations()
given = next(op for op in operations if op.type == "Placeholder").outputs[0]
used = {tensor.name for op in operations for tensor in op.inputs}
wanted = [op.outputs[0] for op in operations if op.outputs and op.outputs[0].name not in used][-1]
tf.compat.v1.Session(graph=graph).run(wanted, {given: image})
""",
    ),
    LITERT: Facts(
        "ai-edge-litert",
        "Apache-2.0",
        _EVERYWHERE,
        _IMAGE
        + """
from ai_edge_litert.interpreter import Interpreter
interpreter = Interpreter(model_path=sys.argv[1], num_threads=2)
interpreter.allocate_tensors()
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], image)
interpreter.invoke()
""",
    ),
    ONNXRUNTIME: Facts(
        "onnxruntime",
        "MIT",
        _EVERYWHERE,
        _IMAGE
        + """
import onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
session.run(None, {session.get_inputs()[0].name: image})
""",
    ),
    OPENVINO: Facts(
        "openvino",
        "Apache-2.0",
        _EVERYWHERE,
        _IMAGE
        + """
import openvino
core = openvino.Core()
core.compile_model(core.read_model(sys.argv[1]), "CPU")(image)
""",
    ),
}
