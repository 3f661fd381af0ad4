"""Making the report of a run: what is written, and that no failure in it is one of the run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from retraining.assessment import findings
from retraining.assessment.assessment import Assessment, assess
from retraining.errors import WorkFailed
from retraining.features.extractor import FeatureExtractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.model import RetrainedModel
from retraining.process import HereAndNow
from retraining.report import making, page
from retraining.report.making import Places, Reporter
from retraining.report.subject import Run
from retraining.settings.data import DataSettings
from retraining.settings.training import TrainingSettings
from tests.conftest import Computed

FAILED = "the report could not be made: {reason}. The classifier itself is complete. Please report this."


def broken(*_arguments: Any, **_keywords: Any) -> Any:
    raise RuntimeError("a bug\nand more about it")


@pytest.fixture
def places(tmp_path: Path, computed: Computed) -> Places:
    return Places(tmp_path / "report.html", tmp_path, DataSettings(computed.folder))


@pytest.fixture(scope="module")
def model(computed: Computed, extractor: FeatureExtractor) -> RetrainedModel:
    settings = TrainingSettings(how_many_training_steps=100)
    trained = RetrainedModel.train(computed.bottlenecks, extractor, settings)
    return trained.with_assessment(assess(trained, settings, NearDuplicates(), frozen=computed.bottlenecks))


@pytest.fixture
def assessment(model: RetrainedModel) -> Assessment:
    assert model.assessment is not None
    return model.assessment


def reporter(places: Places) -> Reporter:
    return Reporter(HereAndNow(making.make), places)


def test_page_and_list_are_written(model: RetrainedModel, assessment: Assessment, places: Places) -> None:
    making_it = reporter(places)
    making_it.look_at(model, assessment)
    found, made = making_it.make(Run(command="repeat_me"))
    assert made.page.path == places.page
    assert "repeat_me" in places.page.read_text(encoding="utf-8")
    assert made.suspects == places.lists / "suspected_labels.csv"
    assert len(made.suspects.read_text(encoding="utf-8").splitlines()) == 1 + len(found.suspects)


def test_failure_of_what_is_found_is_told_when_the_rest_is_written(
    model: RetrainedModel, assessment: Assessment, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(findings, "find", broken)
    making_it = reporter(places)
    making_it.look_at(model, assessment)  # raises nothing
    with pytest.raises(WorkFailed) as raised:
        making_it.make(Run())
    assert str(raised.value) == FAILED.format(reason="nothing was found out about the model, see above")


def test_failure_of_the_page_is_one_line(
    model: RetrainedModel, assessment: Assessment, places: Places, monkeypatch: pytest.MonkeyPatch
) -> None:
    making_it = reporter(places)
    making_it.look_at(model, assessment)
    monkeypatch.setattr(page, "write", broken)
    with pytest.raises(WorkFailed) as raised:
        making_it.make(Run())
    assert str(raised.value) == FAILED.format(reason="RuntimeError: a bug")


def test_calibration_changes_no_answer_but_divides_the_layer_by_its_temperature(
    model: RetrainedModel, computed: Computed
) -> None:
    plain = RetrainedModel.train(
        computed.bottlenecks, model.extractor, TrainingSettings(how_many_training_steps=100)
    )
    vectors = computed.bottlenecks.testing.vectors
    assert (
        plain.layer.probabilities(vectors).argmax(1) == model.layer.probabilities(vectors).argmax(1)
    ).all()
    assert model.layer.weights * model.temperature == pytest.approx(plain.layer.weights, rel=1e-5)
