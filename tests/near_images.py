"""Pictures with structure, drawn at random, and copies of them altered as people and programs do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageEnhance, ImageFilter

WIDTH, HEIGHT = 120, 90


def picture(seed: int) -> Image.Image:
    """Return blobs of random colours and places on a gradient."""
    rng = np.random.default_rng([seed, 5])
    corners = rng.integers(0, 256, (2, 2, 3)).astype(np.uint8)
    image = Image.fromarray(corners).resize((WIDTH, HEIGHT), Image.Resampling.BILINEAR)
    draw = ImageDraw.Draw(image)
    for _ in range(14):
        x, y = rng.integers(0, WIDTH), rng.integers(0, HEIGHT)
        across, down = rng.integers(4, 22, 2)
        draw.ellipse((x - across, y - down, x + across, y + down), tuple(map(int, rng.integers(0, 256, 3))))
    return image.filter(ImageFilter.GaussianBlur(0.7))


Alter = Callable[[Image.Image], Image.Image]

ALTERED: dict[str, Alter] = {
    "resized": lambda image: image.resize((image.width * 6 // 10, image.height * 6 // 10)),
    "re-encoded": lambda image: image,  # at a low quality, by `save`
    "cropped": lambda image: image.crop((image.width // 20, 0, image.width, image.height)),
    "mirrored": lambda image: image.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brightened": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "burst": lambda image: image.crop((1, 2, image.width - 2, image.height)),
}


def save(image: Image.Image, path: Path, *, quality: int = 92) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    image.save(path, quality=quality)
    return path


def save_altered(image: Image.Image, folder: Path, name: str) -> list[Path]:
    """Write an altered copy of each kind, and return the paths."""
    return [
        save(alter(image), folder / f"{name}_{kind}.jpg", quality=40 if kind == "re-encoded" else 92)
        for kind, alter in ALTERED.items()
    ]
