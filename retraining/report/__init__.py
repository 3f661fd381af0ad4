"""The page made at the end of a run: what the classifier knows, what it gets wrong, and what to do next."""
