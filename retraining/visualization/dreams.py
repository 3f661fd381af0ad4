"""What a network is to dream of -> pictures, written as files and measured as they were written."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from retraining.arrays import ImageSize
from retraining.data import images
from retraining.errors import BadRequest
from retraining.progress import progress
from retraining.settings.deep_dream import ALL_LAYERS, DreamSettings
from retraining.storage import labels_file
from retraining.suggestions import did_you_mean, nearest
from retraining.visualization import ascent, canvas, contact_sheet, objective
from retraining.visualization.ascent import OF_CLASSES, OF_LAYERS, AscentSettings
from retraining.visualization.canvas import Canvas
from retraining.visualization.inspected_network import InspectedNetwork, Layer
from retraining.visualization.objective import Objective, Target


@dataclasses.dataclass(frozen=True)
class Dream:
    """A picture and the file it is in, with the target's value for what it began with and for the file.

    `is_dead` says that no pixel of what it began with changes the target's value.
    """

    target: Target
    path: Path
    before: float
    after: float
    is_dead: bool

    def picture(self) -> Image.Image:
        """Return the picture in the file."""
        return images.upright(images.read(self.path))


def labels(settings: DreamSettings) -> tuple[str, ...]:
    """Return the labels of the graph, or none where no class is asked for.

    Raises BadRequest with the nearest labels if the class is none of them.
    """
    if not settings.class_label:
        return ()
    known = labels_file.read(settings.labels)
    if settings.class_label not in known:
        raise BadRequest(
            "{class_label} '{label}' is not one of the labels in '{path}'. {remedy}",
            label=settings.class_label,
            path=settings.labels,
            remedy=did_you_mean(nearest(settings.class_label, known) or known[:5]),
        )
    return known


def targets(network: InspectedNetwork, settings: DreamSettings, labels: Sequence[str]) -> list[Target]:
    """Return what the settings ask for, a target for each picture. Raises BadRequest."""
    if settings.class_label:
        return [objective.of_class(network, labels, settings.class_label)]
    return [objective.of_layer(layer, settings.channel) for layer in _layers(network, settings)]


def _layers(network: InspectedNetwork, settings: DreamSettings) -> list[Layer]:
    if settings.layers == ALL_LAYERS:
        return list(reversed(network.convolutions))
    if settings.layers:
        return network.named(settings.layers.split(","))
    # Early layers dream of stripes, the last ones of single things; what is between them is richest.
    path = [layer for layer in network.main_path() if layer.operation == "Conv2D"]
    return [path[len(path) * 2 // 3]]


def draw(
    network: InspectedNetwork,
    targets: Sequence[Target],
    settings: DreamSettings,
    photograph: Image.Image | None,
) -> Iterator[Dream]:
    """Yield the picture of each target, written into the settings' folder. Raises WorkFailed."""
    style = OF_CLASSES if settings.class_label else OF_LAYERS
    start = _start(network, settings, photograph, style)
    steps = range(len(targets) * settings.octaves * settings.steps)
    ticks = progress(steps, total=len(steps), task="Dreaming", unit="step")
    for target in targets:
        with Objective(network, target) as goal:
            picture = ascent.maximize(goal, start, style=style, settings=settings, ticks=ticks)
            path = settings.output_dir / f"{contact_sheet.file_stem(target.name)}.png"
            contact_sheet.write(_as_image(picture), path)
            before, after = (ascent.value(goal, shown, style) for shown in (start, _read_back(path)))
            yield Dream(target, path, before, after, is_dead=ascent.is_dead(goal, start, style))
    next(ticks, None)  # the bar is then full


def probability(network: InspectedNetwork, dream: Dream, labels: Sequence[str]) -> float:
    """Return the network's score for the class of `dream`, whose file is read as label_image.py reads it."""
    pixels = images.decode(images.read(dream.path), network.image_size)
    (scores,) = network.values([network.graph.output_name], pixels)
    return float(scores.reshape(-1)[labels.index(dream.target.name)])


def contact_page(dreams: Sequence[Dream], title: str) -> Image.Image:
    """Return all pictures with the names of their layers on one page."""
    pictures = [contact_sheet.Picture(dream.picture(), dream.target.name) for dream in dreams]
    return contact_sheet.page(pictures, title=title)


def _start(
    network: InspectedNetwork, settings: DreamSettings, photograph: Image.Image | None, style: AscentSettings
) -> Canvas:
    shape = network.image_size if photograph is None else ImageSize(photograph.height, photograph.width)
    size = ascent.last_size(network.image_size, shape, style=style, settings=settings)
    if photograph is None:
        return canvas.blank(size, np.random.default_rng([settings.seed, 0]))
    return images.resized(photograph, size)


def _as_image(picture: Canvas) -> Image.Image:
    return Image.fromarray(np.round(picture * 255).astype(np.uint8))


def _read_back(path: Path) -> Canvas:
    image = images.upright(images.read(path))
    return images.resized(image, ImageSize(image.height, image.width))
