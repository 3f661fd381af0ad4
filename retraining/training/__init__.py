"""The new softmax layer: its training, its measurement, its curves."""
