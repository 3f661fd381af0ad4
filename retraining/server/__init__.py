"""A server over HTTP: images in, labels and scores out, as JSON."""
