"""Exported classifiers at work."""
