"""What a module's refusal calls settings: `image_size` in Python, and `--image_size` on the command line."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

import retrain
from retraining.errors import BadRequest
from retraining.features.extractor import load_extractor
from retraining.settings.module import ModuleSettings
from tests.features.test_extractor import any_size
from tests.modules.test_graph_module import SETTINGS, unknown_graph
from tests.test_retrain import words


@dataclasses.dataclass(frozen=True)
class Refused:
    """A module that is refused because of a setting, and how the message ends on the command line."""

    handle: str
    message: str
    settings: dict[str, Any] = dataclasses.field(default_factory=dict)


def refused_by(loader: str, tf2_module: Path, folder: Path) -> Refused:
    """Return a module that a loader refuses; its message names a setting."""
    graph = unknown_graph(folder / "net.pb")
    return {
        "a SavedModel": Refused(
            str(tf2_module),
            f"--image_size 224 contradicts module {tf2_module}, which takes 32x32. Leave it out.",
            {"image_size": 224},
        ),
        "a frozen graph": Refused(
            str(graph),
            f"--image_size 224 contradicts module {graph}, which takes 8x8. Leave it out.",
            {**SETTINGS, "image_size": 224},
        ),
        "an unknown frozen graph": Refused(
            str(graph),
            "To use it, set --bottleneck_tensor_name, --input_mean, --input_std. Likely inputs: data; likely "
            "outputs: AvgPool2D, scores.",
            {"input_tensor_name": "data"},
        ),
        "an op that does not exist": Refused(
            str(graph),
            f"--input_tensor_name 'images:0' is not in module '{graph}'. Likely inputs: data; likely outputs: "
            "AvgPool2D, scores.",
            {**SETTINGS, "input_tensor_name": "images"},
        ),
        "a module of any size": Refused(
            str(any_size(folder / "net")),
            "takes images of any size, and its name does not say which to use. Set --image_size.",
        ),
        "a network of Keras": Refused(
            "keras:MobileNet",
            "Instead, try: --tfhub_module 'keras:MobileNet?weights=FILE', with a file that you have downloaded; "
            "--tfhub_module builtin, the network that ships with this program.",
            {"image_size": 128},
        ),
        "a module on the web": Refused(
            "http://127.0.0.1:9/net",
            "Instead, try: --tfhub_module builtin, the network that ships with this program; --tfhub_module "
            "FOLDER, a module that you have downloaded and unpacked; --tfhub_module keras:NAME, the network from "
            "Keras's own server; or set TFHUB_CACHE_DIR to the folder of an earlier download.",
            {"model_dir": str(folder / "modules")},
        ),
        "a folder that does not exist": Refused(
            f"{folder}/nowhere",
            f"--tfhub_module '{folder}/nowhere' is not an existing folder or file, a web address, a name from "
            "--list_modules, 'keras:NAME' or 'builtin'.",
        ),
        "an unknown name": Refused("vgg16", "'vgg16' is not a known module. --list_modules lists them all."),
        "a setting of frozen graphs": Refused(
            "builtin",
            "--input_mean is for a frozen graph (.pb), but the module is 'builtin'. Leave it out.",
            {"input_mean": 128.0},
        ),
    }[loader]


@pytest.mark.parametrize(
    "loader",
    [
        "a SavedModel",
        "a frozen graph",
        "an unknown frozen graph",
        "an op that does not exist",
        "a module of any size",
        "a network of Keras",
        "a module on the web",
        "a folder that does not exist",
        "an unknown name",
        "a setting of frozen graphs",
    ],
)
def test_refusal_names_settings_as_python_does_in_python_and_as_flags_on_the_command_line(
    loader: str,
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("http_proxy", "https_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    refused = refused_by(loader, tf2_module, tmp_path)
    with pytest.raises(BadRequest) as caught:
        load_extractor(ModuleSettings(refused.handle, **refused.settings))
    assert str(caught.value).endswith(refused.message.replace("--", ""))
    assert re.search(r"--\w", str(caught.value)) is None
    flags = [f"--{name}={value}" for name, value in refused.settings.items()]
    assert retrain.main(words(colour_photos, tmp_path, *flags, module=refused.handle)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == f"retrain: error: {caught.value.message.text(setting_name=lambda name: f'--{name}')}"
    assert line.endswith(refused.message)
