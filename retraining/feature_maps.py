"""Show how the layers of a network respond to an image.

    python -m retraining.feature_maps --tfhub_module builtin --image photo.jpg

Writes pages of pictures: first the image and its channels as the network scales them, then a page for each
chosen layer, with one map per channel.
"""

from __future__ import annotations

import logging
import sys

from retraining.cli import console, logs, programs
from retraining.settings.feature_maps import FeatureMapsSettings

log = logging.getLogger("retraining")


def feature_maps(settings: FeatureMapsSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")

    # Imported here, so that help is quick.
    from retraining.data import images

    if settings.maps.image:
        images.open_upright(settings.maps.image)

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.visualization import contact_sheet, feature_maps, inspected_network

    network = inspected_network.load(settings.network)
    if settings.maps.image is None or settings.maps.list_layers:
        print(network.list_layers())
        return
    image = network.open_image(settings.maps.image)
    layers = feature_maps.chosen_layers(network, settings.maps.layers)
    for page in feature_maps.pages(network, layers, images.resized(image, network.image_size)):
        path = settings.maps.output_dir / page.file_name
        contact_sheet.write(page.image, path)
        log.info("%s: %s", page.title, path)


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(feature_maps, programs.FEATURE_MAPS, argv)


if __name__ == "__main__":
    sys.exit(main())
