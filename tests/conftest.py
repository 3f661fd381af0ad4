"""Data that several tests share: images of plain colours, and small modules in both formats."""

from __future__ import annotations

import dataclasses
import gc
import logging
import os
import signal
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from retraining import compare
from retraining.cli import parser
from retraining.cli.parser import Program
from retraining.data import dataset
from retraining.engines import choice
from retraining.errors import BadRequest
from retraining.features import bottlenecks
from retraining.features.bottleneck_sets import Bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.graphs.quiet_tensorflow import tf
from retraining.settings.data import DataSettings
from retraining.settings.module import ModuleSettings
from retraining.storage import private_folder
from tests.forked_retrain import Forks

PROJECT = Path(__file__).parent.parent

MODULE_SIZE = 32
MODULE_FEATURES = 48
COLOURS = {"cyan": (0, 255, 255), "magenta": (255, 0, 255), "yellow": (255, 255, 0)}


def pytest_collection_finish() -> None:
    """Spare the garbage collector what is there by now: TensorFlow's many objects, which stay to the end."""
    gc.freeze()


@pytest.fixture(autouse=True, scope="session")
def nothing_is_kept_for_this_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep no converted classifier, neither in the home of who runs the tests nor at the cost of their time."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("XDG_CACHE_HOME", "/dev/null")
        # Keras imports Matplotlib, which would make a folder of its own and remove it once in each fork.
        patched.setenv("MPLCONFIGDIR", str(tmp_path_factory.mktemp("matplotlib")))
        yield


@pytest.fixture(autouse=True, scope="session")
def no_network_is_kept_in_the_default_folder() -> Iterator[None]:
    """Keep no frozen network where the next test, or the user's next run, would find it."""
    made, default = private_folder.made, ModuleSettings.bottleneck_dir
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(private_folder, "made", lambda folder: folder.parent != default and made(folder))
        yield


FASTER_IN_BFLOAT16 = choice.FASTER_IN_BFLOAT16


@pytest.fixture(autouse=True, scope="session")
def same_numbers_on_every_processor() -> Iterator[None]:
    """Compute the built-in networks in float32, as on a processor without bfloat16, unless a test asks for it."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(choice, "FASTER_IN_BFLOAT16", frozenset())
        yield


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """Make Ctrl-C interrupt: in processes that a shell starts in the background, it is ignored."""
    previous = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, previous)


@pytest.fixture(autouse=True)
def unraisable_hook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Restore Python's own hook after each test, since an interrupted command replaces it."""
    monkeypatch.setattr(sys, "unraisablehook", sys.unraisablehook)


@pytest.fixture(autouse=True)
def package_logger() -> Iterator[None]:
    """Give each test the package's logger as it is at first, since commands configure it."""
    logger = logging.getLogger("retraining")
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.INFO)
    yield


def write_photo(path: Path, colour: tuple[int, int, int], seed: int) -> None:
    """Write an image of one colour, with noise that makes its bytes unique to `seed`."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(-40, 40, (40, 60, 3))
    pixels = np.clip(np.array(colour) * 0.8 + 25 + noise, 0, 255).astype(np.uint8)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path)


def checked(program: Program[Any], argv: list[str]) -> Any:
    """Return the settings of a command line, checked as a program does before its work. Raises BadRequest."""
    settings = parser.parse(program, argv)
    program.check(settings)
    return settings


def refused(program: Program[Any], argv: list[str]) -> str:
    """Return the message with which a command line is refused, as the user sees it."""
    with pytest.raises(BadRequest) as caught:
        checked(program, argv)
    return caught.value.message.text(setting_name=program.flag_name)


def write_colour_photos(folder: Path, per_class: int = 30) -> Path:
    """Write a folder of three classes that any network can tell apart."""
    for number, (name, colour) in enumerate(COLOURS.items()):
        for index in range(per_class):
            write_photo(folder / name / f"{name}_{index:03}.jpg", colour, 1000 * number + index)
    return folder


# What a run on the 30 images a class of `write_colour_photos` warns of.
FEW_COLOURS_TESTED = (
    "warning: fewer than 10 test images in 3 of 3 classes (magenta: 1, cyan: 4, yellow: 7): one image more or "
    "less changes the recall of 'magenta' by 100 points. Add images, or raise --testing_percentage."
)


@pytest.fixture
def colour_photos(tmp_path: Path) -> Path:
    return write_colour_photos(tmp_path / "photos")


class _ColourGrid(tf.Module):
    """A module that gives the mean colours of a 4x4 grid, times a variable."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = tf.Variable(tf.linspace(1.0, 8.0, MODULE_FEATURES))

    @tf.function(input_signature=[tf.TensorSpec([None, MODULE_SIZE, MODULE_SIZE, 3], tf.float32, "inputs")])
    def __call__(self, inputs: tf.Tensor) -> tf.Tensor:
        grid = tf.nn.avg_pool2d(inputs, MODULE_SIZE // 4, MODULE_SIZE // 4, "VALID")
        return tf.reshape(grid, [-1, MODULE_FEATURES]) * self.scale


@pytest.fixture(scope="session")
def tf2_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A module in TF2 SavedModel format: float32 [n, 32, 32, 3] to float32 [n, 48]."""
    folder = tmp_path_factory.mktemp("modules") / "colour_grid"
    module = _ColourGrid()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
    return folder


@pytest.fixture(scope="session")
def tf1_hub_module(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same function in TF1 Hub format, with a branch that is used in training only, as in many modules."""
    folder = tmp_path_factory.mktemp("modules") / "colour_grid_tf1"
    graph = tf.Graph()
    with graph.as_default(), tf.compat.v1.Session(graph=graph) as session:
        images = tf.compat.v1.placeholder(tf.float32, [None, MODULE_SIZE, MODULE_SIZE, 3], "images")
        scale = tf.compat.v1.get_variable("scale", initializer=tf.linspace(1.0, 8.0, MODULE_FEATURES))
        is_training = tf.compat.v1.placeholder_with_default(False, [], "is_training")
        grid = tf.nn.avg_pool2d(images, MODULE_SIZE // 4, MODULE_SIZE // 4, "VALID")
        alive, dead = tf.raw_ops.Switch(data=grid, pred=is_training)
        merged = tf.raw_ops.Merge(inputs=[alive, tf.raw_ops.Neg(x=dead)])[0]
        features = tf.reshape(merged, [-1, MODULE_FEATURES]) * scale
        session.run(scale.initializer)
        save_tf1_hub(session, folder, images, features)
    return folder


def save_tf1_hub(session: tf.compat.v1.Session, folder: Path, images: tf.Tensor, features: tf.Tensor) -> None:
    """Save a function in TF1 Hub format, as `hub.Module.export` does."""
    info = tf.compat.v1.saved_model.build_tensor_info
    signature = tf.compat.v1.saved_model.build_signature_def(
        inputs={"images": info(images)}, outputs={"default": info(features)}
    )
    builder = tf.compat.v1.saved_model.Builder(str(folder))
    builder.add_meta_graph_and_variables(
        session, [], signature_def_map={"default": signature, "image_feature_vector": signature}
    )
    builder.save()
    (folder / "tfhub_module.pb").write_bytes(b"\x08\x03")


@pytest.fixture(scope="session")
def extractor(tf2_module: Path) -> FeatureExtractor:
    return load_extractor(ModuleSettings(str(tf2_module)))


@pytest.fixture(scope="session")
def forks() -> Iterator[Forks]:
    """Run retrain.py in processes of their own, without waiting for TensorFlow's import in each."""
    forks = Forks()
    yield forks
    forks.close()


@dataclasses.dataclass(frozen=True)
class Computed:
    """The images of `colour_photos`, with their vectors."""

    folder: Path
    bottlenecks: Bottlenecks


@pytest.fixture(scope="session")
def computed(extractor: FeatureExtractor, tmp_path_factory: pytest.TempPathFactory) -> Computed:
    folder = write_colour_photos(tmp_path_factory.mktemp("computed") / "photos")
    cache = BottleneckCache(tmp_path_factory.mktemp("cache"), extractor)
    return Computed(folder, bottlenecks.compute(dataset.scan(DataSettings(folder)), extractor, cache))


@pytest.fixture
def ordinary_user(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Run as an ordinary user, since root ignores permissions; yield a folder of that user's."""
    folder = tmp_path_factory.mktemp("ordinary")
    if os.geteuid() != 0:
        yield folder
        return
    for parent in (folder, *folder.parents):
        if not parent.stat().st_mode & stat.S_IXOTH:  # pytest's own folders are for their owner alone
            parent.chmod(0o755)
    os.chown(folder, 65534, 65534)
    os.seteuid(65534)
    try:
        yield folder
    finally:
        os.seteuid(0)


@pytest.fixture(scope="session")
def alexnet_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The weights file of a thin AlexNet for images of 67 pixels, which `compare` trained for one epoch."""
    out = tmp_path_factory.mktemp("alexnet")
    photos = write_colour_photos(out / "photos")
    words = ("--models", "alexnet", "--width", "0.05", "--image_size", "67", "--epochs", "1")
    assert compare.main(["--image_dir", str(photos), *words, "--output_dir", str(out / "compared")]) == 0
    (weights,) = out.glob("compared/networks/alexnet-adam-*.npz")
    return weights
