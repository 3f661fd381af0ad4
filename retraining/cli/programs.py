"""The programs: their names, what they do, their settings and their checks."""

from __future__ import annotations

from typing import Any

from retraining.cli import checks, label_image_program
from retraining.cli.parser import Listing, Program
from retraining.settings.compare import CompareSettings
from retraining.settings.conversion import ExportGraphSettings
from retraining.settings.deep_dream import DeepDreamSettings
from retraining.settings.distribute import DistributeSettings
from retraining.settings.feature_maps import FeatureMapsSettings
from retraining.settings.relabel import RelabelSettings
from retraining.settings.report import ReportOnGraphSettings
from retraining.settings.retrain import RetrainSettings
from retraining.settings.samples import OxfordFlowersSettings, SamplePhotosSettings
from retraining.settings.serve import ServeSettings


def _format_table() -> str:
    from retraining.cli import format_table

    return format_table.known()


def _module_table() -> str:
    from retraining.modules import catalogue

    return catalogue.table()


LIST_MODULES = Listing("Print the modules that are known by name, and exit.", _module_table)
LIST_FORMATS = Listing("Print the formats that a classifier can be exported to, and exit.", _format_table)

RETRAIN = Program(
    name="retrain",
    description="Turn a folder of images, one sub-folder per class, into an image classifier.",
    example="--image_dir ~/flower_photos",
    settings=RetrainSettings,
    check=checks.check_retrain,
    listings={
        "list_modules": LIST_MODULES,
        "list_formats": LIST_FORMATS,
    },
)
SERVE = Program(
    name="serve",
    description="Label images for other programs, over HTTP, with the network that retrain.py exported.",
    example="--graph output_graph.pb --port 8000",
    settings=ServeSettings,
    check=checks.check_serve,
)
LABEL_IMAGE = label_image_program.PROGRAM
COMPARE = Program(
    name="compare",
    description="Train several models on the same images and say which one to use.",
    example="--image_dir ~/flower_photos --models builtin,googlenet",
    settings=CompareSettings,
    check=checks.check_compare,
    listings={"list_formats": LIST_FORMATS},
)
DISTRIBUTE = Program(
    name="distribute",
    description="Compute the feature vectors of more images than one machine can, with Apache Beam. Its own "
    "flags, such as --runner, are passed on to it.",
    example="--image_dir ~/flower_photos --direct_running_mode multi_processing --direct_num_workers 2",
    settings=DistributeSettings,
    check=checks.check_distribute,
    passes_on="beam_flags",
    check_passed_on=lambda words: checks.check_beam_flags(words, _flags_of_distribute()),
    listings={"list_modules": LIST_MODULES},
)


def _flags_of_distribute() -> list[str]:
    return DISTRIBUTE.flags()


EXPORT = Program(
    name="export",
    description="Export a graph that retrain.py wrote, or any other frozen classifier, to more formats.",
    example="--graph output_graph.pb --labels output_labels.txt tflite onnx",
    settings=ExportGraphSettings,
    check=checks.check_export,
    positional={"formats": "FORMAT"},
    listings={"list_formats": LIST_FORMATS},
)
RELABEL = Program(
    name="relabel",
    description="Move photos with a wrong label into the folder of another class, as marked in a list.",
    example="/tmp/retrain_logs/suspected_labels.csv",
    settings=RelabelSettings,
    check=checks.check_relabel,
    positional={"csv": "CSV"},
)
REPORT = Program(
    name="report",
    description="Report on a graph that an earlier run wrote, without training again.",
    example="--graph output_graph.pb --image_dir ~/flower_photos",
    settings=ReportOnGraphSettings,
    check=checks.check_report,
)
FEATURE_MAPS = Program(
    name="feature_maps",
    description="Show what the layers of a network make of an image.",
    example="--tfhub_module builtin --image photo.jpg",
    settings=FeatureMapsSettings,
    check=checks.check_feature_maps,
)
DEEP_DREAM = Program(
    name="deep_dream",
    description="Draw what most excites a layer of a network, or what looks to it like one of its classes.",
    example="--graph /tmp/output_graph.pb --class tulips",
    settings=DeepDreamSettings,
    check=checks.check_deep_dream,
)
SAMPLE_PHOTOS = Program(
    name="sample_photos",
    description="Draw photos of five kinds of flower, to try the retrainer on.",
    example="demo/photos --per_class 60",
    settings=SamplePhotosSettings,
    positional={"folder": "DIR"},
)
OXFORD_FLOWERS17 = Program(
    name="oxford_flowers17",
    description="Sort Oxford's 17 flowers, which come in one folder, into a folder per class.",
    example="17flowers/jpg flowers17",
    settings=OxfordFlowersSettings,
    positional={"source": "SRC", "destination": "DST"},
)

PROGRAMS: tuple[Program[Any], ...] = (
    RETRAIN,
    LABEL_IMAGE,
    SERVE,
    COMPARE,
    DISTRIBUTE,
    EXPORT,
    REPORT,
    RELABEL,
    FEATURE_MAPS,
    DEEP_DREAM,
    SAMPLE_PHOTOS,
    OXFORD_FLOWERS17,
)
