"""Using a trained or exported classifier: images in, labels and scores out."""
