"""Programs that make files of this project: run by hand, their results are committed."""
