"""Retraining from Python: the functions behind the package's public names.

    import retraining

    model = retraining.retrain("my_photos")
    model.evaluation.accuracy
    model.predict(["photo.jpg"])
    model.export("flowers.pb")

Keywords are the settings that are flags on the command line: docs/flags.md lists them. TensorFlow is imported
by the first function that needs it, since that takes seconds.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from retraining.data import dataset, needed_files
from retraining.data.dataset import Dataset
from retraining.errors import BadRequest, setting_named
from retraining.features import lost_classes, problem_files
from retraining.fine_tuning import validation_images
from retraining.settings.augmentation import AugmentationSettings
from retraining.settings.data import DataSettings
from retraining.settings.fine_tuning import FineTuningSettings
from retraining.settings.label_image import AnswerSettings
from retraining.settings.module import ModuleSettings
from retraining.settings.setting import Settings, fields
from retraining.settings.training import TrainingSettings
from retraining.suggestions import closest, did_you_mean

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from retraining.features.bottleneck_sets import Bottlenecks
    from retraining.features.extractor import FeatureExtractor
    from retraining.inference.image_classifier import ImageClassifier
    from retraining.keywords import (
        AnyPath,
        AugmentationKeywords,
        DataKeywords,
        GraphKeywords,
        ModuleKeywords,
        RetrainKeywords,
        TrainingKeywords,
    )
    from retraining.model import RetrainedModel
    from retraining.training.learning_curve import Epoch
    from retraining.training.trainer import TrainingStep

Group = TypeVar("Group", bound=Settings)

_NEED_IMAGES = {"strict", "group_near_duplicates"}


def retrain(
    image_dir: AnyPath | None = None,
    *,
    on_report: Callable[[TrainingStep], None] | None = None,
    **settings: Unpack[RetrainKeywords],
) -> RetrainedModel:
    """Return a classifier of the images in `image_dir`, which has one sub-folder per class.

    Or give a list of images as `image_list`, in place of the folder.
    `settings` are those of docs/flags.md, such as tfhub_module, how_many_training_steps and seed. Feature
    vectors are kept in `bottleneck_dir` and reused. Files that cannot be used are skipped with a warning, or
    end the work if `strict`. Unbalanced classes and classes with few test images are warned of.
    `on_report` is called every `eval_step_interval` steps with a TrainingStep. Raises BadRequest, BadModule
    and WorkFailed.
    """
    given = dict(settings) | {"image_dir": image_dir}
    _check_known(
        given, DataSettings, ModuleSettings, AugmentationSettings, TrainingSettings, FineTuningSettings
    )
    data, module = _group(DataSettings, given), _group(ModuleSettings, given)
    augmentation, training = _group(AugmentationSettings, given), _group(TrainingSettings, given)
    fine_tuning = _group(FineTuningSettings, given)
    found = dataset.scan(data, (module.bottleneck_dir,))
    validation_images.check(found, fine_tuning)
    needed_files.check(found, data, augmentation, fine_tuning)

    from retraining.assessment.assessment import try_to_assess
    from retraining.features import extractor as extractors
    from retraining.features import grouping
    from retraining.features.cache import BottleneckCache
    from retraining.features.views import Views
    from retraining.fine_tuning import network_blocks
    from retraining.training import accuracy_warnings

    extractor = extractors.load_extractor(module, found)
    network_blocks.check(extractor, fine_tuning)
    cache, views = BottleneckCache(module.bottleneck_dir, extractor), Views(augmentation, training.seed)
    vectors, near = grouping.compute(found, extractor, cache, views, group=data.group_near_duplicates)
    _check_usable(vectors, found, strict=data.strict)
    problem_files.report_duplicates(vectors, near)
    model = _trained(vectors, extractor, training, augmentation, on_report)
    if fine_tuning.fine_tune:
        model = _fine_tuned(model, fine_tuning, augmentation, training, module.bottleneck_dir)
    assessment = try_to_assess(model, training, near, frozen=vectors)
    model = model.with_assessment(assessment)
    accuracy_warnings.warn(vectors.dataset, model.evaluation)
    return model


def scan(image_dir: AnyPath | None = None, **settings: Unpack[DataKeywords]) -> Dataset:
    """Return the images in `image_dir`, by class, and the set that each belongs to. No image is opened.

    Or give a list of images as `image_list`, in place of the folder.

    Raises BadRequest if nothing could be trained on what is there.
    """
    given = dict(settings) | {"image_dir": image_dir}
    _check_known(given, DataSettings)
    for name in _NEED_IMAGES.intersection(given):
        raise BadRequest(
            "{setting} needs the images themselves, and scan opens none. Give it to retrain.",
            setting=setting_named(name),
        )
    return dataset.scan(_group(DataSettings, given))


def load_extractor(tfhub_module: str, **settings: Unpack[ModuleKeywords]) -> FeatureExtractor:
    """Return the pretrained network that a handle names: 'builtin', a name of `list_modules`, a folder, ...

    It turns images into feature vectors. Raises BadRequest and BadModule.
    """
    from retraining.features import extractor as extractors

    given = dict(settings) | {"tfhub_module": tfhub_module}
    _check_known(given, ModuleSettings)
    return extractors.load_extractor(_group(ModuleSettings, given))


def compute_bottlenecks(
    dataset: Dataset,
    extractor: FeatureExtractor,
    *,
    bottleneck_dir: str | os.PathLike[str] = ModuleSettings.bottleneck_dir,
    seed: int = TrainingSettings.seed,
    **settings: Unpack[AugmentationKeywords],
) -> Bottlenecks:
    """Return the feature vectors of all images, from the cache in `bottleneck_dir` where it has them.

    With augmentation on, several random views of each training image are drawn from `seed`. Files that
    cannot be used are left out with a warning. Raises BadRequest and WorkFailed.
    """
    from retraining.features import bottlenecks
    from retraining.features import extractor as extractors
    from retraining.features.cache import BottleneckCache
    from retraining.features.views import Views

    _check_known(settings, AugmentationSettings)
    kept_in = _group(ModuleSettings, {"bottleneck_dir": bottleneck_dir}).bottleneck_dir
    extractor = extractors.settled(extractor, dataset)
    cache = BottleneckCache(kept_in, extractor)
    vectors = bottlenecks.compute(
        dataset, extractor, cache, Views(_group(AugmentationSettings, settings), seed)
    )
    _check_usable(vectors, dataset)
    return vectors


def train(
    bottlenecks: Bottlenecks,
    extractor: FeatureExtractor,
    *,
    on_report: Callable[[TrainingStep], None] | None = None,
    **settings: Unpack[TrainingKeywords],
) -> RetrainedModel:
    """Return the classifier of a new layer trained on feature vectors, tested on the held-out images.

    `extractor` is the one that computed the vectors. Raises BadRequest, and WorkFailed if training diverges.
    """
    _check_known(settings, TrainingSettings)
    from retraining.assessment.assessment import try_to_assess
    from retraining.features.near_duplicates import NearDuplicates
    from retraining.training import accuracy_warnings

    training = _group(TrainingSettings, settings)
    model = _trained(bottlenecks, extractor, training, AugmentationSettings(), on_report)
    assessment = try_to_assess(model, training, NearDuplicates(), frozen=bottlenecks)
    model = model.with_assessment(assessment)
    accuracy_warnings.warn(bottlenecks.dataset, model.evaluation)
    return model


def load_classifier(
    graph: str | os.PathLike[str],
    labels: str | os.PathLike[str] | None = None,
    **settings: Unpack[GraphKeywords],
) -> ImageClassifier:
    """Return the classifier in a frozen graph or SavedModel: one of retrain.py or `export`, or any other.

    `labels` are by default those in the graph, or beside it, where `RetrainedModel.export` puts them.
    `settings` are those of label_image.py, for graphs that do not record them. With `unknown`, what
    `classify` yields also has the novelty of each image. Raises BadRequest.
    """
    from retraining.inference import loading

    given = dict(settings) | {"graph": Path(graph).expanduser(), "labels": labels}
    _check_known(given, AnswerSettings)
    return loading.load(_group(AnswerSettings, given))


def list_modules() -> str:
    """Return a table of the modules that are known by name: image sizes, accuracies, and their sources."""
    from retraining.modules import catalogue

    return catalogue.table()


def _check_usable(vectors: Bottlenecks, scanned: Dataset, *, strict: bool = False) -> None:
    """Warn about files that were skipped; check the images again if they are not those that were scanned.

    Raises BadRequest and WorkFailed.
    """
    problem_files.warn_of_skipped(vectors.skipped)
    problem_files.check_strict(vectors.skipped, strict=strict)
    lost_classes.check(scanned, vectors.dataset, vectors.skipped)


def _trained(
    vectors: Bottlenecks,
    extractor: FeatureExtractor,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    on_report: Callable[[TrainingStep], None] | None,
) -> RetrainedModel:
    from retraining.model import RetrainedModel
    from retraining.training.fresh_batches import fresh_batches

    batches = fresh_batches(vectors, extractor, augmentation=augmentation, training=training)
    return RetrainedModel.train(vectors, extractor, training, batches=batches, on_report=on_report)


def _fine_tuned(
    model: RetrainedModel,
    settings: FineTuningSettings,
    augmentation: AugmentationSettings,
    training: TrainingSettings,
    bottleneck_dir: Path,
) -> RetrainedModel:
    from retraining.fine_tuning.tuner import Tuner

    tuner = Tuner(
        model, settings, augmentation=augmentation, training=training, bottleneck_dir=bottleneck_dir
    )
    epochs: list[Epoch] = []
    tuned = tuner.run(lambda _number, epoch, _trained: epochs.append(epoch))
    return tuned.model.with_epochs(epochs) if tuned.is_used else tuned.model


def _group(group: type[Group], given: Mapping[str, Any]) -> Group:
    """Return a group of settings with what was given of it."""
    return group(**{field.name: given[field.name] for field in fields(group) if field.name in given})


def _check_known(given: Iterable[str], *groups: type[Settings]) -> None:
    known = [field.name for group in groups for field in fields(group)]
    for name in given:
        if name not in known:
            meant = closest(name, known)
            remedy = did_you_mean([meant]) if meant else f"Known are {', '.join(known)}."
            raise BadRequest("unknown setting {name}. {remedy}", name=name, remedy=remedy)
