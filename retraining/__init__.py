"""Retrain a pretrained image network on a folder of photographs, one sub-folder per class."""

__version__ = "0.1.0"
