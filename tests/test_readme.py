"""The README is a promise: its flags, commands and code are tried here."""

from __future__ import annotations

import dataclasses
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from retraining.settings.flags import flag_name, shown_value
from retraining.settings.options import (
    parse_compare,
    parse_deep_dream,
    parse_feature_maps,
    parse_label_image,
    parse_oxford_flowers17,
    parse_retrain,
    parse_sample_photos,
)

import retrain
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.compare import ComparisonSettings
from retraining.settings.data import DataSettings
from retraining.settings.deep_dream import DreamSettings
from retraining.settings.feature_maps import MapsSettings
from retraining.settings.label_image import LabelImageSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.network import NetworkSettings
from retraining.settings.output import OutputSettings
from retraining.settings.samples import OxfordFlowersSettings, SamplePhotosSettings
from retraining.settings.training import TrainingSettings
from tests.conftest import PROJECT, write_photo
from tests.test_retrain import words

README = (PROJECT / "README.md").read_text(encoding="utf-8")

WORDS_WITHOUT_FLAG = ("folder", "source", "destination")


def flag_table(*groups: type[Any]) -> str:
    """Return the README's table of the flags of some options."""
    rows = ["| flag | default | meaning |", "|---|---|---|"]
    for group in groups:
        for field in dataclasses.fields(group):
            default = "" if field.default in (None, "", ()) else f"`{shown_value(field.default)}`"
            is_word = field.name in WORDS_WITHOUT_FLAG
            name = field.metadata["argparse"]["metavar"] if is_word else flag_name(field)
            rows.append(f"| `{name}` | {default} | {field.metadata['help']} |")
    return "\n".join(rows)


def commands(program: str) -> list[list[str]]:
    """Return the words after `program` of each command of the README that calls it."""
    lines = re.findall(rf"^    (?:\.venv/bin/)?python {re.escape(program)} (.*)$", README, re.MULTILINE)
    return [shlex.split(line) for line in lines]


@pytest.mark.parametrize(
    "groups",
    [
        (DataSettings, ModuleSettings, AugmentationSettings, TrainingSettings, OutputSettings),
        (LabelImageSettings,),
        (DataSettings, ComparisonSettings, AugmentationSettings),
        (OxfordFlowersSettings,),
        (NetworkSettings, MapsSettings),
        (NetworkSettings, DreamSettings),
        (SamplePhotosSettings,),
    ],
)
def test_every_flag_is_in_the_readme_with_its_default_and_meaning(groups: tuple[type[Any], ...]) -> None:
    assert flag_table(*groups) in README, f"put this into README.md:\n{flag_table(*groups)}"


@pytest.mark.parametrize(
    ("program", "parse", "least"),
    [
        ("retrain.py", parse_retrain, 4),
        ("label_image.py", parse_label_image, 3),
        ("-m retraining.sample_photos", parse_sample_photos, 1),
        ("-m retraining.compare", parse_compare, 3),
        ("-m retraining.oxford_flowers17", parse_oxford_flowers17, 1),
        ("-m retraining.feature_maps", parse_feature_maps, 4),
        ("-m retraining.deep_dream", parse_deep_dream, 5),
    ],
)
def test_every_command_of_the_readme_is_one_that_the_program_takes(
    program: str, parse: Any, least: int
) -> None:
    found = commands(program)
    assert len(found) >= least
    for command in found:
        parse(command)


def test_files_that_the_readme_points_to_are_there() -> None:
    for target in re.findall(r"\]\(([^):#]+)\)", README):
        assert (PROJECT / target).exists(), target


def test_python_code_of_the_readme_classifies_a_photograph(
    colour_photos: Path,
    tf2_module: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert retrain.main(words(colour_photos, tmp_path, module=tf2_module)) == 0
    write_photo(tmp_path / "photo.jpg", (255, 0, 255), seed=5)
    capsys.readouterr()
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    code = code.replace("/tmp/output_graph.pb", str(tmp_path / "graph.pb"))
    code = code.replace("/tmp/output_labels.txt", str(tmp_path / "labels.txt"))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    label, score = capsys.readouterr().out.split()
    assert label == "magenta"
    assert float(score) > 0.5
