"""The benchmarks run with nothing but the project installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import timed_stages
from tests.conftest import PROJECT
from tests.graphs.test_precision import needs_bfloat16

LIMIT = "limit, 1 / (1 / forward + 1 / decode)"


def printed_rows(*words: str | Path) -> list[list[str]]:
    """Return the cells of the table that a benchmark prints, without its header."""
    command = [sys.executable, "-m", "benchmarks", *map(str, words)]
    finished = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True, timeout=600)
    lines = [line for line in finished.stdout.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


@pytest.mark.soak
@needs_bfloat16
def test_precisions_are_compared_in_speed_vectors_and_accuracy(colour_photos: Path) -> None:
    random = "keras:MobileNet?weights=random"
    rows = printed_rows("precision", colour_photos, "builtin_small", random, "--repeat", "1")
    assert [row[0] for row in rows] == ["builtin_small", random]
    assert float(rows[0][4]) > 0.999
    assert rows[0][5:] == ["100.0%, exported 100.0%"] * 2
    assert rows[1][5:] == ["", ""]


@pytest.mark.soak
def test_every_choice_is_measured_with_ours_first(colour_photos: Path, tf2_module: Path) -> None:
    rows = printed_rows("choices", colour_photos, tf2_module, "--repeat", "1")
    of_module = [f"{what}, {tf2_module.name}" for what in ("batch size", "form", "threads", "oneDNN")]
    assert list(dict.fromkeys(row[0] for row in rows)) == ["decode", "resize to 224x224", *of_module]
    ours = [row[1] for row in rows if row[3] == "1.00" and row[1].startswith("**")]
    assert ours == [
        "**Pillow**",
        "**Pillow, bilinear**",
        "**32**",
        "**frozen graph**",
        "**as many as processors**",
        "**on**",
    ]


@pytest.mark.soak
def test_stage_is_compared_with_its_limit(colour_photos: Path, tf2_module: Path) -> None:
    rows = dict(row[:2] for row in printed_rows("stage", colour_photos, tf2_module, "--repeat", "1"))
    stage, limit = (float(rows[what].split()[0].replace(",", "")) for what in ("bottleneck stage", LIMIT))
    share = float(rows["bottleneck stage, share of the limit"].split()[0])
    assert share == pytest.approx(stage / limit, abs=0.01)


@pytest.mark.soak
def test_runs_on_many_images_are_measured_stage_by_stage() -> None:
    rows = printed_rows("scale", "--counts", "300,600", "--classes", "3", "--steps", "50")
    runs, stages = rows[:2], rows[3:]
    assert [row[0] for row in runs] == ["300", "600"]
    assert all(float(row[-1].removesuffix("%")) > 50 for row in runs)
    assert [row[0] for row in stages] == [name for name, _, _ in timed_stages.STAGES]
    assert all(" \u00b5s an image), " in cell for row in stages for cell in row[1:])
