from __future__ import annotations

from retraining.arrays import ImageSize
from retraining.settings.deep_dream import DreamSettings
from retraining.visualization import ascent
from retraining.visualization.ascent import FOR_CLASSES, FOR_LAYERS


def test_first_octave_covers_the_input_for_layers_and_is_smaller_for_classes() -> None:
    input_size, photo_size = ImageSize(100, 100), ImageSize(200, 400)
    settings = DreamSettings(octaves=3, octave_scale=2)
    last = ascent.last_size(input_size, photo_size, ascent_settings=FOR_LAYERS, settings=settings)
    assert ascent.octaves(last, settings) == [ImageSize(100, 200), ImageSize(200, 400), ImageSize(400, 800)]
    last = ascent.last_size(input_size, input_size, ascent_settings=FOR_CLASSES, settings=settings)
    assert ascent.octaves(last, settings)[0] == ImageSize(65, 65)
