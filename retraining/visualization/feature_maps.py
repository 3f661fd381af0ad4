"""Pages of feature maps: how the layers of a network respond to an image."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from PIL import Image

from retraining.arrays import Pixels
from retraining.progress import progress
from retraining.visualization import contact_sheet
from retraining.visualization.contact_sheet import Picture
from retraining.visualization.inspected_network import InspectedNetwork, Layer, Maps


@dataclasses.dataclass(frozen=True)
class Page:
    """A page of pictures, the name of its file, and a line of text that says what it shows."""

    file_name: str
    title: str
    image: Image.Image


def pages(network: InspectedNetwork, layers: Sequence[Layer], pixels: Pixels) -> Iterator[Page]:
    """Yield a page with the image as the network scales it, then one for each layer.

    `pixels` is float32 [height, width, 3] in [0, 1], in the network's image size.
    """
    names = [network.normalised_input(), *(layer.tensor_name for layer in layers)]
    normalised, *maps = network.values(names, pixels)
    title = f"{network.name} gets {network.image_size} pixels"
    yield Page("00_input.png", f"Input of {network.name}", _input_page(pixels, normalised, title))
    yield from _map_pages(layers, maps)


def chosen_layers(network: InspectedNetwork, names: str) -> list[Layer]:
    """Return the layers with these names, separated by commas, or the default choice if there are none.

    Raises BadRequest for an unknown name.
    """
    return network.layers_named(names.split(",")) if names else one_at_each_size(network.main_path())


def one_at_each_size(layers: Sequence[Layer]) -> list[Layer]:
    """Return the first layer, the first at each new size of the maps, and the last, in order.

    A size is new if it is at most half of the one before, rounded up, so that the few pixels lost by a
    convolution without padding do not count. For the last size, only the last layer is returned. Layers whose
    maps are a single pixel are left out, unless there are no others.
    """
    candidates = [layer for layer in layers if layer.height * layer.width > 1] or list(layers)
    chosen = [candidates[0]]
    for layer in candidates:
        if layer.height <= (chosen[-1].height + 1) // 2 < chosen[-1].height:
            chosen.append(layer)
    if len(chosen) > 1 and chosen[-1].height == candidates[-1].height:
        chosen.pop()
    return [*chosen, candidates[-1]] if len(candidates) > 1 else chosen


def _input_page(pixels: Pixels, normalised: Maps, title: str) -> Image.Image:
    colours = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    channels = [
        Picture(
            contact_sheet.grey(channel).resize(colours.size),
            f"channel {number}: {channel.min():.3g} to {channel.max():.3g}",
        )
        for number, channel in enumerate(np.moveaxis(normalised, -1, 0))
    ]
    return contact_sheet.page([Picture(colours, "input"), *channels], title=title)


def _map_pages(layers: Sequence[Layer], maps: Sequence[Maps]) -> Iterator[Page]:
    pairs = progress(zip(layers, maps, strict=True), total=len(layers), task="Pages", unit="page")
    for number, (layer, values) in enumerate(pairs, 1):
        pictures = [Picture(contact_sheet.grey(channel)) for channel in np.moveaxis(values, -1, 0)]
        size = f"{layer.channels} maps of {layer.height}x{layer.width}"
        page = contact_sheet.page(pictures, title=f"{layer.name}   {size}")
        yield Page(f"{number:02}_{contact_sheet.file_stem(layer.name)}.png", f"{layer.name}, {size}", page)
