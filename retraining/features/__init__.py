"""Feature vectors (bottlenecks) of images, and their cache."""
