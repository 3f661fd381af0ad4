"""Flags that are passed on to Apache Beam: those that Beam knows, and no typing mistakes."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from retraining.cli import parser
from retraining.cli.programs import DISTRIBUTE
from tests.conftest import refused


def passed_on(*words: str) -> tuple[str, ...]:
    return parser.parse(DISTRIBUTE, ["--image_dir", "photos", *words]).run.beam_flags


def refusal(*words: str) -> str:
    return refused(DISTRIBUTE, ["--image_dir", "photos", *words])


def test_flags_of_beam_are_passed_on_as_they_are_and_ours_are_not() -> None:
    words = (
        "--runner",
        "FlinkRunner",
        "--experiments=a,b",
        "--streaming",
        "--flink_master",
        "localhost:8081",
    )
    assert passed_on() == ()
    assert passed_on(*words) == words
    assert passed_on("--strict", *words[:2], "--output_dir=out", *words[2:]) == words


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--runer=x"], "unknown flag --runer. Did you mean --runner?"),
        (
            ["--direct_num_worker", "2"],
            "unknown flag --direct_num_worker. Did you mean --direct_num_workers?",
        ),
        (["--bottleneck-dir", "x"], "unknown flag --bottleneck-dir. Did you mean --bottleneck_dir?"),
        (["--seeed=1"], "unknown flag --seeed. Did you mean --seed?"),
        (["--xyzzy"], "unknown flag --xyzzy. See --help for the flags."),
        (["more_photos"], "'more_photos' does not belong to any flag. See --help for the flags."),
        (["--direct_num_workers", "two"], "--direct_num_workers: invalid int value: 'two'."),
        (["--runner"], "--runner: expected one argument."),
    ],
)
def test_what_nobody_knows_is_refused_with_the_nearest_name(words: list[str], message: str) -> None:
    assert refusal(*words) == message


def test_mistyped_flag_is_named_and_not_the_setting_that_is_missing_then() -> None:
    message = "unknown flag --image_dri. Did you mean --image_dir?"
    assert refused(DISTRIBUTE, ["--image_dri", "photos"]) == message


def test_program_without_beam_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "apache_beam" else find(name)
    )
    assert refusal() == (
        "distribute needs apache_beam, which is not installed. Install it with pip install '.[beam]' or pip install "
        "apache_beam."
    )


@pytest.mark.parametrize("name", ["image_list.jsonl", "skipped_images.csv"])
def test_list_that_would_be_written_over_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    listed = tmp_path / "link" / name
    words = ["--image_list", str(listed), "--bottleneck_dir", str(tmp_path)]
    assert refused(DISTRIBUTE, words) == (
        f"--image_list '{listed}' would be written over. Set --output_dir to another folder, or rename the list."
    )
    words = [
        f"--image_list=gs://b/lists/{name}",
        f"--bottleneck_dir={tmp_path}",
        "--output_dir=gs://b/lists/",
    ]
    assert "would be written over" in refused(DISTRIBUTE, words)


def test_folder_in_a_store_is_no_folder_of_this_computer() -> None:
    settings = parser.parse(
        DISTRIBUTE,
        ["--image_list=gs://photos/list.csv", "--bottleneck_dir=gs://cache/b", "--output_dir=~/lists"],
    )
    assert settings.module.bottleneck_dir == settings.module.bottleneck_dir == "gs://cache/b"
    assert str(settings.module.local().bottleneck_dir) == "/tmp/bottleneck"
    assert [path.name for path in settings.outputs()] == ["lists"]
