"""Writing a trained classifier to files, in several formats."""
