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
from typing import TYPE_CHECKING

from retraining.cli import console
from retraining.data import images
from retraining.settings.options import ALL_LAYERS, DeepDreamOptions, parse_deep_dream
from retraining.visualization import contact_sheet

if TYPE_CHECKING:
    from retraining.visualization.dreams import Dream

SURE = 0.9  # what a class picture should be taken for its class with

log = logging.getLogger("retraining")


def deep_dream(options: DeepDreamOptions) -> None:
    """Do all that the command line asks for."""
    console.configure_logging("INFO")
    options.network.check_files()
    options.dream.check_files()
    dream = options.dream
    photograph = images.photograph(dream.image) if dream.image else None

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.visualization import dreams, inspected_network

    labels = dreams.labels(dream)
    network = inspected_network.load(options.network)
    if dream.list_layers:
        print(network.list_layers())
        return
    drawn = []
    for picture in dreams.draw(network, dreams.targets(network, dream, labels), dream, photograph):
        _tell(picture)
        drawn.append(picture)
    if labels:
        _tell_probability(dreams.probability(network, picture, labels), dream.class_label)
    if dream.layers == ALL_LAYERS:
        page = dreams.contact_page(drawn, f"{network.name}: {len(drawn)} convolutions, deepest first")
        contact_sheet.write(page, dream.output_dir / "contact_sheet.png")
        log.info("All on one page: %s", dream.output_dir / "contact_sheet.png")


def _tell(dream: Dream) -> None:
    """Print what the picture came to, and a warning if that is no more than it began with."""
    name, kind = dream.target.name, "logit" if dream.target.is_class else "mean activation"
    log.info("%s: %s %.4g before, %.4g after: %s", name, kind, dream.before, dream.after, dream.path)
    if dream.is_dead:
        log.warning(
            "%s is dead: its gradient is zero, and no step raises it. Begin with another picture: --image.",
            name,
        )
    elif dream.after <= dream.before:
        log.warning("%s did not rise. Give more --steps, or another --step_size.", name)


def _tell_probability(probability: float, label: str) -> None:
    """Print how sure the network is of the class, and a warning if that is not much."""
    log.info("The network takes it for %s: %.1f%%", label, probability * 100)
    if probability < SURE:
        log.warning(
            "the picture of %s is below %.0f%%. Give more --steps or --octaves, or another --seed.",
            label,
            SURE * 100,
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(deep_dream, parse=parse_deep_dream, argv=argv, name="deep_dream")


if __name__ == "__main__":
    sys.exit(main())
