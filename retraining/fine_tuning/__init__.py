"""Fine-tuning: a network's last blocks trained with the new layer, on the images themselves."""
