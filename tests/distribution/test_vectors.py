"""The step that computes, without a runner: which files it writes, and which images it says cannot be used."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from apache_beam.pvalue import TaggedOutput

from retraining.arrays import ImageSize, Vectors
from retraining.data import images
from retraining.distribution.copies import MOST, REASONS
from retraining.distribution.elements import Missing
from retraining.distribution.network_file import NetworkFile
from retraining.distribution.shard_files import ShardFiles
from retraining.distribution.steps import StepFailed, error_in
from retraining.distribution.vectors import ComputeVectors
from retraining.features import shards
from retraining.features.shards import Shard
from retraining.features.views import Views
from retraining.runtimes.batches import BATCH_SIZE
from tests.conftest import COLOURS, write_photo


class MeanColours:
    """A network that gives the mean of red, green and blue, and NaN for what is more yellow than blue."""

    name = "means"
    image_size = ImageSize(8, 8)

    def __init__(self) -> None:
        self.has_numbers = False
        self.batches: list[int] = []

    def extract(self, pixels: Any) -> Vectors:
        self.batches.append(len(pixels))
        vectors: Vectors = np.stack(pixels).mean(axis=(1, 2))
        vectors[vectors[:, 0] > vectors[:, 2] + 0.3] = np.nan
        return vectors


def missing(folder: Path, *names: str, line: int = 0) -> tuple[Any, ...]:
    """Return the Missing of a photo, as a tuple, that has several names."""
    paths = [folder / name for name in names]
    if not paths[0].exists():
        colour = COLOURS[next(colour for colour in COLOURS if names[0].startswith(colour))]
        write_photo(paths[0], colour, seed=len(names[0]) + line)
    for path in paths[1:]:
        path.write_bytes(paths[0].read_bytes())
    digest = images.digest(paths[0].read_bytes())
    copies = tuple((0, line + number, str(path)) for number, path in enumerate(paths))
    return tuple(Missing(digest, digest, 16, "training", copies))


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> MeanColours:
    network = MeanColours()
    monkeypatch.setattr(NetworkFile, "loaded", lambda _: network)
    return network


def compute(folder: Path, group: list[tuple[Any, ...]], *, has_numbers: bool = False) -> list[Any]:
    """Return the failures of a group; its shards are in `folder`."""
    return [failure for failure in told(folder, group, has_numbers=has_numbers) if isinstance(failure, tuple)]


def told(folder: Path, group: list[tuple[Any, ...]], *, has_numbers: bool = False) -> list[Any]:
    """Return all that the step says of a group."""
    file = NetworkFile(**dict.fromkeys(NetworkFile.__dataclass_fields__, ""))  # type: ignore[arg-type]
    step = ComputeVectors(file, ShardFiles(str(folder), 3, str(folder)), Views(), has_numbers=has_numbers)
    return list(step.process((0, group)))


def written(folder: Path) -> dict[str, list[bytes]]:
    """Return the keys in each shard."""
    names = [path.name for path in folder.iterdir() if shards.is_name(path.name)]
    return {name: shards.keys(Shard(name, (folder / name).read_bytes()), 3) for name in names}


def test_shards_depend_on_the_group_alone_and_have_at_most_256_vectors_in_order(
    network: MeanColours, tmp_path: Path
) -> None:
    group = [missing(tmp_path, f"cyan_{number}.bmp", line=number) for number in range(300)]
    assert compute(tmp_path / "one", group) == []
    assert compute(tmp_path / "other", group[::-1]) == []
    one = written(tmp_path / "one")
    assert one == written(tmp_path / "other")
    assert sorted(map(len, one.values())) == [44, 256]
    assert sorted(key for keys in one.values() for key in keys) == sorted(row[0] for row in group)
    assert all(keys == sorted(keys) for keys in one.values())
    assert network.batches == 2 * [*[BATCH_SIZE] * 9, 300 - 9 * BATCH_SIZE]


def test_file_that_is_gone_or_has_changed_is_named_and_its_copies_are_used(
    network: MeanColours, tmp_path: Path
) -> None:
    group = [
        missing(tmp_path, "cyan_1.png", "copy.png"),
        missing(tmp_path, "magenta_22.png", "other.png", line=5),
        missing(tmp_path, "cyan_333.png", line=9),
    ]
    (tmp_path / "cyan_1.png").unlink()
    (tmp_path / "magenta_22.png").write_bytes((tmp_path / "cyan_333.png").read_bytes())
    (tmp_path / "cyan_333.png").write_bytes(b"<html>")
    changed = "has changed since it was listed (its SHA-256 differs)"
    assert sorted(compute(tmp_path / "cache", group)) == [
        (0, (0, str(tmp_path / "cyan_1.png"), "cannot be read (No such file or directory)")),
        (0, (5, str(tmp_path / "magenta_22.png"), changed)),
        (0, (9, str(tmp_path / "cyan_333.png"), changed)),
    ]
    (keys,) = written(tmp_path / "cache").values()
    assert keys == sorted(row[0] for row in group[:2])
    assert network.batches == [2]


def test_content_that_cannot_be_decoded_is_named_for_all_its_copies(
    network: MeanColours, tmp_path: Path
) -> None:
    (tmp_path / "a.png").write_bytes(b"<html>")
    assert compute(tmp_path / "cache", [missing(tmp_path, "a.png", "b.png")]) == [
        (0, (line, str(tmp_path / name), "is a web page, not an image"))
        for line, name in enumerate(("a.png", "b.png"))
    ]
    assert network.batches == []


def reasons(said: list[Any]) -> list[tuple[bytes, str]]:
    """Return what is said of keys whose other copies are not known to the step."""
    return [output.value for output in said if isinstance(output, TaggedOutput) and output.tag == REASONS]


@pytest.mark.usefixtures("network")
def test_why_a_content_cannot_be_used_is_told_for_the_copies_that_are_not_named(tmp_path: Path) -> None:
    many = [f"{number}.png" for number in range(MOST)]
    (tmp_path / "broken0.png").write_bytes(b"<html>")
    broken = missing(tmp_path, *(f"broken{name}" for name in many))
    nan = missing(tmp_path, *(f"yellow{name}" for name in many), line=20)
    gone = missing(tmp_path, *(f"cyan{name}" for name in many), line=40)
    for name in many:
        (tmp_path / f"cyan{name}").unlink()
    few = missing(tmp_path, "cyan.png")
    (tmp_path / "cyan.png").write_bytes(b"")
    said = told(tmp_path / "cache", [broken, nan, gone, few], has_numbers=True)
    assert sorted(reasons(said)) == sorted(
        [
            (broken[0], "is a web page, not an image"),
            (nan[0], "makes module means give values that are not numbers"),
            (
                gone[0],
                f"is a copy of {tmp_path / f'cyan{many[-1]}'}, which cannot be read (No such file or directory)",
            ),
        ]
    )


@pytest.mark.usefixtures("network")
def test_image_whose_vector_is_not_finite_is_named_and_all_others_are_written(tmp_path: Path) -> None:
    group = [missing(tmp_path, "yellow_1.png", line=3), missing(tmp_path, "cyan_1.png", line=4)]
    reason = "makes module means give values that are not numbers"
    assert compute(tmp_path / "cache", group) == [(0, (3, str(tmp_path / "yellow_1.png"), reason))]
    assert list(written(tmp_path / "cache").values()) == [[group[1][0]]]


def test_network_that_gives_no_numbers_at_all_ends_the_run_unless_the_cache_has_some(
    network: MeanColours, tmp_path: Path
) -> None:
    group = [missing(tmp_path, "yellow_1.png")]
    with pytest.raises(StepFailed) as caught:
        compute(tmp_path / "cache", group)
    error = error_in(f"RuntimeError: Traceback\\n\\tStepFailed: '{caught.value}' [while running 'x']")
    assert str(error) == (
        "module means gives values that are not numbers (NaN or infinite), first for "
        f"'{tmp_path / 'yellow_1.png'}'. It is damaged, or expects pixels in a range other than 0 to 1. Use another "
        "module."
    )
    assert not network.has_numbers
    assert len(compute(tmp_path / "cache", group, has_numbers=True)) == 1
