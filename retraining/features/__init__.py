"""Feature vectors ("bottlenecks") of images: how they are computed and cached."""
