"""Extractor and new layer -> one graph, from the pixels of images to class probabilities."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from retraining.arrays import ImageSize
from retraining.features.extractor import FeatureExtractor
from retraining.graphs import recorded
from retraining.graphs.frozen_graph import FrozenGraph, GraphDef, forward
from retraining.graphs.quiet_tensorflow import tf
from retraining.graphs.simplification import simplified, with_float32_weights
from retraining.inference.graph_classifier import LoadedGraph
from retraining.inference.image_classifier import ImageClassifier
from retraining.inference.novelty import NoveltyDetector
from retraining.modules import finished_classifier
from retraining.modules.finished_classifier import INPUT_OP, LAYER_SCOPE, PRODUCT_OP
from retraining.runtimes.batches import BATCH_SIZE
from retraining.settings.output import OutputSettings
from retraining.training.model import TrainedModel
from retraining.training.softmax_layer import SoftmaxLayer


@dataclasses.dataclass(frozen=True)
class ClassifierGraph:
    """A frozen classifier with what those who use it have to know: what every export carries.

    Its input is float32 [n, size.height, size.width, 3], pixel values of 0 to 255 after `mean` was
    subtracted and the result divided by `std`; its output is the scores of `labels`, float32 [n, classes].
    `significant_bits` and `batch_size` are as for ImageClassifier. `name` is that of the network.
    """

    frozen: FrozenGraph
    labels: tuple[str, ...]
    size: ImageSize
    mean: float = 0.0
    std: float = 255.0
    significant_bits: int | None = None
    name: str = "classifier"
    batch_size: int = BATCH_SIZE

    @classmethod
    def of_model(cls, model: TrainedModel, frozen: FrozenGraph) -> ClassifierGraph:
        """Return the graph of a model with what the model knows about it."""
        return cls(
            frozen,
            model.labels,
            model.extractor.image_size,
            significant_bits=model.significant_bits,
            name=model.extractor.name,
        )

    @classmethod
    def of_loaded(cls, loaded: LoadedGraph, path: Path) -> ClassifierGraph:
        """Return the graph of a classifier that was read from `path`, in the form that retrain.py writes."""
        classifier, frozen = loaded.classifier, loaded.frozen
        is_scaled = (classifier.mean, classifier.std) != (0, 255)
        if is_scaled or not finished_classifier.is_finished(frozen.graph_def):
            frozen = _in_our_form(loaded)
        graph_def = GraphDef.FromString(frozen.graph_def.SerializeToString())
        recorded.record(graph_def, labels=classifier.labels, significant_bits=classifier.significant_bits)
        return cls(
            frozen.with_graph_def(graph_def),
            classifier.labels,
            classifier.size,
            significant_bits=classifier.significant_bits,
            name=path.stem,
            batch_size=classifier.batch_size,
        )

    @property
    def novelty(self) -> bytes:
        """What the graph records to tell images unlike any class: an encoded NoveltyDetector, or b""."""
        return recorded.novelty(self.frozen.graph_def)

    def without_novelty(self) -> ClassifierGraph:
        """Return the same without the detector, for a format in which the network gives other vectors."""
        frozen = self.frozen.with_graph_def(recorded.without_novelty(self.frozen.graph_def))
        return dataclasses.replace(self, frozen=frozen)

    def classifier(self) -> ImageClassifier:
        """Return the graph as a classifier, which TensorFlow runs."""
        return ImageClassifier(
            run=forward(self.frozen),
            labels=self.labels,
            size=self.size,
            batch_size=self.batch_size,
            mean=self.mean,
            std=self.std,
            significant_bits=self.significant_bits,
        )


def of_model(
    model: TrainedModel,
    final_tensor_name: str = OutputSettings.final_tensor_name,
    *,
    float32_weights: bool = OutputSettings.float32_weights,
) -> FrozenGraph:
    """Return the graph of a trained model, as `build` does, which also records how it was trained."""
    frozen = build(
        model.extractor,
        model.layer,
        final_tensor_name,
        labels=model.labels,
        float32_weights=float32_weights,
        significant_bits=model.significant_bits,
        novelty=model.novelty,
    )
    training = recorded.Training(model.temperature, model.is_fine_tuned)
    recorded.record_training(frozen.graph_def, training)
    return frozen


def build(
    extractor: FeatureExtractor,
    layer: SoftmaxLayer,
    final_tensor_name: str,
    *,
    labels: tuple[str, ...] = (),
    float32_weights: bool = OutputSettings.float32_weights,
    significant_bits: int | None = None,
    novelty: NoveltyDetector | None = None,
) -> FrozenGraph:
    """Return the graph from `Placeholder` to the softmax op `final_tensor_name`.

    Input float32 [None, height, width, 3] in [0, 1], output float32 [None, classes]. Weights in half
    precision stay so, unless `float32_weights`. `labels`, `significant_bits`, that of the images' dataset,
    and `novelty` are recorded in the graph unless they are () and None.
    """
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(
            tf.float32, [None, extractor.image_size.height, extractor.image_size.width, 3], INPUT_OP
        )
        (features,) = tf.graph_util.import_graph_def(
            extractor.graph.graph_def,
            input_map={extractor.graph.input_name: pixels},
            return_elements=[extractor.graph.output_name],
            name="module",
        )
        with tf.name_scope(LAYER_SCOPE):
            weights = tf.constant(layer.weights, name="weights")
            biases = tf.constant(layer.biases, name="biases")
            logits = tf.nn.bias_add(tf.matmul(features, weights, name=PRODUCT_OP), biases, name="logits")
        tf.nn.softmax(logits, name=final_tensor_name)
    frozen = simplified(FrozenGraph(graph.as_graph_def(), f"{INPUT_OP}:0", f"{final_tensor_name}:0"))
    recorded.record(
        frozen.graph_def,
        labels=labels,
        significant_bits=significant_bits,
        novelty=novelty.encode() if novelty else b"",
    )
    return with_float32_weights(frozen) if float32_weights else frozen


def _in_our_form(loaded: LoadedGraph) -> FrozenGraph:
    """Return any classifier's graph with the input and output of those that `build` returns."""
    classifier, frozen = loaded.classifier, loaded.frozen
    size, final = classifier.size, OutputSettings.final_tensor_name
    # A graph from before TensorFlow Hub may take only one image at a time.
    count = classifier.batch_size if classifier.batch_size != BATCH_SIZE else None
    graph = tf.Graph()
    with graph.as_default():
        pixels = tf.compat.v1.placeholder(tf.float32, [count, size.height, size.width, 3], INPUT_OP)
        scaled = pixels
        if (classifier.mean, classifier.std) != (0, 255):
            scaled = (pixels * 255 - classifier.mean) / classifier.std
        (scores,) = tf.graph_util.import_graph_def(
            frozen.graph_def,
            input_map={frozen.input_name: scaled},
            return_elements=[frozen.output_name],
            name="classifier",
        )
        tf.reshape(scores, [-1, len(classifier.labels)], name=final)
    return simplified(FrozenGraph(graph.as_graph_def(), f"{INPUT_OP}:0", f"{final}:0"))
