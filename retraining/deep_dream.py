"""Draw what excites a layer of a network, or what it takes for one of its classes.

    python -m retraining.deep_dream --tfhub_module builtin
    python -m retraining.deep_dream --graph /tmp/output_graph.pb --class tulips
    python -m retraining.deep_dream --graph /tmp/output_graph.pb --image photo.jpg --octaves 3

Begins with grey and noise, or with a photograph, and changes it step by step so that the mean of the
layer's maps, or the logit of the class, rises.
"""

from __future__ import annotations

import logging
import sys

from retraining import console, contact_sheet, images
from retraining.options import ALL_LAYERS, DeepDreamOptions, parse_deep_dream

log = logging.getLogger("retraining")


def deep_dream(options: DeepDreamOptions) -> None:
    """Do all that the command line asks for."""
    console.configure_logging("INFO")
    options.network.check_files()
    options.dream.check_files()
    dream = options.dream
    photograph = images.photograph(dream.image) if dream.image else None

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining import dreams, inspected_network

    labels = dreams.labels(dream)
    network = inspected_network.load(options.network)
    if dream.list_layers:
        print(network.list_layers())
        return
    drawn = []
    for picture in dreams.draw(network, dreams.targets(network, dream, labels), dream, photograph):
        kind = "logit" if labels else "mean activation"
        name, path = picture.target.name, picture.path
        log.info("%s: %s %.4g before, %.4g after: %s", name, kind, picture.before, picture.after, path)
        drawn.append(picture)
    if labels:
        log.info(
            "The network takes it for %s: %.1f%%", name, dreams.probability(network, picture, labels) * 100
        )
    if dream.layers == ALL_LAYERS:
        page = dreams.contact_page(drawn, f"{network.name}: {len(drawn)} convolutions, deepest first")
        contact_sheet.write(page, dream.output_dir / "contact_sheet.png")
        log.info("All on one page: %s", dream.output_dir / "contact_sheet.png")


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(deep_dream, parse=parse_deep_dream, argv=argv, name="deep_dream")


if __name__ == "__main__":
    sys.exit(main())
