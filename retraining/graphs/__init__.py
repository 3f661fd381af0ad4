"""TensorFlow graphs: freezing, reading and running them."""
