"""Pretrained networks ("modules"): found by name or address, downloaded, and loaded."""
