"""The files that a trained classifier is written to."""
