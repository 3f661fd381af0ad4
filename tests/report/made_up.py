"""Findings about a model that nobody trained, with photographs of a few pixels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from retraining.assessment import answers, calibration, mistakes
from retraining.assessment.answers import Answers
from retraining.assessment.findings import Findings
from retraining.assessment.mistakes import Mistake
from retraining.assessment.novelty_fit import LeftOutClass, NoveltyCheck
from retraining.assessment.scored import Scored
from retraining.assessment.suspects import Suspect
from retraining.assessment.trend import Trend, TrendPoint
from retraining.data.dataset import Dataset, LabelledImage
from retraining.data.dataset_summary import DatasetSummary
from retraining.data.split import Split
from retraining.features.bottleneck_sets import SkippedImage
from retraining.features.duplicates import Duplicates
from retraining.report.subject import Run, Subject, UsedSetting
from retraining.training.confidence import Interval, wilson_interval
from retraining.training.evaluation import Evaluation, Misclassified
from retraining.training.metrics import Metrics
from retraining.training.training_curve import CurvePoint
from tests.conftest import write_photo

NO_DUPLICATES = Duplicates((), (), ())
_SETS = (Split.TRAINING, Split.TRAINING, Split.VALIDATION, Split.TESTING, Split.TESTING)


def dataset(folder: Path, labels: Sequence[str], *, tested: bool = True, write: bool = True) -> Dataset:
    """Return five photographs of each class; `write` writes them, or else they are missing."""
    images = []
    for number, label in enumerate(labels):
        for place, split in enumerate(_SETS):
            path = folder / label / f"{place}.jpg"
            if write:
                write_photo(path, (40 * number % 256, 200, 90), 10 * number + place)
            kept = split if tested or split is not Split.TESTING else Split.TRAINING
            images.append(LabelledImage(str(path), number, kept))
    return Dataset(tuple(labels), tuple(images))


def findings(data: Dataset, *, seed: int = 0) -> Findings:
    """Return findings with some of everything; without test images, without what comes from them."""
    testing = _scored(data, seed)
    given = Answers.of_scores(testing.numbers, testing.labels, testing.log_probabilities)
    wrong = _mistakes(data, testing)
    training = [image for image in data.images if image.split is Split.TRAINING]
    is_tested = len(testing) > 0
    return Findings(
        network="builtin",
        dataset=DatasetSummary.of(data),
        evaluation=_evaluation(data, testing) if is_tested else None,
        testing=given,
        examples=answers.examples(given, data),
        mistakes=wrong,
        suspects=tuple(
            Suspect(image, bytes(32), (image.label + 1) % len(data.labels), 0.01, 0.97)
            for image in training[:3]
        ),
        judged=len(data.images),
        same=Duplicates((), ((data.images[0], data.images[3]),), ()),
        near=Duplicates(((data.images[1], data.images[6]),), (), ()),
        skipped=(SkippedImage(str(Path(data.images[0].file).parent / "broken.jpg"), "is cut short"),),
        trend=Trend(
            tuple(
                TrendPoint(count, (0.7, 0.75, 0.72, 0.71, 0.7 + count / 1000))
                for count in (10, 20, 40, 80, 100)
            ),
            40,
            0.91,
            Interval(0.88, 0.94),
            steps=4000,
        ),
        calibration=calibration.assess(testing, testing, is_applied=True),
        novelty=NoveltyCheck(np.linspace(0, 1, len(testing), dtype=np.float32), (LeftOutClass(0, 0.5),))
        if is_tested
        else None,
    )


def subject(found: Findings, title: str = "builtin", *, relabel: str = "") -> Subject:
    """Return the findings with a run that made the model; `relabel` is the command for its suspected labels."""
    metrics = [Metrics(1 - 1 / (step + 2), 1 / (step + 1), 100) for step in range(5)]
    settings = (UsedSetting("--image_dir", "/photos", False), UsedSetting("--testing_percentage", "10", True))
    curve = tuple(CurvePoint(10 * step, metric, metric) for step, metric in enumerate(metrics))
    run = Run("python retrain.py --image_dir /photos", settings, curve, formats=(), relabel=relabel)
    return Subject(title, found, run)


def _scored(data: Dataset, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    numbers = np.array([n for n, image in enumerate(data.images) if image.split is Split.TESTING], np.int64)
    labels = np.array([data.images[number].label for number in numbers], np.int64)
    logits = rng.normal(size=(len(numbers), len(data.labels)))
    logits[np.arange(len(numbers)), labels] += 0.7
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return Scored(numbers, labels, logits.astype(np.float32))


def _mistakes(data: Dataset, testing: Scored) -> tuple[Mistake, ...]:
    found = []
    training = [image for image in data.images if image.split is Split.TRAINING]
    for number, label, logs in zip(testing.numbers, testing.labels, testing.log_probabilities, strict=True):
        best = np.argsort(-logs)[:3].tolist()
        if best[0] != label:
            scores = tuple((place, math.exp(logs[place])) for place in best)
            nearest = tuple(training[2 * best[0] : 2 * best[0] + 2] + training[:1])
            found.append(Mistake(data.images[number], scores, math.exp(logs[label]), nearest))
    return tuple(sorted(found, key=lambda mistake: -mistake.best[0][1])[: mistakes.MOST])


def _evaluation(data: Dataset, testing: Scored) -> Evaluation:
    predicted = testing.log_probabilities.argmax(axis=1)
    confusion = np.zeros((len(data.labels),) * 2, np.int64)
    np.add.at(confusion, (testing.labels, predicted), 1)
    accuracy = float((predicted == testing.labels).mean())
    wrong = tuple(
        Misclassified(data.images[number].file, data.labels[label], data.labels[guess])
        for number, label, guess in zip(testing.numbers, testing.labels, predicted, strict=True)
        if label != guess
    )
    return Evaluation(accuracy, wilson_interval(accuracy, len(testing)), len(testing), wrong, confusion)
