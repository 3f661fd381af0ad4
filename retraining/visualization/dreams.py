"""Pictures that excite layers or classes of a network: drawn, written, and measured from their files."""

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
from retraining.visualization.ascent import FOR_CLASSES, FOR_LAYERS, AscentSettings
from retraining.visualization.canvas import Canvas
from retraining.visualization.inspected_network import InspectedNetwork, Layer
from retraining.visualization.objective import Objective, Target


@dataclasses.dataclass(frozen=True)
class Dream:
    """A finished picture.

    `before` is the target's value for the start picture, `after` its value for the picture in the file.
    `is_dead` is true if no pixel of the start picture has any effect on the target.
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
    """Return the labels of the graph, or an empty tuple if the settings name no class.

    Raises BadRequest, with the nearest labels, if the class is not one of them.
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
    """Return the targets that the settings name, one per picture. Raises BadRequest."""
    if settings.class_label:
        return [objective.class_target(network, labels, settings.class_label)]
    return [objective.layer_target(layer, settings.channel) for layer in _layers(network, settings)]


def _layers(network: InspectedNetwork, settings: DreamSettings) -> list[Layer]:
    if settings.layers == ALL_LAYERS:
        return list(reversed(network.convolutions))
    if settings.layers:
        return network.layers_named(settings.layers.split(","))
    # Early layers give only stripes, the last ones single objects; the richest pictures come from between.
    convolutions = [layer for layer in network.main_path() if layer.operation == "Conv2D"]
    return [convolutions[len(convolutions) * 2 // 3]]


def draw(
    network: InspectedNetwork,
    targets: Sequence[Target],
    settings: DreamSettings,
    image: Image.Image | None,
) -> Iterator[Dream]:
    """Yield the finished picture of each target, written to `settings.output_dir`. Raises WorkFailed.

    The pictures start from `image`, or from grey with noise if it is None.
    """
    ascent_settings = FOR_CLASSES if settings.class_label else FOR_LAYERS
    start = _start(network, settings, image, ascent_settings)
    steps = range(len(targets) * settings.octaves * settings.steps)
    ticks = progress(steps, total=len(steps), task="Dreaming", unit="step")
    for target in targets:
        with Objective(network, target) as goal:
            picture = ascent.maximize(
                goal, start, ascent_settings=ascent_settings, settings=settings, ticks=ticks
            )
            path = settings.output_dir / f"{contact_sheet.file_stem(target.name)}.png"
            contact_sheet.write(_as_image(picture), path)
            yield Dream(
                target,
                path,
                before=ascent.value(goal, start, ascent_settings),
                after=ascent.value(goal, _read_back(path), ascent_settings),
                is_dead=ascent.is_dead(goal, start, ascent_settings),
            )
    next(ticks, None)  # fills the progress bar


def probability(network: InspectedNetwork, dream: Dream, labels: Sequence[str]) -> float:
    """Return the network's score for the class of `dream`, with its file read as label_image.py reads it."""
    pixels = images.decode(images.read(dream.path), network.image_size)
    (scores,) = network.values([network.graph.output_name], pixels)
    return float(scores.reshape(-1)[labels.index(dream.target.name)])


def contact_page(dreams: Sequence[Dream], title: str) -> Image.Image:
    """Return one page of all the pictures, each with the name of its layer."""
    pictures = [contact_sheet.Picture(dream.picture(), dream.target.name) for dream in dreams]
    return contact_sheet.page(pictures, title=title)


def _start(
    network: InspectedNetwork,
    settings: DreamSettings,
    image: Image.Image | None,
    ascent_settings: AscentSettings,
) -> Canvas:
    """Return the picture to start from, in the size of the last octave."""
    shape = network.image_size if image is None else ImageSize(image.height, image.width)
    size = ascent.last_size(network.image_size, shape, ascent_settings=ascent_settings, settings=settings)
    if image is None:
        return canvas.blank(size, np.random.default_rng([settings.seed, 0]))
    return images.resized(image, size)


def _as_image(picture: Canvas) -> Image.Image:
    return Image.fromarray(np.round(picture * 255).astype(np.uint8))


def _read_back(path: Path) -> Canvas:
    image = images.upright(images.read(path))
    return images.resized(image, ImageSize(image.height, image.width))
