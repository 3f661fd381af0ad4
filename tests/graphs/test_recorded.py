"""Labels, significant bits and a detector in a graph: read as they were written, and ignored by TensorFlow itself."""

from __future__ import annotations

import os

from retraining.graphs import recorded
from retraining.graphs.frozen_graph import GraphDef, imported
from retraining.graphs.quiet_tensorflow import tf

# A space, an umlaut, a line end, and bytes that are no UTF-8, as the name of a folder may have.
LABELS = ("wild rose", "Löwenzahn", "two\nlines", os.fsdecode(b"\xff\xfe"))


def one_input() -> GraphDef:
    graph = tf.Graph()
    with graph.as_default():
        tf.nn.softmax(tf.compat.v1.placeholder(tf.float32, [None, 4], "pixels"), name="scores")
    return graph.as_graph_def()


def test_what_was_recorded_is_read_after_tensorflow_has_had_the_graph() -> None:
    graph_def = one_input()
    detector = bytes(range(256))
    recorded.record(graph_def, labels=LABELS, significant_bits=12, novelty=detector)
    again = imported(GraphDef.FromString(graph_def.SerializeToString())).as_graph_def()
    assert (recorded.labels(again), recorded.significant_bits(again)) == (LABELS, 12)
    assert recorded.novelty(again) == detector
    without = recorded.without_novelty(again)
    assert (recorded.labels(without), recorded.novelty(without)) == (LABELS, b"")
    assert recorded.novelty(again) == detector


def test_graph_grows_by_little_more_than_its_labels() -> None:
    graph_def = one_input()
    before = graph_def.ByteSize()
    recorded.record(graph_def, labels=LABELS)
    assert graph_def.ByteSize() - before < sum(len(os.fsencode(label)) for label in LABELS) + 40


def test_graph_of_others_records_nothing() -> None:
    graph_def = one_input()
    before = graph_def.SerializeToString(deterministic=True)
    recorded.record(graph_def)
    assert (recorded.labels(graph_def), recorded.significant_bits(graph_def)) == ((), None)
    assert recorded.novelty(graph_def) == b""
    assert graph_def.SerializeToString(deterministic=True) == before
