"""Draw what excites a layer of a network, or what the network thinks one of its classes looks like.

    python -m retraining.deep_dream --tfhub_module builtin
    python -m retraining.deep_dream --graph /tmp/output_graph.pb --class tulips
    python -m retraining.deep_dream --graph /tmp/output_graph.pb --image photo.jpg --octaves 3

Starts from grey with noise, or from an image, and changes it step by step so that the layer's mean
activation, or the logit of the class, rises.
"""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

from retraining.cli import console, logs, programs
from retraining.errors import Message
from retraining.settings.deep_dream import ALL_LAYERS, DeepDreamSettings

if TYPE_CHECKING:
    from retraining.visualization.dreams import Dream

CONFIDENT = 0.9  # a class's picture below this probability has not succeeded

log = logging.getLogger("retraining")


def deep_dream(settings: DeepDreamSettings) -> None:
    """Run the command."""
    logs.configure_logging("INFO")
    dream = settings.dream

    # Imported here, so that help is quick.
    from retraining.data import images

    if dream.image:
        images.open_upright(dream.image)

    # Only now, since TensorFlow takes seconds to import: a mistake above is answered at once.
    from retraining.visualization import contact_sheet, dreams, inspected_network

    labels = dreams.labels(dream)
    network = inspected_network.load(settings.network)
    if dream.list_layers:
        print(network.list_layers())
        return
    image = network.open_image(dream.image) if dream.image else None
    drawn = []
    for finished in dreams.draw(network, dreams.targets(network, dream, labels), dream, image):
        _report(finished)
        drawn.append(finished)
    if labels:
        _report_probability(dreams.probability(network, drawn[-1], labels), dream.class_label)
    if dream.layers == ALL_LAYERS:
        page = dreams.contact_page(drawn, f"{network.name}: {len(drawn)} convolutions, deepest first")
        contact_sheet.write(page, dream.output_dir / "contact_sheet.png")
        log.info("All on one page: %s", dream.output_dir / "contact_sheet.png")


def _report(dream: Dream) -> None:
    """Print the target's value before and after, with a warning if it did not rise."""
    name, kind = dream.target.name, "logit" if dream.target.is_class else "mean activation"
    log.info("%s: %s %.4g before, %.4g after: %s", name, kind, dream.before, dream.after, dream.path)
    if dream.is_dead:
        log.warning(
            Message(
                "{layer} is dead: its gradient is zero, so no step can raise it. Start from another image, "
                "with {image}.",
                layer=name,
            )
        )
    elif dream.after <= dream.before:
        log.warning(Message("{layer} did not rise. Try more {steps}, or another {step_size}.", layer=name))


def _report_probability(probability: float, label: str) -> None:
    """Print the probability of the class, with a warning if it is below CONFIDENT."""
    log.info("Predicted: %s %.1f%%", label, probability * 100)
    if probability < CONFIDENT:
        log.warning(
            Message(
                "{label} is below {limit:.0%} for its own picture. Try more {steps} or {octaves}, or another "
                "{seed}.",
                label=label,
                limit=CONFIDENT,
            )
        )


def main(argv: list[str] | None = None) -> int:
    """Return the exit status for the command-line words `argv` (default: those of this process)."""
    return console.run(deep_dream, programs.DEEP_DREAM, argv)


if __name__ == "__main__":
    sys.exit(main())
