"""TensorFlow graphs: frozen, read, run."""
