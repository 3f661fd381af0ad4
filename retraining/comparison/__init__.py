"""Several models, trained on the same split and compared."""
