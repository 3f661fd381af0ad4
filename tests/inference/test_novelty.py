"""The detector of images that are unlike any class: what it says of vectors, and how it is kept in a file."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from retraining.arrays import Vectors
from retraining.inference.novelty import NoveltyDetector, directions

AXES = NoveltyDetector(np.eye(2, 3, dtype=np.float32), np.linspace(0, 0.5, 11, dtype=np.float32))


def _vectors(*rows: list[float]) -> Vectors:
    return np.array(rows, np.float32)


def test_distance_is_one_minus_the_cosine_with_the_nearest_centre() -> None:
    vectors = _vectors([2, 0, 0], [1, 1, 0], [0, 0, 1], [-1, -1, 0])
    assert AXES.distances(vectors) == pytest.approx([0, 1 - 0.5**0.5, 1, 1 + 0.5**0.5])


def test_novelty_is_the_share_of_images_that_are_nearer() -> None:
    assert AXES.shares(np.array([0, 0.05, 0.125, 0.5, 1.7], np.float32)) == pytest.approx(
        [0, 0.1, 0.25, 1, 1]
    )
    assert AXES.novelty(_vectors([3, 4, 0], [0, 0, 1])) == pytest.approx([0.4, 1])


@pytest.mark.parametrize("size", [1e-45, 1e-30, 1, 1e30, 3e38])
def test_size_of_a_vector_does_not_matter(size: float) -> None:
    assert AXES.distances(_vectors([size, size, 0])) == pytest.approx([1 - 0.5**0.5])


@pytest.mark.parametrize("value", [0, np.inf, -np.inf, np.nan])
def test_vector_without_a_direction_is_as_far_as_one_at_right_angles(value: float) -> None:
    vectors = _vectors([value, 0, 0], [value, value, value])
    assert AXES.distances(vectors).tolist() == AXES.novelty(vectors).tolist() == [1, 1]
    assert directions(vectors).tolist() == np.zeros((2, 3)).tolist()


def test_no_vectors_have_no_novelty() -> None:
    assert AXES.novelty(np.zeros((0, 3), np.float32)).shape == (0,)


def test_detector_is_the_same_after_decoding() -> None:
    centres = directions(np.random.default_rng(0).random((6, 40), np.float32))
    detector = NoveltyDetector(centres.astype(np.float16).astype(np.float32), AXES.quantiles)
    content = detector.encode()
    decoded = NoveltyDetector.decode(content)
    assert (decoded.centres == detector.centres).all()
    assert (decoded.quantiles == detector.quantiles).all()
    assert {decoded.centres.dtype, decoded.quantiles.dtype} == {np.dtype(np.float32)}
    assert len(content) == 16 + 2 * 6 * 40 + 4 * 11


def _header(rows: int, width: int, count: int, kind: bytes = b"NOV1") -> bytes:
    return struct.pack("<4sIII", kind, rows, width, count)


def _halves(*numbers: float) -> bytes:
    return np.array(numbers, np.float16).tobytes()


def _with_quantiles(*quantiles: float) -> bytes:
    return _header(1, 1, len(quantiles)) + _halves(1) + np.array(quantiles, np.float32).tobytes()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "shorter than the header of a detector"),
        (AXES.encode()[:15], "shorter than the header of a detector"),
        (AXES.encode()[:-1], "not a detector: its header does not fit its content"),
        (AXES.encode() + b"\0", "not a detector: its header does not fit its content"),
        (b"NOV2" + AXES.encode()[4:], "not a detector: its header does not fit its content"),
        (_header(2**32 - 1, 2**32 - 1, 2**32 - 1), "not a detector: its header does not fit its content"),
        (_header(0, 3, 2) + bytes(8), "not a detector: its header does not fit its content"),
        (_header(3, 0, 2) + bytes(8), "not a detector: its header does not fit its content"),
        (_with_quantiles(0), "not a detector: its header does not fit its content"),
        (_with_quantiles(0.2, 0.1), "not a detector: the quantiles do not ascend"),
        (_with_quantiles(0, np.nan), "not a detector: the quantiles do not ascend"),
        (_with_quantiles(0, np.inf), "not a detector: the quantiles do not ascend"),
        (
            _header(1, 1, 2) + _halves(np.nan) + bytes(8),
            "not a detector: a centre is longer than 1",
        ),
        (
            _header(1, 1, 2) + _halves(np.inf) + bytes(8),
            "not a detector: a centre is longer than 1",
        ),
        (
            _header(1, 2, 2) + _halves(1, 1) + bytes(8),
            "not a detector: a centre is longer than 1",
        ),
    ],
)
def test_malformed_detector_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=f"^{message}$"):
        NoveltyDetector.decode(content)


def test_bytes_changed_at_random_are_refused_or_give_finite_answers() -> None:
    rng = np.random.default_rng(0)
    whole = np.frombuffer(AXES.encode(), np.uint8)
    for _ in range(500):
        changed = whole.copy()
        changed[rng.integers(len(whole), size=3)] = rng.integers(256, size=3)
        try:
            detector = NoveltyDetector.decode(changed.tobytes())
        except ValueError:
            continue
        assert np.isfinite(detector.novelty(_vectors([1.0, 2.0, 3.0][: detector.centres.shape[1]]))).all()
