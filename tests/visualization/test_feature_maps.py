from __future__ import annotations

import numpy as np
import pytest

from retraining.settings.network import NetworkSettings
from retraining.visualization import feature_maps, inspected_network
from retraining.visualization.inspected_network import Layer


def layers_of(*sizes: int) -> list[Layer]:
    return [Layer(f"{index}", "", "", "Conv2D", size, size, 1) for index, size in enumerate(sizes)]


def sizes(chosen: list[Layer]) -> list[int]:
    return [layer.height for layer in chosen]


@pytest.mark.soak
def test_inception_v3_at_224_gives_the_maps_of_the_paper() -> None:
    network = inspected_network.load(
        NetworkSettings(tfhub_module="keras:InceptionV3?weights=random", image_size=224)
    )
    chosen = feature_maps.chosen_layers(network, "")
    assert sizes(chosen) == [111, 54, 25, 12, 5]
    assert chosen[-1] == network.convolutions[-1]
    pixels = np.random.default_rng(0).random((224, 224, 3), np.float32)
    maps = network.values([layer.tensor_name for layer in chosen], pixels)
    assert [values.shape for values in maps] == [
        (111, 111, 32),
        (54, 54, 80),
        (25, 25, 64),
        (12, 12, 384),
        (5, 5, 192),
    ]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([64, 32, 32, 16, 16], [0, 1, 4]),
        ([149, 147, 147, 73, 71, 35, 17, 8, 8], [0, 3, 5, 6, 8]),  # convolutions without padding
        ([15, 8, 8, 4, 2], [0, 1, 3, 4]),  # odd sizes, padded
        ([112, 1, 1, 56, 1, 28, 1], [0, 3, 5]),  # layers that only reweight channels
        ([32, 32, 32], [0, 2]),
        ([32], [0]),
        ([1, 1], [0, 1]),
    ],
)
def test_default_choice_is_the_first_layer_at_each_new_size_and_the_last(
    given: list[int], expected: list[int]
) -> None:
    chosen = feature_maps.one_at_each_size(layers_of(*given))
    assert [int(layer.name) for layer in chosen] == expected
