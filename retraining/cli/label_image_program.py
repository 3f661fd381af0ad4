"""The command line of label_image.py, apart from the others, since it answers in a fraction of a second."""

from __future__ import annotations

from retraining.cli import checks
from retraining.cli.parser import Program
from retraining.settings.label_image import LabelImageSettings

PROGRAM = Program(
    name="label_image",
    description="Classify images with the network that retrain.py exported, and sort them by class.",
    example="--graph output_graph.pb --image photo.jpg",
    settings=LabelImageSettings,
    check=checks.check_label_image,
    is_filter=True,
)
