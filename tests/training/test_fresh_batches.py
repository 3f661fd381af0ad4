from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

import retrain
from retraining.arrays import Batch
from retraining.data import augmentation, images
from retraining.features.extractor import FeatureExtractor
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.training import TrainingSettings
from retraining.training import trainer
from retraining.training.fresh_batches import FreshBatches
from tests.conftest import Computed
from tests.features.test_bottlenecks import Counting
from tests.test_retrain import final_accuracy, kept, words

FLIPPED = AugmentationSettings(flip_left_right=True, random_crop=20, random_brightness=30, distorted_views=0)
TRAINING = TrainingSettings(how_many_training_steps=7, train_batch_size=25, seed=3)


def batches(
    computed: Computed, extractor: FeatureExtractor, training: TrainingSettings = TRAINING
) -> list[Batch]:
    views = FreshBatches(computed.bottlenecks.training, extractor, augmentation=FLIPPED, training=training)
    return list(views.batches())


def test_each_step_has_a_batch_of_new_views(computed: Computed, extractor: FeatureExtractor) -> None:
    drawn = batches(computed, extractor)
    assert [batch.vectors.shape for batch in drawn] == [(25, 48)] * 7
    assert len({row.tobytes() for batch in drawn for row in batch.vectors}) == 7 * 25
    assert all(set(batch.labels) == {0, 1, 2} for batch in drawn)


def test_views_have_the_labels_of_their_images(computed: Computed, extractor: FeatureExtractor) -> None:
    layer = trainer.train(computed.bottlenecks, TrainingSettings(how_many_training_steps=500))
    for batch in batches(computed, extractor):
        assert (layer.log_probabilities(batch.vectors).argmax(axis=1) == batch.labels).all()


def test_same_seed_draws_the_same_views_and_another_seed_draws_others(
    computed: Computed, extractor: FeatureExtractor
) -> None:
    first, again = batches(computed, extractor), batches(computed, extractor)
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.vectors, other.vectors)
    changed = batches(computed, extractor, dataclasses.replace(TRAINING, seed=4))
    assert not np.array_equal(first[0].vectors, changed[0].vectors)


def test_extractor_batches_are_full_across_steps(
    computed: Computed, extractor: FeatureExtractor, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    extract = FeatureExtractor.extract

    def counted(extractor: FeatureExtractor, pixels: np.ndarray) -> np.ndarray:
        calls.append(len(pixels))
        return extract(extractor, pixels)

    monkeypatch.setattr(FeatureExtractor, "extract", counted)
    batches(computed, extractor)
    assert calls == [32] * 5 + [15]


def test_batch_size_of_minus_one_draws_the_whole_training_set(
    computed: Computed, extractor: FeatureExtractor
) -> None:
    everything = dataclasses.replace(TRAINING, train_batch_size=-1, how_many_training_steps=2)
    count = len(computed.bottlenecks.training)
    assert [len(batch.labels) for batch in batches(computed, extractor, everything)] == [count, count]


def test_image_that_vanishes_during_training_is_used_without_augmentation(
    extractor: FeatureExtractor, computed: Computed, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    training = computed.bottlenecks.training
    gone = dataclasses.replace(training, files=(str(tmp_path / "gone.jpg"), *training.files[1:]))
    everything = dataclasses.replace(TRAINING, train_batch_size=-1, how_many_training_steps=3)
    views = FreshBatches(gone, extractor, augmentation=FLIPPED, training=everything)
    for batch in views.batches():
        np.testing.assert_array_equal(batch.vectors[0], training.vectors[0])
    assert [record.getMessage() for record in caplog.records] == [
        f"views of {tmp_path / 'gone.jpg'} can no longer be drawn; the whole image is used instead."
    ]


def test_views_are_drawn_in_the_same_way_as_cached_ones(
    computed: Computed, extractor: FeatureExtractor
) -> None:
    one = dataclasses.replace(TRAINING, train_batch_size=-1, how_many_training_steps=1)
    (batch,) = batches(computed, extractor, one)
    path = computed.bottlenecks.training.paths[5]
    image = images.upright(path.read_bytes(), augmentation.least_size(extractor.image_size, FLIPPED))
    view = augmentation.draw(image, extractor.image_size, FLIPPED, np.random.default_rng([3, 0, 5]))
    np.testing.assert_array_equal(batch.vectors[5], extractor.extract(view[np.newaxis])[0])


def test_run_with_fresh_views_learns_and_caches_only_vectors_of_whole_images(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    counting = Counting(monkeypatch)
    more = ("--flip_left_right", "--random_brightness", "20", "--distorted_views", "0")
    flags = words(colour_photos, tmp_path, *more, "--how_many_training_steps", "20", module=tf2_module)
    assert retrain.main(flags) == 0
    assert final_accuracy(capsys.readouterr().out) == 100
    assert counting.images == 90 + 20 * 100
    assert kept(tmp_path) == 90
    graph = (tmp_path / "graph.pb").read_bytes()
    assert retrain.main(flags) == 0
    assert (tmp_path / "graph.pb").read_bytes() == graph
