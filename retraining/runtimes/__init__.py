"""Running converted networks, without TensorFlow."""
