"""What fine-tuning needs is checked before anything that takes long."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

import retrain
import retraining
from retraining.errors import BadModule, BadRequest
from retraining.features.extractor import FeatureExtractor
from retraining.fine_tuning import network_blocks
from retraining.settings.fine_tuning import FineTuningSettings
from tests.conftest import write_colour_photos
from tests.test_retrain import words, write_sets

NO_IMAGES = (
    "needs validation images, which tell when to stop and whether it was worth it, and there are none."
)


def test_validation_images_are_asked_for_before_the_module_is_looked_at(
    colour_photos: Path, tmp_path: Path, tf2_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ("--fine_tune", "--validation_percentage", "0")
    assert retrain.main(words(colour_photos, tmp_path, *flags, module=tf2_module)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        f"retrain: error: --fine_tune {NO_IMAGES} Raise --validation_percentage, or add images."
    )


def test_folders_of_sets_without_validation_images_are_refused_with_their_own_remedy(tmp_path: Path) -> None:
    photos = write_sets(tmp_path / "photos", train=5, test=3)
    with pytest.raises(BadRequest) as caught:
        retraining.retrain(photos, fine_tune=True, validation_percentage=0, tfhub_module="builtin_small")
    assert str(caught.value) == f"fine_tune {NO_IMAGES} Add validation images."


def test_network_without_convolutions_is_refused_before_its_vectors_are_computed(
    tmp_path: Path, tf2_module: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    photos = write_colour_photos(tmp_path / "photos", per_class=20)
    assert retrain.main(words(photos, tmp_path, "--fine_tune", module=tf2_module)) == 2
    assert capsys.readouterr().err.splitlines()[-1] == (
        "retrain: error: module colour_grid has no convolutions whose weights could be trained. Leave out "
        "--fine_tune."
    )
    assert [path.name for path in (tmp_path / "bottlenecks").iterdir()] == ["networks"]


def test_more_blocks_than_there_are_are_refused(toy: FeatureExtractor) -> None:
    network_blocks.check(toy, FineTuningSettings(fine_tune=True, fine_tune_blocks=4))
    with pytest.raises(BadRequest) as caught:
        network_blocks.check(toy, FineTuningSettings(fine_tune=True, fine_tune_blocks=5))
    assert str(caught.value) == (
        "fine_tune_blocks must be at most 4, the number of blocks of this network, or 'all'; received 5."
    )


def test_nothing_is_asked_of_a_network_that_is_not_fine_tuned(extractor: FeatureExtractor) -> None:
    network_blocks.check(extractor, FineTuningSettings())
    with pytest.raises(BadModule):
        network_blocks.check(dataclasses.replace(extractor), FineTuningSettings(fine_tune=True))
