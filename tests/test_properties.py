"""Properties of the split, the cache, the flags and the labels, tried on many inputs."""

from __future__ import annotations

import collections
import contextlib
import math
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from retraining.cli.programs import LABEL_IMAGE, RETRAIN
from retraining.data import dataset, images, leftovers
from retraining.data.split import Split, split_of
from retraining.errors import BadRequest
from retraining.features import bottlenecks
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor
from retraining.printable import printable
from retraining.settings.data import DataSettings
from retraining.storage import labels_file
from tests.cli.test_bad_settings import LABEL_IMAGE_REFUSED, REFUSED
from tests.conftest import checked, write_photo
from tests.data.test_dataset import touch
from tests.features.test_bottlenecks import by_path

# As many characters as a file system takes in one name, and none that it does not. Names of leftovers are out:
# hypothesis tries words that it finds in the code.
names = (
    st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=60)
    .filter(lambda name: not name.startswith("."))
    .filter(lambda name: len(name.encode()) < 255)
    .filter(lambda name: leftovers.without_leftover_files([name]) == [name])
)
shares = st.tuples(st.floats(0, 60), st.floats(0, 39))

# A busy machine is no reason to fail, and a quick run tries the same examples each time; the long one new ones.
settings.register_profile(
    "any_machine",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("any_machine")
few = settings(max_examples=40)
many = settings(max_examples=200)
very_many = settings(max_examples=300, derandomize=False)


@many
@given(names, shares, shares)
def test_split_depends_only_on_name_and_percentages_and_grows_with_them(
    name: str, first: tuple[float, float], second: tuple[float, float]
) -> None:
    def split(validation: float, testing: float) -> Split:
        return split_of(name, validation_percentage=validation, testing_percentage=testing)

    assert split(*first) is split(*first)
    if split(first[0], 0) is Split.VALIDATION and second[0] >= first[0]:
        assert split(second[0], 0) is Split.VALIDATION
    assert split(0, 0) is Split.TRAINING


@few
@given(st.lists(names, min_size=4, max_size=30, unique=True), st.data())
def test_split_is_stable_under_adding_removing_and_renaming_folders(
    files: list[str], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        before = scanned(root / "before", {"a": files[::2], "b": files[1::2]})
        kept = data.draw(st.lists(st.sampled_from(files), min_size=2, unique=True))
        folders = {"another name": [*kept[::2], "added.jpg"], "b/c d/deeper": [*kept[1::2], "more.jpg"]}
        after = scanned(root / "after" / "moved", folders)
    assert {name: after[name] for name in kept} == {name: before[name] for name in kept}


def scanned(root: Path, folders: dict[str, list[str]]) -> dict[str, Split]:
    for folder, files in folders.items():
        touch(root / folder, *files)
    with contextlib.suppress(BadRequest):  # a class without a training image is complained of, rightly
        return {Path(image.file).name: image.split for image in dataset.scan(DataSettings(root)).images}
    walk = [path for path in root.rglob("*") if path.is_file()]
    return {path.name: split_of(path.name, validation_percentage=10, testing_percentage=10) for path in walk}


@few
@given(st.floats(1, 50), st.floats(1, 49), st.integers(0, 10**9))
def test_sets_of_many_names_have_the_requested_percentages_within_chance(
    validation: float, testing: float, start: int
) -> None:
    count = 2000
    percentages = {"validation_percentage": validation, "testing_percentage": testing}
    counts = collections.Counter(
        split_of(f"IMG_{start + number}.jpg", **percentages) for number in range(count)
    )
    for split, percentage in ((Split.VALIDATION, validation), (Split.TESTING, testing)):
        share = percentage / 100
        deviation = math.sqrt(count * share * (1 - share))
        assert abs(counts[split] - count * share) < 5 * deviation  # once in a million by chance


class Edits:
    """A folder of photos that is edited, and a cache that may be interrupted or damaged in between."""

    def __init__(self, root: Path, extractor: FeatureExtractor) -> None:
        self.photos, self.cache_dir, self.network = root / "photos", root / "cache", extractor
        for number in range(6):
            write_photo(self.photos / "ab"[number % 2] / f"{number}.png", (40 * number, 9, 200), number)

    def files(self) -> list[Path]:
        return sorted(path for path in self.photos.rglob("*.png"))

    def _file(self, number: int) -> Path:
        files = self.files()  # fewer than at first, where one was moved over another
        return files[number % len(files)]

    def edit(self, number: int, seed: int) -> None:
        write_photo(self._file(number), (seed % 256, 0, 99), seed)

    def move(self, number: int, seed: int) -> None:
        path = self._file(number)
        path.rename(path.parent / f"moved {seed}.png")

    def swap(self, number: int, seed: int) -> None:
        one, other = self._file(number), self._file(seed)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)

    def kill(self, number: int, seed: int) -> None:
        """Compute some, and end as kill -9 does: what is not yet on disk is gone."""
        cache = BottleneckCache(self.cache_dir, self.network)
        for path in self.files()[: number % 6]:
            content = path.read_bytes()
            pixels = images.decode(content, self.network.image_size)
            cache.add(images.digest(content), self.network.extract(pixels[np.newaxis])[0])
        if seed % 2:
            cache.flush()

    def damage(self, number: int, seed: int) -> None:
        shards = sorted(self.cache_dir.rglob("*.tfrecord"))
        if shards:
            shard = shards[number % len(shards)]
            content = bytearray(shard.read_bytes())
            content[seed % len(content)] ^= 1 + seed % 255
            shard.write_bytes(content[: len(content) - (seed % 3) * 7])

    def vectors(self, cache_dir: Path) -> dict[str, bytes]:
        scanned = dataset.scan(DataSettings(self.photos, testing_percentage=0, validation_percentage=0))
        return by_path(bottlenecks.compute(scanned, self.network, BottleneckCache(cache_dir, self.network)))


actions = st.tuples(
    st.sampled_from(["edit", "move", "swap", "kill", "damage", "run"]),
    st.integers(0, 50),
    st.integers(0, 10**6),
)


@few
@given(st.lists(actions, min_size=1, max_size=8))
def test_any_sequence_of_edits_moves_kills_and_damage_gives_the_vectors_of_a_fresh_run(
    extractor: FeatureExtractor, sequence: list[tuple[str, int, int]]
) -> None:
    check_sequence(extractor, sequence)


@pytest.mark.soak
@very_many
@given(st.lists(actions, min_size=5, max_size=30))
def test_any_long_sequence_gives_the_vectors_of_a_fresh_run(
    extractor: FeatureExtractor, sequence: list[tuple[str, int, int]]
) -> None:
    check_sequence(extractor, sequence)


def check_sequence(extractor: FeatureExtractor, sequence: list[tuple[str, int, int]]) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        edits = Edits(Path(temporary), extractor)
        for name, number, seed in sequence:
            if name == "run":
                edits.vectors(edits.cache_dir)
            else:
                getattr(edits, name)(number, seed)
        assert edits.vectors(edits.cache_dir) == edits.vectors(Path(temporary) / "fresh")


flags = st.sampled_from(
    sorted({*REFUSED, *LABEL_IMAGE_REFUSED, "no_such_flag", "help_me", "train-batch-size"})
)
words = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=20),
    st.builds("--{}={}".format, flags, st.text(max_size=10)),
    st.builds("--{}".format, flags),
    st.integers().map(str),
    st.floats().map(str),
)


@many
@given(st.lists(words, max_size=6))
def test_any_arguments_give_settings_or_one_refusal(argv: list[str]) -> None:
    for program in (RETRAIN, LABEL_IMAGE):
        try:
            checked(program, argv)
        except BadRequest as refusal:
            assert printable(refusal)
        except SystemExit as answered:  # --help
            assert answered.code == 0


labels = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1)
bytes_of_a_name = st.binary(min_size=1, max_size=40).filter(lambda name: not {0, 47}.intersection(name))


@many
@given(st.lists(st.one_of(labels, bytes_of_a_name.map(os.fsdecode)), min_size=1, max_size=8, unique=True))
def test_any_labels_are_the_same_after_writing_and_reading(written: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "labels.txt"
        path.write_bytes(labels_file.encode(tuple(written)))
        assert path.read_bytes().count(b"\n") == len(written)
        assert labels_file.read(path) == tuple(written)


@many
@given(st.text())
def test_any_text_is_shown_on_one_line_without_control_characters(text: str) -> None:
    line = printable(text)
    assert re.search("[\x00-\x1f\x7f-\x9f\ud800-\udfff]", line) is None
    assert printable(line) == line
    line.encode("utf-8")
