"""The model in a graph that an earlier run wrote, with the feature vectors of its images."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.assessment import calibration, findings
from retraining.assessment.assessment import Assessment, assess
from retraining.assessment.findings import Findings
from retraining.data import class_checks
from retraining.data.dataset import Dataset
from retraining.errors import BadRequest
from retraining.features import grouping, problem_files
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.near_duplicates import NearDuplicates
from retraining.features.views import Views
from retraining.graphs import graph_file, recorded
from retraining.graphs.frozen_graph import GraphDef
from retraining.inference import labels as label_names
from retraining.inference import novelty_run
from retraining.modules import finished_classifier
from retraining.modules.finished_classifier import FinishedLayer
from retraining.settings.label_image import GraphSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.report import ReportOnGraphSettings, ReportSettings
from retraining.settings.training import TrainingSettings
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer


def find(images: Dataset, settings: ReportOnGraphSettings) -> Findings:
    """Return the findings about the model in a graph, on the images that it was made from.

    Raises BadRequest if the graph is not one that retrain.py wrote or has other classes, and WorkFailed.
    """
    graph_def = graph_file.read(settings.report.graph)
    finished = _layer(graph_def, images, settings.report)
    extractor = _extractor(finished, images, settings.report)
    cache = BottleneckCache(settings.report.bottleneck_dir, extractor)
    vectors, near = grouping.compute(
        images, extractor, cache, Views(), group=settings.data.group_near_duplicates
    )
    problem_files.warn_of_skipped(vectors.skipped)
    training = TrainingSettings(
        how_many_training_steps=settings.report.how_many_training_steps,
        learning_rate=settings.report.learning_rate,
        seed=settings.report.seed,
    )
    model = TrainedModel.of_layer(
        SoftmaxLayer(finished.weights, finished.biases), vectors, extractor, training
    )
    return findings.find(model, _assessment(model, near, training, settings.report.graph, graph_def))


def _assessment(
    model: TrainedModel, near: NearDuplicates, settings: TrainingSettings, graph: Path, graph_def: GraphDef
) -> Assessment:
    """Return the assessment of a model with the temperature and the detector that are in its graph."""
    made = recorded.training(graph_def)
    uncalibrated = dataclasses.replace(
        model,
        layer=calibration.divided(model.layer, 1 / made.temperature),
        is_fine_tuned=made.is_fine_tuned,
    )
    found = assess(
        uncalibrated,
        dataclasses.replace(settings, calibrate=made.temperature != 1),
        near,
        frozen=None if made.is_fine_tuned else model.bottlenecks,
        temperature=made.temperature,
    )
    content = recorded.novelty(graph_def)
    detector = novelty_run.checked(content, graph, model.extractor.feature_size) if content else None
    return dataclasses.replace(found, novelty=detector)


def _layer(graph_def: GraphDef, images: Dataset, settings: ReportSettings) -> FinishedLayer:
    finished = finished_classifier.layer(graph_def)
    if finished is None:
        raise BadRequest(
            "{graph} '{path}' has no layer that retrain.py has added, so there is nothing to report on. Give "
            "a frozen graph that it wrote.",
            path=settings.graph,
        )
    reading = GraphSettings(graph=settings.graph, labels=settings.labels)
    labels = label_names.find(reading, recorded.labels(graph_def))
    class_checks.check_same(images.labels, labels)
    return finished


def _extractor(finished: FinishedLayer, images: Dataset, settings: ReportSettings) -> FeatureExtractor:
    module = ModuleSettings(
        tfhub_module=str(settings.graph.absolute()),
        bottleneck_tensor_name=finished.features,
        bottleneck_dir=settings.bottleneck_dir,
        engine=settings.engine,
    )
    return load_extractor(module, images)
