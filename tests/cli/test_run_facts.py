"""The command that repeats a run gives the same settings again."""

from __future__ import annotations

import shlex

import pytest

from retraining.cli import run_facts
from retraining.cli.parser import parse
from retraining.cli.programs import RETRAIN


@pytest.mark.parametrize(
    "given",
    [
        "",
        "--testing_percentage 20 --learning_rate 0.30000000000000004 --flip_left_right",
        "--test_batch_size=-1 --train_batch_size=-1 --calibrate False --export tflite,onnx",
        "--output_graph '/tmp/a b/$HOME.pb' --report none --summaries_dir=-logs",
    ],
)
def test_repeated_command_parses_to_the_same_settings(given: str) -> None:
    settings = parse(RETRAIN, ["--image_dir", "my photos", *shlex.split(given)])
    words = shlex.split(run_facts.repeated(RETRAIN, settings))
    start = next(number for number, word in enumerate(words) if word.startswith("--"))
    assert parse(RETRAIN, words[start:]) == settings
