"""Show what the layers of a network make of a photograph.

    python -m retraining.feature_maps --tfhub_module builtin --image photo.jpg

Writes pictures: first the photograph with the channels that the network makes of it, then a page of
maps for each of the chosen layers, one map for each of its channels.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from retraining.cli import console
from retraining.data import images
from retraining.settings.options import FeatureMapsOptions, parse_feature_maps
from retraining.visualization import contact_sheet
from retraining.visualization.contact_sheet import Picture

if TYPE_CHECKING:
    from retraining.visualization.inspected_network import InspectedNetwork, Layer, Maps

log = logging.getLogger("retraining")


def feature_maps(options: FeatureMapsOptions) -> None:
    """Do all that the command line asks for."""
    console.configure_logging("INFO")
    options.network.check_files()
    photograph = images.photograph(options.maps.image) if options.maps.image else None

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.visualization import inspected_network

    network = inspected_network.load(options.network)
    if photograph is None or options.maps.list_layers:
        print(network.list_layers())
        return
    layers = chosen(network, options.maps.layers)
    pixels = images.resized(photograph, network.image_size)
    names = [network.normalised_input(), *(layer.tensor_name for layer in layers)]
    normalised, *maps = network.values(names, pixels)

    folder = options.maps.output_dir
    page = _input_page(pixels, normalised, f"{network.name} gets {network.image_size} pixels")
    contact_sheet.write(page, folder / "00_input.png")
    log.info("Input of %s: %s", network.name, folder / "00_input.png")
    for name, line, page in _map_pages(layers, maps):
        contact_sheet.write(page, folder / name)
        log.info("%s: %s", line, folder / name)


def chosen(network: InspectedNetwork, names: str) -> list[Layer]:
    """Return the layers of these names, with commas between them, or those of the default choice."""
    return network.named(names.split(",")) if names else one_at_each_size(network.main_path())


def one_at_each_size(layers: Sequence[Layer]) -> list[Layer]:
    """Return the first layer, the first at each new size of the maps, and the last, in order.

    A size is new if it is at most half, rounded up, of the one before: what a border without
    padding takes off is not. At the last size the last layer stands for all. Layers whose maps are
    of a single pixel are passed over, unless there are no others.
    """
    spread = [layer for layer in layers if layer.height * layer.width > 1] or list(layers)
    found = [spread[0]]
    for layer in spread:
        if layer.height <= (found[-1].height + 1) // 2 < found[-1].height:
            found.append(layer)
    is_at_last_size = len(found) > 1 and found[-1].height == spread[-1].height
    return [*found[: -1 if is_at_last_size else None], *([spread[-1]] if len(spread) > 1 else [])]


def _input_page(pixels: images.Pixels, normalised: Maps, title: str) -> Image.Image:
    colours = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
    channels = [
        Picture(
            contact_sheet.grey(channel).resize(colours.size),
            f"channel {number}: {channel.min():.3g} to {channel.max():.3g}",
        )
        for number, channel in enumerate(np.moveaxis(normalised, -1, 0))
    ]
    return contact_sheet.page([Picture(colours, "input"), *channels], title=title)


def _map_pages(layers: Sequence[Layer], maps: Sequence[Maps]) -> Iterator[tuple[str, str, Image.Image]]:
    """Yield the file's name, the line to print and the page of each layer."""
    pairs = console.progress(zip(layers, maps, strict=True), total=len(layers), task="Pages", unit="page")
    for number, (layer, values) in enumerate(pairs, 1):
        pictures = [Picture(contact_sheet.grey(channel)) for channel in np.moveaxis(values, -1, 0)]
        size = f"{layer.channels} maps of {layer.height}x{layer.width}"
        page = contact_sheet.page(pictures, title=f"{layer.name}   {size}")
        yield f"{number:02}_{contact_sheet.file_stem(layer.name)}.png", f"{layer.name}, {size}", page


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(feature_maps, parse=parse_feature_maps, argv=argv, name="feature_maps")


if __name__ == "__main__":
    sys.exit(main())
