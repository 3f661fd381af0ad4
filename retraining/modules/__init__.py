"""Pretrained networks: found by their handles, fetched, loaded."""
