"""What a trained model knows and what it gets wrong, by its feature vectors: the figures of the report."""
