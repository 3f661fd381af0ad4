"""Sorting images into a folder per class, by what a classifier says of them."""
