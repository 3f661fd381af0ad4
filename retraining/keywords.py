"""The keywords of the public functions, for type checkers and editors; a test holds them to the settings."""

from __future__ import annotations

import os
from typing import TypeAlias, TypedDict

AnyPath: TypeAlias = str | os.PathLike[str]


class DataKeywords(TypedDict, total=False):
    """Settings of `scan`."""

    image_list: AnyPath | None
    testing_percentage: float | None
    validation_percentage: float | None
    significant_bits: int | None


class ModuleKeywords(TypedDict, total=False):
    """Settings of `load_extractor`."""

    architecture: str
    model_dir: AnyPath | None
    engine: str
    precision: str
    image_size: int | None
    input_tensor_name: str | None
    bottleneck_tensor_name: str | None
    input_mean: float | None
    input_std: float | None


class AugmentationKeywords(TypedDict, total=False):
    """Settings of `compute_bottlenecks`."""

    flip_left_right: bool
    random_crop: float
    random_scale: float
    random_brightness: float
    distorted_views: int


class TrainingKeywords(TypedDict, total=False):
    """Settings of `train`."""

    how_many_training_steps: int
    learning_rate: float
    eval_step_interval: int
    train_batch_size: int
    validation_batch_size: int
    test_batch_size: int
    seed: int
    calibrate: bool


class FineTuningKeywords(TypedDict, total=False):
    """Settings of fine-tuning, which `retrain` does."""

    fine_tune: bool
    fine_tune_blocks: int | str
    fine_tune_epochs: int
    fine_tune_learning_rate: float


class GraphKeywords(TypedDict, total=False):
    """Settings of `load_classifier`."""

    input_layer: str | None
    output_layer: str | None
    input_height: int | None
    input_width: int | None
    input_mean: float | None
    input_std: float | None
    significant_bits: int | None
    engine: str
    cache_dir: AnyPath | None
    unknown: bool


class RetrainKeywords(
    DataKeywords, ModuleKeywords, AugmentationKeywords, TrainingKeywords, FineTuningKeywords, total=False
):
    """Settings of `retrain`."""

    strict: bool
    group_near_duplicates: bool
    tfhub_module: str
    bottleneck_dir: AnyPath
