"""Fine-tuning's benchmark: splits by seed, and the frozen model that is to be beaten."""

from __future__ import annotations

from benchmarks.fine_tuning import Compared, Paired, split_by_seed
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.split import Split
from retraining.training.metrics import Metrics


def test_splits_of_different_seeds_differ_and_of_the_same_seed_agree() -> None:
    images = tuple(LabelledImage(f"rose/{number}.jpg", 0, Split.TRAINING) for number in range(300))
    photos = Dataset(("rose",), images)
    first, again, second = (split_by_seed(photos, seed, testing_percentage=30) for seed in (0, 0, 1))
    assert first == again != second
    assert 60 < sum(image.split is Split.TESTING for image in first.images) < 120


def test_gain_is_over_the_frozen_model_that_is_better_on_the_validation_images() -> None:
    plain = Compared(Metrics(0.8, 0.6, 50), 0.9, frozenset())
    views = Compared(Metrics(0.8, 0.5, 50), 0.7, frozenset())
    tuned = Compared(Metrics(0.9, 0.5, 50), 0.75, frozenset())
    pair = Paired(plain, views, tuned, count=100, is_used=True, minutes=1)
    assert pair.frozen is views
    assert round(pair.gain, 6) == 5
