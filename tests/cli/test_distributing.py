"""What distribute prints at the end: how to train with the vectors, wherever they are."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from retraining.cli import distributing, parser
from retraining.cli.programs import DISTRIBUTE


def told(caplog: pytest.LogCaptureFixture, cache: str, lists: str) -> list[str]:
    """Return the lines about the use of vectors in a cache."""
    words = [
        "--image_dir=photos",
        "--tfhub_module=builtin",
        f"--bottleneck_dir={cache}",
        f"--output_dir={lists}",
    ]
    plan: Any = SimpleNamespace(shards=SimpleNamespace(folder=f"{cache}/module-0"))
    caplog.set_level("INFO")
    distributing._print_use(plan, parser.parse(DISTRIBUTE, words))
    *lines, command = caplog.messages[1:]
    caplog.clear()
    return [*lines, command.split("retrain.py ")[1]]


def test_what_is_in_a_store_is_to_be_copied_before_training(caplog: pytest.LogCaptureFixture) -> None:
    train = "Train with them, without opening one:"
    copy = "Copy gs://bucket/cache/module-0 into /tmp/bottleneck."
    assert told(caplog, "gs://bucket/cache", "s3://bucket/lists") == [
        "Usable images: s3://bucket/lists/image_list.jsonl",
        "Copy it to this computer, as image_list.jsonl.",
        copy,
        train,
        "--image_list image_list.jsonl --bottleneck_dir /tmp/bottleneck",
    ]
    assert told(caplog, "gs://bucket/cache", "lists") == [
        "Usable images: lists/image_list.jsonl",
        copy,
        train,
        "--image_list lists/image_list.jsonl --bottleneck_dir /tmp/bottleneck",
    ]
    assert told(caplog, "cache", "lists") == [
        "Usable images: lists/image_list.jsonl",
        train,
        "--image_list lists/image_list.jsonl --bottleneck_dir cache",
    ]
