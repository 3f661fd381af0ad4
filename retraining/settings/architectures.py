"""The networks that can be trained from scratch: their names and image sizes. No TensorFlow here."""

from __future__ import annotations

import dataclasses

from retraining.errors import BadRequest
from retraining.suggestions import did_you_mean, nearest


@dataclasses.dataclass(frozen=True)
class Architecture:
    """A network that can be trained from scratch, and the paper that describes it.

    `image_size` is the height and width in pixels in the paper; below `smallest_size` a layer would be left
    without an input.
    """

    title: str
    image_size: int
    smallest_size: int
    paper: str


ARCHITECTURES = {
    "alexnet": Architecture("AlexNet", 227, 67, "Krizhevsky et al., NeurIPS 2012"),
    "googlenet": Architecture("GoogLeNet", 224, 65, "Szegedy et al., CVPR 2015"),
    "vgg16": Architecture("VGG16", 224, 32, "Simonyan and Zisserman, ICLR 2015"),
    "resnet50": Architecture("ResNet-50", 224, 32, "He et al., CVPR 2016"),
    "inception_v3": Architecture("Inception v3", 299, 75, "Szegedy et al., CVPR 2016"),
    "xception": Architecture("Xception", 299, 71, "Chollet, CVPR 2017"),
}

NAMES = tuple(ARCHITECTURES)


def of(name: str) -> Architecture:
    """Return the architecture called `name`. Raises BadRequest with the nearest names."""
    if name not in ARCHITECTURES:
        raise BadRequest(
            "'{name}' is not a network that can be trained from scratch. {remedy}",
            name=name,
            remedy=did_you_mean(nearest(name, NAMES) or NAMES),
        )
    return ARCHITECTURES[name]


def image_size_of(name: str, given: int | None) -> int:
    """Return the image size for `name`: `given`, or the paper's. Raises BadRequest if it is too small."""
    architecture = of(name)
    if given is None:
        return architecture.image_size
    if given < architecture.smallest_size:
        raise BadRequest(
            "{image_size} of {name} must be at least {smallest_size}, received {given}. Raise it, or leave "
            "the network out.",
            name=name,
            smallest_size=architecture.smallest_size,
            given=given,
        )
    return given
