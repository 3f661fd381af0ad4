"""Images that are no photographs of a folder's classes, and the folder's own in a worse state."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn import datasets

from retraining.data import images
from retraining.data.dataset import Dataset

_SIZE = 128  # pixels
_DIGITS = 500
_REDUCED = 40  # pixels of the shorter side

log = logging.getLogger(__name__)


def digits(folder: Path) -> Path:
    """Write handwritten digits that come with scikit-learn, 8x8 pixels enlarged, and return the folder."""
    log.info("writing digits")
    bundled = datasets.load_digits()
    pixels = (255 - bundled.images * (255 / 16)).astype(np.uint8)
    for number, label in enumerate(bundled.target[:_DIGITS].tolist()):
        enlarged = Image.fromarray(pixels[number]).resize((_SIZE, _SIZE), Image.Resampling.BICUBIC)
        _save(enlarged.convert("RGB"), folder / str(label) / f"{number}.png")
    return folder


def tiles(folder: Path) -> Path:
    """Write parts of the two photos that come with scikit-learn, of a temple and a flower."""
    log.info("writing parts of photos")
    bundled = datasets.load_sample_images()
    for name, pixels in zip(bundled.filenames, bundled.images, strict=True):
        height, width, _ = pixels.shape
        for top in range(0, height - _SIZE, _SIZE // 4):
            for left in range(0, width - _SIZE, _SIZE // 2):
                tile = Image.fromarray(pixels[top : top + _SIZE, left : left + _SIZE])
                _save(tile, folder / Path(name).stem / f"{top}_{left}.png")
    return folder


def reduced(photos: Dataset, folder: Path) -> Path:
    """Write the photos so small that much of what they show is lost."""
    log.info("reducing %d photos", len(photos.images))
    for image in photos.images:
        whole = images.upright(images.read(image.path))
        share = _REDUCED / min(whole.size)
        size = round(whole.width * share), round(whole.height * share)
        small = whole.resize(size, Image.Resampling.BOX)
        _save(small, folder / photos.labels[image.label] / f"{image.path.stem}.png")
    return folder


def _save(image: Image.Image, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path)
