"""The runners on the page: Beam knows the flags of every command there, and takes the pipeline."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pytest

from retraining.arrays import ImageSize
from retraining.cli import beam_flags, parser
from retraining.cli.programs import DISTRIBUTE
from retraining.distribution import pieces, pipeline
from retraining.distribution.network_file import NetworkFile
from retraining.distribution.pipeline import Plan
from retraining.distribution.running import Runner
from retraining.distribution.shard_files import ShardFiles
from retraining.features.views import Views
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.distribute import DistributeSettings
from tests import pages

ADDRESS = "gs://bucket/cache"


def commands() -> list[DistributeSettings]:
    """Return the settings of the page's commands."""
    typed = [line for block in pages.blocks("sh") for line in pages.commands(block)]
    found = [pages.words_of(line, "-m retraining.distribute") for line in typed]
    return [parser.parse(DISTRIBUTE, words) for words in found if words is not None]


def plan(list_file: Path, count: int) -> Plan:
    """Return a plan for a list in a store that is cut into `count` pieces."""
    list_file.write_text('{"path": "gs://bucket/photos/1.jpg", "label": "rose"}\n')
    (piece,) = pieces.cut(str(list_file))
    long = piece._replace(start=10**10, end=2 * 10**10, first_line=10**8, lines=10**5)
    return Plan(
        pieces=tuple(long._replace(number=number) for number in range(count)),
        rule=None,
        significant_bits=None,
        network=NetworkFile(
            path=f"{ADDRESS}/network.tflite",
            sha256="",
            name="network",
            image_size=ImageSize(224, 224),
            feature_size=1280,
            engine="litert",
            precision="float32",
            versions="",
            threads=2,
            input_name="",
            output_name="",
        ),
        shards=ShardFiles(ADDRESS, 1280, f"{ADDRESS}/notes"),
        views=Views(AugmentationSettings(), 0),
        cached=0,
        processors=1,
        notes=f"{ADDRESS}/notes",
    )


def test_beam_knows_the_flags_of_every_command_on_the_page() -> None:
    found = commands()
    for settings in found:
        beam_flags.check(settings.run.beam_flags, [])
    titles = {Runner(settings.run.beam_flags).title for settings in found}
    assert titles >= {"DataflowRunner", "FlinkRunner", "SparkRunner", "PortableRunner"}


@pytest.mark.parametrize("name", ["FlinkRunner", pytest.param("SparkRunner", marks=pytest.mark.soak)])
def test_pipeline_is_built_for_runners_of_clusters(name: str, tmp_path: Path) -> None:
    made = plan(tmp_path / "list.jsonl", 1)
    steps = Runner(["--runner", name]).steps(lambda built: pipeline.build(built, made))
    assert "compute vectors" in steps


def test_description_of_a_job_is_small_however_long_the_list_is(tmp_path: Path) -> None:
    made = beam.Pipeline()
    pipeline.build(made, plan(tmp_path / "list.jsonl", pieces.MOST_PIECES))
    assert len(made.to_runner_api().SerializeToString()) < 2**20
