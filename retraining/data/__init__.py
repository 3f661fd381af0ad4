"""Folders of images, their split, and the pixels in them."""
