"""Engines: programs that compute a network's graph, TensorFlow's own and others that are faster at it."""
