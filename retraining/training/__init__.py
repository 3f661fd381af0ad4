"""The new softmax layer: training it, measuring it, and its learning curve."""
